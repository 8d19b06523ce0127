"""The facts of a collection: what it holds, and how its spaces are searched."""

from __future__ import annotations

from pathlib import Path

from lookalike.open_collection import OpenCollection
from lookalike.records import Space
from lookalike.reports import Info, SpaceInfo
from lookalike.store.store import STORE_FILE


def describe(opened: OpenCollection) -> Info:
    """Count what is in the collection."""
    engine = opened.engine()
    items = engine.items.count()
    spaces = tuple(_space_info(opened, space, items) for space in engine.spaces())
    size = sum(map(_size_of, opened.path.glob(f"{STORE_FILE}*")))
    return Info(opened.path, items, engine.items.count_skipped(), size, spaces, opened.kind() or "photo")


def _space_info(opened: OpenCollection, space: Space, items: int) -> SpaceInfo:
    engine = opened.engine()
    count = engine.vectors(space).count()
    kind, recall, size = engine.indexer(space).describe()
    return SpaceInfo(
        space.name,
        space.model_id,
        space.dim,
        count,
        kind,
        recall,
        size,
        is_default=space.is_default,
        takes_words=opened.embedders.take_words(space),
        kind=space.kind,
        approximate=space.approximate,
        missing=max(0, items - count),
    )


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # the log goes when its last user does
        return 0
