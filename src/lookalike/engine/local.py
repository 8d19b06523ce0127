"""The engine of this machine: the store and, for each space, the index that is kept in step with it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.durable import remove_file
from lookalike.engine.protocol import Candidates, IndexFacts, Selection
from lookalike.index.exact import TopK
from lookalike.indexing.indexer import Indexer
from lookalike.indexing.keeper import IndexKeeper
from lookalike.indexing.live import LiveIndex
from lookalike.records import Ids, Space, Vectors
from lookalike.store import Store
from lookalike.store.credits import Credits
from lookalike.store.decisions import Decisions
from lookalike.store.filters import Filter
from lookalike.store.items import Items
from lookalike.store.store import STORE_FILE
from lookalike.store.vectors import SpaceVectors
from lookalike.store.votes import Votes

_SCORE_ALL_UP_TO = 1_000  # so few selected items are all candidates, without the index


@dataclass(frozen=True, slots=True)
class LocalSelection:
    """The items that meet some conditions, by their ids `(n,)`, ascending."""

    ids: Ids

    def __len__(self) -> int:
        return len(self.ids)

    def count_among(self, item_ids: Iterable[int]) -> int:
        """How many of these items are selected."""
        return int(np.isin(list(item_ids), self.ids).sum())


class LocalEngine:
    """The collection in a folder; see `engine.protocol.Engine`. Raises what `Store` raises.

    `folder` may hold no collection yet where `create` says so.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.store = Store(folder, create=create)
        self._keepers: dict[tuple[int, str], IndexKeeper] = {}
        self._missing: dict[tuple[int, str], tuple[int, int]] = {}
        self._lock = threading.Lock()

    @property
    def items(self) -> Items:
        """The items."""
        return self.store.items

    @property
    def votes(self) -> Votes:
        """The votes."""
        return self.store.votes

    @property
    def credits(self) -> Credits:
        """The credits."""
        return self.store.credits

    @property
    def decisions(self) -> Decisions:
        """What was decided about copies."""
        return self.store.decisions

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""
        return self.store.spaces()

    def vectors(self, space: Space) -> SpaceVectors:
        """Return the vectors of a space."""
        return self.store.vectors(space)

    def select(self, filters: Sequence[Filter]) -> LocalSelection | None:
        """Return the items that meet all conditions; None, for all, where there are no conditions."""
        return LocalSelection(self.store.items.matching(filters)) if filters else None

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
        """Return candidates for the `k` nearest of each unit-length query `(n, dim)`; see `Engine.nearest`.

        Without a ready index the answer is exact and slow: all vectors are read from the store.
        """
        vectors, allowed = self.vectors(space), _ids_of(among)
        live = None if exact else self.index_keeper(space).live()
        damaged = live.damaged if live is not None else frozenset[int]()
        total = _count(vectors, live) if allowed is None else len(allowed)
        missing = self._count_missing(space, live)
        if allowed is not None and len(allowed) <= _SCORE_ALL_UP_TO:
            return Candidates([allowed] * len(rows), 1.0, total, damaged, missing)
        if live is not None:
            found = live.search(rows, k, allowed, reach)
            return Candidates(found, live.index.recall, total, damaged, missing)
        best = TopK(rows, max(k, reach))
        for block in vectors.blocks() if allowed is None else vectors.blocks_of(allowed):
            best.see(block.ids, block.rows)
        return Candidates(list(best.ranked()[0]), 1.0, total, damaged, missing)

    def _count_missing(self, space: Space, live: LiveIndex | None) -> int:
        """How many items should be searched and are not, as happens where the store's pages are broken.

        Counted once after each change. What is written meanwhile makes no false alarm.
        """
        vectors, key = self.vectors(space), _key(space)
        seq = vectors.seq() if live is None else live.seq
        if self._missing.get(key, (-1, 0))[0] != seq:
            held = vectors.count() if live is None else len(live.index) + len(live.damaged)
            count = self.items.count() if space.is_default else vectors.count()
            if vectors.seq() != seq or (live is not None and live.seq != seq):
                return 0
            self._missing[key] = (seq, max(0, count - held))
        return self._missing[key][1]

    def having_words(self, words: str, limit: int, among: Selection | None = None) -> list[int]:
        """Return the ids of up to `limit` texts that have exact words, the best match (BM25) first."""
        return self.store.texts.match(words, limit, _ids_of(among))

    def indexer(self, space: Space) -> Indexer:
        """Return what builds and opens the index of a space."""
        return Indexer(self.folder, space, self.vectors(space))

    def index_keeper(self, space: Space) -> IndexKeeper:
        """Return the index of a space, opened once."""
        with self._lock:
            return self._keepers.setdefault(_key(space), IndexKeeper(self.indexer(space)))

    def index_keepers(self) -> list[IndexKeeper]:
        """Return the indexes in use."""
        with self._lock:
            return list(self._keepers.values())

    def refresh_indexes(self) -> None:
        """Bring the indexes of all spaces up to date, building them where needed."""
        for space in self.spaces():
            self.index_keeper(space).refresh()

    def note_recall(self, space: Space, recall: float, count: int) -> None:
        """Keep nothing: an index is measured when it is built, and its file says what came of it."""

    def drop_space(self, space: Space) -> None:
        """Forget a space with its vectors and its index; the items stay."""
        with self._lock:
            self._keepers.pop(_key(space), None)
        remove_file(self.indexer(space).path)
        self.store.drop_space(space)

    def forget_indexes(self) -> None:
        """Drop every index, in memory and on disk: they are caches of what is about to be repaired."""
        for file in (self.folder / "index").glob("*.ivf"):
            remove_file(file)
        with self._lock:
            self._keepers = {}

    def check(self) -> None:
        """Raise what hinders the store from being read."""
        self.items.is_empty()

    def index_facts(self, space: Space) -> IndexFacts:
        """Return how a space is searched."""
        return IndexFacts(*self.indexer(space).describe())

    def store_bytes(self) -> int:
        """How many bytes the store's files take."""
        return sum(map(_size_of, self.folder.glob(f"{STORE_FILE}*")))

    @property
    def is_building(self) -> bool:
        """Whether an index is being built in the background; answers are exact but slow meanwhile."""
        return any(keeper.is_building for keeper in self.index_keepers())

    def wait(self) -> list[BaseException]:
        """Return when no index is being built in the background; and what ended builds, if anything."""
        problems = [keeper.wait() for keeper in self.index_keepers()]
        return [problem for problem in problems if problem is not None]

    def close(self) -> None:
        """Close the files; the next use of this engine fails, and so does a build that is under way."""
        self.store.close()


def _count(vectors: SpaceVectors, live: LiveIndex | None) -> int:
    return vectors.count() if live is None else len(live.index)


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # the log goes when its last user does
        return 0


def _ids_of(among: Selection | None) -> Ids | None:
    if among is None:
        return None
    assert isinstance(among, LocalSelection)  # `select` made it
    return among.ids


def _key(space: Space) -> tuple[int, str]:
    """Tell a space from one that was dropped and left its number to it."""
    return space.id, space.model_id
