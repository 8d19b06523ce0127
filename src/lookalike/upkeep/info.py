"""The facts of a collection: what it holds, and how its spaces are searched."""

from __future__ import annotations

from lookalike.open_collection import OpenCollection
from lookalike.records import Space
from lookalike.reports import Info, SpaceInfo


def describe(opened: OpenCollection) -> Info:
    """Count what is in the collection."""
    engine = opened.engine()
    items = engine.items.count()
    spaces = tuple(_space_info(opened, space, items) for space in engine.spaces())
    size = engine.store_bytes()
    return Info(opened.path, items, engine.items.count_skipped(), size, spaces, opened.kind() or "photo")


def _space_info(opened: OpenCollection, space: Space, items: int) -> SpaceInfo:
    engine = opened.engine()
    count = engine.vectors(space).count()
    index = engine.index_facts(space)
    return SpaceInfo(
        space.name,
        space.model_id,
        space.dim,
        count,
        index.kind,
        index.recall,
        index.size,
        is_default=space.is_default,
        takes_words=opened.embedders.take_words(space),
        kind=space.kind,
        approximate=space.approximate,
        missing=max(0, items - count),
    )
