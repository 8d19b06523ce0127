"""Copies as one server shows them, and what people decide about them there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from time import monotonic

from lookalike.collection import Collection
from lookalike.copies.groups import CopyGroup, Level
from lookalike.decisions import Decision, Verdict, different_among
from lookalike.errors import NotFoundError
from lookalike.faces import contract
from lookalike.faces.server.looking import Looking
from lookalike.faces.server.operations import RefusedError
from lookalike.faces.server.parameters import CopiesQuery
from lookalike.faces.server.review import Review
from lookalike.faces.server.schema_copies import (
    MOST_MEMBERS,
    DecisionAnswer,
    DecisionRequest,
    LeftFile,
    RemovalAnswer,
    RemovalRequest,
)
from lookalike.records import Item

Remove = Callable[[CopyGroup, Set[int]], Mapping[int, str]]
"""Moves the files of those members of a group, by id, to the trash, while one that stays is there, and takes
them out of the collection; returns the ids of those that it could not move, with the reasons."""

_MOST_REVIEWS = 8  # levels and conditions whose groups are remembered: those asked for last
_FRESH_SECONDS = 20.0  # for which groups are shown as they are while there may be more
_Key = tuple[Level, tuple[str, ...]]


@dataclass(slots=True)
class _Kept:
    """A review, and what it was made of."""

    review: Review
    state: object


@dataclass(frozen=True, slots=True)
class Removal:
    """A group, and the ids of those of its members whose files are to go: never all."""

    remove: Remove
    group: CopyGroup
    going: Sequence[int]

    def run(self) -> RemovalAnswer:
        """Move the files to the trash, and say which stayed."""
        stayed = self.remove(self.group, frozenset(self.going))
        left = [LeftFile(item_id, stayed[item_id]) for item_id in self.going if item_id in stayed]
        return RemovalAnswer([item_id for item_id in self.going if item_id not in stayed], left)


class Copies:
    """The groups of one collection, kept in memory while nothing changes; may be used by several threads.

    `remove` moves files to the trash; without it, no file is removed.
    """

    def __init__(self, collection: Collection, remove: Remove | None = None) -> None:
        self._collection = collection
        self._remove = remove
        self._looking = Looking(collection)
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def can_remove(self) -> bool:
        """Whether files are moved to the trash where that is asked for."""
        return self._remove is not None

    def page(self, query: CopiesQuery) -> contract.Json:
        """Return some groups and what is known; begins to look closely where that was not done.

        Raises what `Collection.copies` does.
        """
        review = self._review(query.level, query.where)
        if review.report.looked_at < review.report.photos:
            self._looking.want(query.level, self._items_state())
        page, groups = review.page(query.offset, query.limit, query.state), review.groups
        looking = self._looking.facts()
        return {
            "total": len(groups),
            "decided": sum(group.is_decided for group in groups),
            "progress": {
                "looked_at": review.report.looked_at,
                "photos": review.report.photos,
                "skipped": len(review.report.skipped),
                "is_looking": looking.is_looking,
                "done": looking.done,
                "total": looking.total,
                "problem": looking.problem,
            },
            "groups": [contract.copy_group_json(group, MOST_MEMBERS) for group in page.groups],
            "next": page.next,
            "more": page.more,
        }

    def decide(self, given: DecisionRequest) -> DecisionAnswer:
        """Keep a verdict, and return when it is on disk; raises `NotFoundError` for an unknown item."""
        if len(set(given.items)) < len(given.items):
            raise _wrong("an item is given twice")
        if (given.verdict == "best") != (given.best is not None):
            raise _wrong('`best` comes with the verdict "best", and with no other')
        if given.best is not None and given.best not in given.items:
            raise _wrong(f"the best one, item {given.best}, is not among the items")
        decisions = list(_decisions(given, self._items(given.items)))
        if not decisions:
            raise _wrong("these are the same file: nothing can be decided about them but which of them stay")
        self._collection.decide(decisions)
        return DecisionAnswer(given.verdict, given.items, len(decisions))

    def removal(self, given: RemovalRequest) -> Removal:
        """Return what is to be removed, once it is sure that all of it are copies of what is kept."""
        if self._remove is None:
            raise RefusedError(
                403, "removal_is_off", "this server removes no files; start it with --allow-removal"
            )
        if given.keep in given.items or len(set(given.items)) < len(given.items):
            raise _wrong("each item is given once, and the one that is kept is none of them")
        self._items([given.keep, *given.items])
        groups = self._review(given.level, given.where).groups
        group = next((group for group in groups if given.keep in {item.id for item in group.items}), None)
        if group is None:
            raise _wrong(f"item {given.keep} is in no group of copies")
        known = {item.id for item in group.items}
        for item_id in given.items:
            if item_id not in known:
                raise _wrong(f"item {item_id} is in no group of copies with item {given.keep}")
        return Removal(self._remove, group, given.items)

    def close(self) -> None:
        """Stop looking."""
        self._looking.close()

    def _review(self, level: Level, where: Sequence[str]) -> Review:
        """Return the groups as they are now; made anew where items or decisions have changed."""
        key = level, tuple(where)
        with self._lock:
            decisions = list(self._collection.decisions())
            state = self._items_state(), decisions, self._looking.rounds, self._moment()
            kept = self._kept.get(key)
            if kept is None or kept.state != state:
                report = self._collection.copies(level, where=where, look=False)
                known = kept.review if kept is not None else Review(report)
                review = known.renewed(report, different_among(decisions), self._present)
                kept = self._kept[key] = _Kept(review, state)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_REVIEWS:
                self._kept.popitem(last=False)
        return kept.review

    def _moment(self) -> int:
        """Return a clock that stands still unless more may be found any moment."""
        return int(monotonic() / _FRESH_SECONDS) if self._looking.facts().is_looking else 0

    def _items_state(self) -> int:
        """Return a clock of the items; raises `NotFoundError` where there are none."""
        return self._collection.open_space().vectors.seq()

    def _items(self, item_ids: Sequence[int]) -> list[Item]:
        found = self._collection.engine.items.get(item_ids)
        for item_id in item_ids:
            if item_id not in found:
                raise NotFoundError(f"item {item_id} is not in this collection")
        return [found[item_id] for item_id in item_ids]

    def _present(self, items: Sequence[Item]) -> Set[int]:
        found = self._collection.engine.items.get([item.id for item in items])
        return {item.id for item in items if item.id in found and _is_same(item, found[item.id])}


def _is_same(item: Item, now: Item) -> bool:
    return item.content_hash == now.content_hash


def _decisions(given: DecisionRequest, items: Sequence[Item]) -> Iterator[Decision]:
    """Yield a decision for each pair of contents; there is none about two files of one content."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    best = next((item.content_hash for item in items if item.id == given.best), None)
    contents = [item.content_hash for item in items]
    pairs = dict.fromkeys((min(pair), max(pair)) for pair in combinations(contents, 2))
    for first, second in pairs:
        if first == second or (best is not None and best not in (first, second)):
            continue
        yield Decision(first, second, _verdict(given, first, best), at)


def _verdict(given: DecisionRequest, first: bytes, best: bytes | None) -> Verdict | None:
    if given.verdict == "best":
        return "first is best" if first == best else "second is best"
    return given.verdict


def _wrong(said: str) -> RefusedError:
    return RefusedError(422, "wrong_items", said)
