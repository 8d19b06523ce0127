"""Builds an index from the store, measures it, and keeps it in step with what changes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from lookalike.durable import remove_file
from lookalike.errors import DamagedError
from lookalike.index.exact import ExactIndex
from lookalike.index.file import Header, load_index, read_header, remove_leftovers, save_index
from lookalike.index.ivf import IvfIndex
from lookalike.index.tune import RECALL_TARGET
from lookalike.indexing.build import build_ivf, recall_of_newest
from lookalike.indexing.live import LiveIndex, is_small
from lookalike.records import Space
from lookalike.store.vectors import SpaceVectors

_FALLEN = 0.01  # share of true neighbours that the newest items may find fewer than the older ones
_SAVE_AFTER = 200  # changes from which on saving is cheaper than catching up at every start


class Indexer:
    """The index of one space: on disk, in memory, and in step with the store."""

    def __init__(self, folder: Path, space: Space, vectors: SpaceVectors) -> None:
        self.path = folder / "index" / f"{quote(space.name, safe='')}.ivf"  # a repository has a /
        self.vectors = vectors
        self._space = space

    def open(self) -> LiveIndex | None:
        """Return a ready index that needs no long work: a small exact one or a sound file; else None."""
        if is_small(self.vectors.count()):
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
        live = LiveIndex(
            index, header.seq, header.built_count, header.changed, header.measured, damaged=damaged
        )
        live.catch_up(self.vectors)
        return live

    def build(self, target: float = RECALL_TARGET, newest: int = 0) -> LiveIndex:
        """Build, measure and save an index of all vectors; small spaces stay exact and without a file.

        Recall has to reach the target among the `newest` items, too.
        """
        if is_small(self.vectors.count()):
            remove_file(self.path)
            live = self.open()
            assert live is not None  # an exact one always opens
            return live
        live = build_ivf(self.vectors, target, newest)
        self.save(live)
        return live

    def describe(self) -> tuple[str, float | None, int]:
        """Return the kind of index in use, its measured recall and its file's size in bytes."""
        if is_small(self.vectors.count()):
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
            live.measured,
        )
        save_index(self.path, live.index, header)
        live.unsaved = 0

    def refresh(self, live: LiveIndex | None, target: float = RECALL_TARGET) -> LiveIndex:
        """After an add: bring the index up to date, building, measuring or saving it where that pays."""
        if live is None:
            return self.build(target)
        live.catch_up(self.vectors)
        if live.needs_rebuild:
            return self.build(target)
        if live.needs_measuring and self._has_fallen(live, target):
            return self.build(target, live.changed)
        if live.unsaved > _SAVE_AFTER:
            self.save(live)
        return live

    def _has_fallen(self, live: LiveIndex, target: float) -> bool:
        """Measure on the newest items, which becomes the recall shown where it is lower."""
        changed = live.changed
        assert isinstance(live.index, IvfIndex)  # others need no measuring
        before = live.index.recall
        newest = recall_of_newest(self.vectors, live, changed - live.measured)
        live.index.recall = min(before, newest)
        live.measured, live.unsaved = changed, live.unsaved + 1
        return newest < min(target, before) - _FALLEN
