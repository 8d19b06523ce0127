"""Answers of two spaces shown as one, and who of them earns what is done with the hits."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lookalike.collection import Collection
from lookalike.errors import LookalikeError, NotFoundError, UsageError
from lookalike.records import Credit, Hit, SearchOptions, SearchResult
from lookalike.search.interleaving import Team, team_draft
from lookalike.search.queries import Example

_MOST = 10_000  # rounds that are remembered: those shown last


@dataclass(frozen=True, slots=True)
class Pair:
    """The two spaces that are compared, told apart by nobody who looks at their hits."""

    a: str
    b: str

    def named(self, collection: Collection) -> Pair:
        """Return both by the names of their spaces, where they were called by a choice such as "better".

        Raises `UsageError` or `NotFoundError` unless the collection has both.
        """
        if not isinstance(collection.path, Path):
            raise UsageError(
                "--ab keeps its rounds in the memory of one server, and others may serve this collection: "
                "compare on one in a folder (lookalike copy makes one)"
            )
        a, b = (collection.open_space(name).space.name for name in (self.a, self.b))
        if a == b:
            raise UsageError(f"--ab compares two models, got {a} twice")
        return Pair(a, b)


@dataclass(frozen=True, slots=True)
class _Round:
    query: str
    shown: dict[int, Team] = field(default_factory=dict)


class Rounds:
    """The rounds of one server; may be used by several threads.

    A round stays in memory until something is done with one of its hits, and is forgotten with the server:
    what nobody clicked on says nothing, and searches leave no trace.
    """

    def __init__(self, collection: Collection, pair: Pair) -> None:
        self._collection = collection
        self._pair = pair
        self._rounds: OrderedDict[str, _Round] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, str]:
        """The spaces that are compared."""
        return self._pair.a, self._pair.b

    def answer(
        self,
        query: list[Example],
        options: SearchOptions,
        where: list[str],
        max_pixels: int,
        round_id: str | None,
    ) -> tuple[SearchResult, str | None]:
        """Answer a query by both spaces and return the round; further pages name the round of the first.

        A query that one of them cannot answer is answered by the default one, in no round.
        """
        deep = replace(options, k=options.offset + options.k, offset=0)
        try:
            both = [
                self._collection.answer(
                    [query], replace(deep, space=name), where=where, max_pixels=max_pixels
                )[0]
                for name in (self._pair.a, self._pair.b)
            ]
        except LookalikeError:
            return self._collection.answer([query], options, where=where, max_pixels=max_pixels)[0], None
        with self._lock:
            known = self._rounds.get(round_id or "")
            if known is None or known.query != both[0].key:
                round_id, known = secrets.token_urlsafe(12), _Round(both[0].key)
            assert round_id is not None  # a known one was named
            result, teams = _interleaved(both, options, round_id)
            known.shown.update(teams)
            self._rounds[round_id] = known
            self._rounds.move_to_end(round_id)
            while len(self._rounds) > _MOST:
                self._rounds.popitem(last=False)
        return result, round_id

    def credit(self, round_id: str, item_id: int, kind: Literal["click", "vote"], value: int) -> None:
        """Keep what was done with a hit; raises `NotFoundError` for a round or hit that was not shown."""
        with self._lock:
            known = self._rounds.get(round_id)
            team = known.shown.get(item_id) if known is not None else None
        if known is None or team is None:
            raise NotFoundError("this hit was not shown in such a round, or too long ago")
        own, other = (self._pair.a, self._pair.b) if team == "a" else (self._pair.b, self._pair.a)
        day = datetime.now(UTC).date().isoformat()
        self._collection.credit(Credit(round_id, known.query, own, other, item_id, kind, value, day))


def _interleaved(
    both: list[SearchResult], options: SearchOptions, round_id: str
) -> tuple[SearchResult, dict[int, Team]]:
    """Return one page of both answers in one, and who chose each of its hits."""
    a, b = both
    drafted = team_draft([hit.id for hit in a], [hit.id for hit in b], round_id)
    hits: dict[Team, dict[int, Hit]] = {"a": {hit.id: hit for hit in a}, "b": {hit.id: hit for hit in b}}
    order = [hits[team][item] for item, team in drafted]
    taken = {hit.id for hit in order}
    order += [hit for hit in (*a, *b) if hit.id not in taken]  # of the one that had more, and so no copies
    above: set[int | None] = {None}
    for at, hit in enumerate(order):
        if hit.copy_of not in above:
            order[at] = replace(hit, copy_of=None, copy_how=())  # what it is a copy of is not above it here
        above.add(hit.id)
    page = order[options.offset : options.offset + options.k]
    result = replace(
        a,
        recall=_lower(a.recall, b.recall),
        hits=tuple(page),
        damaged=tuple(sorted({*a.damaged, *b.damaged})),
        more=a.more or b.more or len(order) > options.offset + options.k,
        background=None,  # the scores are of two kinds
    )
    shown = {hit.id for hit in page}
    return result, {item: team for item, team in drafted if item in shown}


def _lower(one: float | None, other: float | None) -> float | None:
    """Return the lower recall; None where one was not measured."""
    return None if one is None or other is None else min(one, other)
