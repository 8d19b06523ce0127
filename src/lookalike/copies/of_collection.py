"""Copies of an open collection: what `Collection` asks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import get_args

from lookalike.copies.find import CopiesWanted, find_copies
from lookalike.copies.groups import CopiesReport, Level
from lookalike.copies.looking import LookingParts
from lookalike.copies.notes import Notes
from lookalike.copies.notes_file import notes_path
from lookalike.copies.pictures import PictureReader
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.engine.protocol import EngineItems
from lookalike.errors import LookalikeError, UsageError
from lookalike.open_collection import OpenCollection
from lookalike.records import OnStep, Space
from lookalike.search.arguments import ids_of_all
from lookalike.search.copies import space_of_copies
from lookalike.sources.paths import AnyPath
from lookalike.store.filters import Filter


class CollectionCopies:
    """The copies of one collection, and what is noted of them; may be used by several threads."""

    def __init__(self, opened: OpenCollection) -> None:
        self._opened = opened
        self._notes: Notes | None = None
        self._lock = threading.Lock()

    def find(self, wanted: CopiesWanted, *, look: bool, on_step: OnStep) -> CopiesReport:
        """Return the groups of copies; see `find_copies`.

        Raises `NotFoundError` for an empty collection, `UsageError` for one of texts.
        """
        if self._opened.kind() == "text":
            raise UsageError("copies are found among photos; equal texts are one item at several places")
        engine = self._opened.engine()
        space = space_of_copies(engine, self._opened.space())
        reader = PictureReader(self._opened.decoder, self._embedder_of(space) if look else None)
        parts = LookingParts(engine, space, reader, self.notes(), on_step)
        return find_copies(parts, wanted, look=look)

    def notes(self) -> Notes:
        """Return what is noted, opened once."""
        with self._lock:
            if self._notes is None:
                self._notes = Notes(notes_path(self._opened.path))
            return self._notes

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._notes is not None:
                self._notes.close()

    def _embedder_of(self, space: Space | None) -> Embedder | None:
        """Return what makes the vectors of parts; None where the model is not to be had."""
        if space is None:
            return None
        try:
            found = self._opened.embedder_of(space)
        except LookalikeError:  # imported without its model, or that is gone
            return None
        return None if isinstance(found, TextEmbedder) else found


def wanted_among(
    items: EngineItems,
    level: Level,
    filters: Sequence[Filter],
    paths: Sequence[AnyPath],
    against: Sequence[AnyPath],
) -> CopiesWanted:
    """Return which copies are wanted, of paths; raises `NotFoundError` for one that nothing is of."""
    if level not in get_args(Level):
        raise UsageError(f"a level is one of {', '.join(get_args(Level))}; got {level!r}")
    reference = frozenset(ids_of_all(items, against)) if against else None
    chosen = frozenset(ids_of_all(items, paths)) | (reference or frozenset()) if paths else None
    return CopiesWanted(
        level,
        filters,
        None if chosen is None else lambda item: item.id in chosen,
        None if reference is None else lambda item: item.id in reference,
    )
