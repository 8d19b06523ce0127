"""What reading photos and texts in, importing and exporting need of the place where they go.

The local store is one such place, a collection in Milvus another (`engine.milvus.store`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from lookalike.engine.protocol import EngineItems, EngineVectors
from lookalike.records import CopiedItem, Ids, Item, Kind, Passage, Space, Vote
from lookalike.store.commit import FilledVector, Written
from lookalike.store.photo_commit import PhotoBatch, RunMemory
from lookalike.store.scan import Scan
from lookalike.store.text_commit import TextBatch
from lookalike.store.text_scan import TextScan
from lookalike.store.texts import Texts

SERVED_IN_PART = "is served only in part just now, or changed meanwhile; run it again"
"""What is told of a collection whose engine has told now fewer, now more."""


class WritableVectors(EngineVectors, Protocol):
    """The vectors of one space, which items may lack."""

    def missing(self, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of up to `limit` items beyond `after` that have no vector here, ascending."""

    def count_missing(self) -> int:
        """How many items have no vector here."""


class WritableItems(EngineItems, Protocol):
    """The items, as who adds to them has to know them."""

    def by_uris(self, uris: Sequence[str]) -> dict[str, Item]:
        """Return the items of some uris, by uri."""

    def with_content(self, hashes: Sequence[bytes]) -> list[str]:
        """Return the uris of the items whose content has one of these sha256."""


class ItemStore(Protocol):
    """Items, vectors and skipped inputs of one collection, to be written; see `store.Store`."""

    @property
    def writers(self) -> int:
        """How many batches may be under way at once, from threads of their own."""

    @property
    def folder(self) -> Path | None:
        """The folder that it is in on this machine, which is no source of photos, or None."""

    @property
    def items(self) -> WritableItems:
        """The items."""

    @property
    def texts(self) -> Texts:
        """The texts."""

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""

    def default_space(self) -> Space | None:
        """Return the space that is searched unless another is named; None while there is none."""

    def ensure_space(  # what a space is made of
        self,
        name: str,
        model_id: str,
        dim: int,
        *,
        kind: Kind = "photo",
        reference: str = "",
        approximate: bool = False,
    ) -> Space:
        """Return the space of a model, creating it; the first one becomes the default."""

    def use_space(self, space: Space) -> None:
        """Make a space the default one; raises `UsageError` where items have no vector in it."""

    def drop_space(self, space: Space) -> None:
        """Forget a space and its vectors; the items stay."""

    def vectors(self, space: Space) -> WritableVectors:
        """Return the vectors of a space."""

    def commit(  # the parts of a batch
        self,
        space: Space,
        batch: PhotoBatch,
        *,
        reader: str,
        is_gone: Callable[[str], bool],
        memory: RunMemory | None = None,
        companion: Space | None = None,
    ) -> Written[str]:
        """Keep a batch of photos; what this returns survives whatever happens next."""

    def commit_texts(
        self, space: Space, batch: TextBatch, *, reader: str, is_gone: Callable[[str], bool]
    ) -> Written[Passage]:
        """Keep a batch of texts, like `commit`."""

    def fill(self, space: Space, rows: Sequence[FilledVector]) -> int:
        """Give items without one their vector in a space; returns how many still wanted it."""

    def scan(self, space: Space, reader: str) -> AbstractContextManager[Scan]:
        """Hold a walk over the user's files against the collection."""

    def scan_texts(self, space: Space, reader: str) -> AbstractContextManager[TextScan]:
        """Hold a walk over the user's files of texts against the collection."""

    def copy_source(self) -> str | None:
        """Return the place that this is being copied from, or None where no copy is under way."""

    def note_copy_source(self, place: str | None) -> None:
        """Note that a copy from a place begins in what is empty, or None that it has ended."""

    def check_served(self) -> None:
        """Raise `UnreachableError` where not all that is kept here is served just now."""

    def put_copied(self, items: Sequence[CopiedItem]) -> dict[int, str]:
        """Keep items under the ids that they have, in the place of those with these ids.

        Returns by id why some of them cannot be kept here.
        """

    def put_copied_votes(self, votes: Sequence[Vote]) -> None:
        """Keep votes as they were given, whether or not their items are there."""

    def forget_skips(self, uris: Sequence[str]) -> None:
        """Drop the record of inputs that were skipped."""

    def remove_vanished(self, items: Sequence[tuple[int, str]], is_vanished: Callable[[str], bool]) -> int:
        """Remove those of the items `(id, uri)` that still have that uri and of which `is_vanished` holds."""

    def checkpoint(self) -> None:
        """End a run of writing."""

    def discard(self) -> None:
        """Take back a collection that was just made and has stayed empty."""
