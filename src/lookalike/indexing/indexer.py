"""Builds an index from the store, measures it, and keeps it in step with what changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from lookalike.errors import DamagedError
from lookalike.index import EXACT_UP_TO, Index
from lookalike.index.exact import BestSoFar, ExactIndex
from lookalike.index.file import Header, load_index, read_header, remove_leftovers, save_index
from lookalike.index.ivf import IvfIndex, train, train_count
from lookalike.index.tune import QUERIES, RECALL_TARGET, make_truth, ranks_needed, tune
from lookalike.records import Ids, Space, Vectors
from lookalike.store.vectors import SpaceVectors

_REBUILD_AFTER = 0.25  # share of items that may change before lists and recall are measured anew
_SAVE_AFTER = 200  # changes from which on saving is cheaper than catching up at every start


@dataclass(slots=True)
class LiveIndex:
    """An index in memory, the clock of the store up to which it is complete, and how it came about.

    May be used by several threads.
    """

    index: Index
    seq: int
    built_count: int
    changed: int = 0
    unsaved: int = 0
    damaged: frozenset[int] = frozenset()
    """Items that are left out because their stored vector is not what was written."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def worn(self) -> bool:
        """Whether so much has changed that it should be built anew."""
        if isinstance(self.index, ExactIndex):
            return len(self.index) > EXACT_UP_TO
        return self.changed > _REBUILD_AFTER * self.built_count

    def search(self, queries: Vectors, k: int, allowed: Ids | None) -> list[Ids]:
        """See `Index.search`."""
        with self._lock:
            return self.index.search(queries, k, allowed)

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


class Indexer:
    """The index of one space: on disk, in memory, and in step with the store."""

    def __init__(self, folder: Path, space: Space, vectors: SpaceVectors) -> None:
        self.path = folder / "index" / f"{quote(space.name, safe='')}.ivf"  # a repository has a /
        self.vectors = vectors
        self._space = space

    def open(self) -> LiveIndex | None:
        """Return a ready index that needs no long work: a small exact one or a sound file; else None."""
        if self.vectors.count() <= EXACT_UP_TO:
            live = LiveIndex(ExactIndex(self._space.dim), -1, 0)
            live.catch_up(self.vectors)
            return live
        try:
            index, header = load_index(self.path)
        except (FileNotFoundError, DamagedError):
            return None
        seq = self.vectors.seq()
        if (header.space, header.model_id) != (self._space.name, self._space.model_id) or header.seq > seq:
            return None  # copied from elsewhere, or newer than a store that was put back from a backup
        damaged = frozenset(header.damaged)
        live = LiveIndex(index, header.seq, header.built_count, header.changed, damaged=damaged)
        live.catch_up(self.vectors)
        return live

    def build(self, target: float = RECALL_TARGET) -> LiveIndex:
        """Build, measure and save an index of all vectors; small spaces stay exact and without a file."""
        if self.vectors.count() <= EXACT_UP_TO:
            self.path.unlink(missing_ok=True)
            live = self.open()
            assert live is not None  # an exact one always opens
            return live
        live = build_ivf(self.vectors, target)
        self.save(live)
        return live

    def describe(self) -> tuple[str, float | None, int]:
        """Return the kind of index in use, its measured recall and its file's size in bytes."""
        if self.vectors.count() <= EXACT_UP_TO:
            return "exact", 1.0, 0
        try:
            return "ivf", read_header(self.path).recall, self.path.stat().st_size
        except (OSError, DamagedError):
            return "none yet", None, 0

    def save(self, live: LiveIndex) -> None:
        """Write the index file, if the index is of the kind that has one."""
        if not isinstance(live.index, IvfIndex):
            return
        remove_leftovers(self.path)
        settings = live.index.settings
        header = Header(
            self._space.name,
            self._space.model_id,
            live.seq,
            live.built_count,
            live.changed,
            live.index.recall,
            settings.nprobe,
            settings.depth,
            tuple(sorted(live.damaged)),
        )
        save_index(self.path, live.index, header)
        live.unsaved = 0

    def refresh(self, live: LiveIndex | None, target: float = RECALL_TARGET) -> LiveIndex:
        """After an add: bring the index up to date, building or saving it where that pays."""
        if live is None:
            return self.build(target)
        live.catch_up(self.vectors)
        if live.worn:
            return self.build(target)
        if live.unsaved > _SAVE_AFTER:
            self.save(live)
        return live


def build_ivf(vectors: SpaceVectors, target: float) -> LiveIndex:
    """Train on a sample, add everything block by block, and tune on items kept out of the sample."""
    seq = vectors.seq()
    ids = vectors.ids()
    order = np.random.default_rng(0).permutation(len(ids))
    asked = min(QUERIES, len(ids) // 4)
    held_out = np.sort(ids[order[:asked]])
    sample = np.sort(ids[order[asked : asked + train_count(len(ids))]])
    index = train(vectors.fetch(sample.tolist()).rows, len(ids))
    queries = vectors.fetch(held_out.tolist())
    seen = BestSoFar(queries.rows, ranks_needed())
    damaged: set[int] = set()
    for block in vectors.blocks():
        damaged.update(block.damaged)
        index.add(block.ids, block.rows)
        seen.see(block.ids, block.rows)
    tune(index, make_truth(queries.ids, queries.rows, seen), target)
    return LiveIndex(index, seq, len(ids), damaged=frozenset(damaged))
