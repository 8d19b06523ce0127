"""An index in memory, in step with the store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from lookalike.index import EXACT_UP_TO, Index
from lookalike.index.exact import ExactIndex
from lookalike.records import Ids, Vectors
from lookalike.store.vectors import SpaceVectors

_REBUILD_AFTER = 0.25  # share of items that may change before lists and recall are measured anew
_MEASURE_AFTER = 0.02  # share of items after which recall is measured on the newest


def is_small(count: int) -> bool:
    """Whether so many vectors are searched one and all, without an index that has to be built."""
    return count <= EXACT_UP_TO


@dataclass(slots=True)
class LiveIndex:
    """An index in memory, the clock of the store up to which it is complete, and how it came about.

    May be used by several threads.
    """

    index: Index
    seq: int
    built_count: int
    changed: int = 0
    measured: int = 0
    """How many of the changes recall was measured with."""
    unsaved: int = 0
    damaged: frozenset[int] = frozenset()
    """Items that are left out because their stored vector is not what was written."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def needs_rebuild(self) -> bool:
        """Whether so much has changed that it should be built anew."""
        if isinstance(self.index, ExactIndex):
            return not is_small(len(self.index))
        return self.changed > _REBUILD_AFTER * self.built_count

    @property
    def needs_measuring(self) -> bool:
        """Whether so much has changed that its recall may be another one."""
        is_approximate = not isinstance(self.index, ExactIndex)
        return is_approximate and self.changed - self.measured > _MEASURE_AFTER * self.built_count

    def search(self, queries: Vectors, k: int, allowed: Ids | None, reach: int = 0) -> list[Ids]:
        """See `Index.search`."""
        with self._lock:
            return self.index.search(queries, k, allowed, reach)

    def catch_up(self, vectors: SpaceVectors) -> None:
        """Apply what was written and removed in the store since `seq`."""
        if vectors.seq() == self.seq:
            return
        with self._lock:
            self._apply(vectors)

    def _apply(self, vectors: SpaceVectors) -> None:
        changes = vectors.changes(self.seq)
        self.index.remove(np.concatenate([changes.removed, changes.written]))
        for at in range(0, len(changes.written), EXACT_UP_TO):
            block = vectors.fetch(changes.written[at : at + EXACT_UP_TO].tolist())
            self.index.add(block.ids, block.rows)
            self.damaged = self.damaged.difference(block.ids.tolist()).union(block.damaged)
        self.damaged = self.damaged.difference(changes.removed.tolist())
        self.seq = changes.seq
        self.changed += len(changes.written) + len(changes.removed)
        self.unsaved += len(changes.written) + len(changes.removed)
