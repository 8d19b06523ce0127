"""What searching, the faces and evaluation need of the place where items and vectors are kept.

The local store with its index is one such place (`engine.local`). Any other has to pass the same tests
(`tests/engine/contract.py`). What only the local store can do (reading photos in, checking, repairing) is not
asked of an engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lookalike.decisions import Decision
from lookalike.records import Credit, Ids, Item, Skipped, Space, Vectors, Vote
from lookalike.store.facets import Facets
from lookalike.store.filters import Filter
from lookalike.store.vectors import VectorBlock


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be nearest to some queries, to be scored exactly by who asked.

    `ids` has, for each query, at least the nearest that the engine finds, in any order. `recall` is 1.0 where
    all of the true nearest are among them, None where that was not measured; else the share of the true 10
    nearest that is, as measured without conditions. `total` is how many items were searched: all that meet
    the conditions. `damaged` are items that are left out because what is stored of them is not what was
    written, `missing` tells how many
    more the collection should have but cannot find.
    """

    ids: list[Ids]
    recall: float | None
    total: int
    damaged: frozenset[int] = frozenset()
    missing: int = 0


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """How a space is searched: `kind` as users read it, its measured `recall`, bytes of its file."""

    kind: str
    recall: float | None
    size: int


class Selection(Protocol):
    """The items that meet some conditions, in whatever way an engine keeps that."""

    def __len__(self) -> int: ...

    def count_among(self, item_ids: Iterable[int]) -> int:
        """How many of these items are selected."""


class EngineItems(Protocol):
    """The items of a collection; see `store.items.Items`."""

    def count(self) -> int:
        """How many items there are."""

    def is_empty(self) -> bool:
        """Whether there are none."""

    def get(self, item_ids: Sequence[int]) -> dict[int, Item]:
        """Return those of the items that exist and are sound, by id."""

    def damaged(self, item_ids: Sequence[int]) -> tuple[int, ...]:
        """Return those of the items that exist but are not what was written."""

    def by_uri(self, uri: str) -> Item | None:
        """Return the item of a uri, or None."""

    def pages(self) -> Iterator[list[Item]]:
        """Yield all items in the order of their ids, some at a time."""

    def matching(self, filters: Sequence[Filter], *, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of the items that meet all conditions, ascending: up to `limit` beyond `after`."""

    def random(self, filters: Sequence[Filter], count: int) -> list[int]:
        """Return the ids of up to `count` different items that meet all conditions, in random order."""

    def facets(self) -> Facets:
        """Return what the items can be filtered by."""

    def remove(self, item_ids: Sequence[int]) -> int:
        """Remove items with their vectors, all or none; returns how many there were."""

    def count_skipped(self) -> int:
        """How many inputs are on record as skipped."""

    def skipped(self) -> Iterator[Skipped]:
        """Yield the inputs on record as skipped, by uri."""


class EngineVectors(Protocol):
    """The vectors of one space; see `store.vectors.SpaceVectors`."""

    def count(self) -> int:
        """How many vectors there are."""

    def seq(self) -> int:
        """Return a clock that stands still while nothing changes."""

    def ids(self) -> Ids:
        """Return the ids of all items that have a vector, ascending."""

    def draw(self, count: int, chance: np.random.Generator) -> Ids:
        """Return the ids of up to `count` items that have a vector, drawn by chance, ascending."""

    def fetch(self, item_ids: Sequence[int]) -> VectorBlock:
        """Return the vectors of those items that still have one, in ascending order of id."""

    def blocks(self, rows: int = 250) -> Iterator[VectorBlock]:
        """Yield all vectors in the order of their ids, `rows` at a time, in steady memory."""

    def blocks_of(self, item_ids: Ids) -> Iterator[VectorBlock]:
        """Yield the vectors of those items that still have one, some at a time."""


class EngineVotes(Protocol):
    """The votes of a collection; see `store.votes.Votes`."""

    def put(self, query: str, item_id: int, value: int, space: str, at: str) -> None:
        """Keep a vote of 1 or −1 on an item as a hit of a query; 0 withdraws it. Raises `NotFoundError`."""

    def page(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order in which they were given, beyond the id `after`."""


class EngineCredits(Protocol):
    """The credits of a collection; see `store.credits.Credits`."""

    def put(self, credit: Credit) -> None:
        """Keep a credit: a click counts once, a vote replaces an earlier one, 0 withdraws it."""

    def all(self) -> Iterator[Credit]:
        """Yield all credits in the order given."""


class EngineDecisions(Protocol):
    """What was decided about copies; see `store.decisions.Decisions`."""

    def put(self, decisions: Sequence[Decision]) -> None:
        """Keep decisions, each in the place of the former one on that pair, all or none; None withdraws.

        What this returns from survives whatever happens next. Raises `UsageError` for what can be none.
        """

    def all(self) -> Iterator[Decision]:
        """Yield all decisions in the order given."""

    def seq(self) -> int:
        """Return a clock of the decisions alone, which stands still while none changes."""


class Engine(Protocol):
    """Items and vectors of one collection, kept and searched somewhere; may be used by several threads."""

    @property
    def items(self) -> EngineItems:
        """The items."""

    @property
    def votes(self) -> EngineVotes:
        """The votes."""

    @property
    def credits(self) -> EngineCredits:
        """The credits."""

    @property
    def decisions(self) -> EngineDecisions:
        """What was decided about copies."""

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""

    def vectors(self, space: Space) -> EngineVectors:
        """Return the vectors of a space."""

    def select(self, filters: Sequence[Filter]) -> Selection | None:
        """Return the items that meet all conditions, for the calls below; None, for all, without any."""

    def nearest(
        self,
        space: Space,
        rows: Vectors,
        k: int,
        among: Selection | None = None,
        *,
        reach: int = 0,
        exact: bool = False,
    ) -> Candidates:
        """Return candidates for the `k` nearest of each unit-length query `(n, dim)`.

        Where `reach` is more, at least so many, those beyond the `k` nearest found less surely.
        `exact` looks at every vector, however long that takes.
        """

    def having_words(self, words: str, limit: int, among: Selection | None = None) -> list[int]:
        """Return the ids of up to `limit` texts that have exact words, the best match first."""

    def check(self) -> None:
        """Raise what hinders the engine from answering, within seconds."""

    def index_facts(self, space: Space) -> IndexFacts:
        """Return how a space is searched."""

    def refresh_indexes(self) -> None:
        """Have all that was written indexed, and measured where that is due."""

    def note_recall(self, space: Space, recall: float, count: int) -> None:
        """Keep the share of the true 10 nearest that was found among so many vectors, as it was measured."""

    def drop_space(self, space: Space) -> None:
        """Forget a space with its vectors and its index; the items stay."""

    def store_bytes(self) -> int:
        """How many bytes the items and vectors take on this machine."""

    @property
    def is_building(self) -> bool:
        """Whether an index is being built in the background."""

    def wait(self) -> list[BaseException]:
        """Return when no index is being built; and what ended builds, if anything."""

    def close(self) -> None:
        """Let go of files and connections; the next use of this engine fails."""
