"""The entry of a collection in Milvus that is being copied: from where, as `store.copy_mark` has it."""

from __future__ import annotations

from lookalike.engine.milvus.books import Entry
from lookalike.engine.milvus.engine import MilvusEngine

_BOOK, _NAME = "copy", "source"


def read_copy_mark(engine: MilvusEngine) -> str | None:
    """Return the place that is being copied into a collection, or None."""
    found = engine.books.get(_BOOK, [_NAME])
    return str(found[0].data["place"]) if found else None


def write_copy_mark(engine: MilvusEngine, place: str | None) -> None:
    """Note that place, or with None that nothing is being copied."""
    entry = Entry(_BOOK, _NAME, {"place": place})
    if place is None:
        engine.books.delete([entry])
    else:
        engine.books.put([entry])
