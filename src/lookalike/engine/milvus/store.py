"""Writing to a collection in Milvus, with the face that `store.Store` has for who reads photos in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lookalike.engine.milvus.books import Entry
from lookalike.engine.milvus.copy_mark import read_copy_mark, write_copy_mark
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.items import MilvusItems
from lookalike.engine.milvus.mirror import Mirror
from lookalike.engine.milvus.push import Pusher
from lookalike.engine.milvus.rows import ItemRow
from lookalike.engine.milvus.scan import MilvusScan, MilvusTextScan
from lookalike.engine.milvus.scratch import Scratch
from lookalike.engine.milvus.texts import MilvusTexts, write_batch
from lookalike.engine.milvus.vectors import MilvusVectors
from lookalike.engine.milvus.whole import check_served
from lookalike.errors import BusyError, NotFoundError, UsageError
from lookalike.records import CopiedItem, Kind, Passage, Skipped, Space, Vote
from lookalike.store.commit import FilledVector, Written
from lookalike.store.photo_commit import PhotoBatch, PhotoWriter, RunMemory
from lookalike.store.rows import encode_metadata
from lookalike.store.scan import Scan
from lookalike.store.store import check_model
from lookalike.store.text_commit import TextBatch, TextWriter
from lookalike.store.text_scan import TextScan

_TICK_SECONDS = 1.0  # how often the clock is moved while a run goes on


@dataclass(slots=True)
class _Run:
    """What one process keeps while it writes."""

    scratch: Scratch | None = None
    mirror: Mirror | None = None
    ticked: float = field(default=-1e9)
    has_changed: bool = False
    is_no_copy: bool = False


class MilvusStore:
    """Items, vectors and books of the collection that `engine` has open; see `store.Store`.

    One process may write beside others that do. What is done to a photo at the same moment by two of them is
    done twice to the same item, whose id is made of its uri.
    """

    def __init__(self, engine: MilvusEngine) -> None:
        self.engine = engine
        self._run = _Run()
        self._pusher = Pusher(engine)
        self._lock = threading.RLock()
        self.texts = MilvusTexts(engine, self._text_mirror)

    @property
    def writers(self) -> int:
        """So many batches may be under way at once: while the engine takes one, the next is made."""
        return 3

    @property
    def folder(self) -> Path | None:
        """None: nothing of it is on this machine."""
        return None

    @property
    def items(self) -> MilvusItems:
        """The items."""
        return self.engine.items

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""
        return self.engine.space_book.all()

    def default_space(self) -> Space | None:
        """Return the space that is searched unless another is named; None while there is none."""
        return next((space for space in self.spaces() if space.is_default), None)

    def ensure_space(  # as that of the local store
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
        space = self.engine.space_book.ensure(
            name, model_id, dim, kind, reference, approximate=approximate, seq=self.engine.moments()
        )
        self.engine.forget()
        self._forget_scratch()
        check_model(self.engine.address, space, model_id, dim)
        return space

    def use_space(self, space: Space) -> None:
        """Make a space the default one; `UsageError` where items would be found no more."""
        missing = self.vectors(space).count_missing()
        if missing:
            raise UsageError(
                f"{missing:,} items have no vector by {space.name} and would be found no more: bring them in "
                f"with lookalike models add {space.name}, or remove those whose files are gone"
            )
        self.engine.space_book.use(space)
        self.engine.forget()
        self._forget_scratch()

    def drop_space(self, space: Space) -> None:
        """Forget a space and its vectors; the items stay."""
        self.engine.space_book.drop(space)
        self.engine.forget()
        self._forget_scratch()

    def vectors(self, space: Space) -> MilvusVectors:
        """Return the vectors of a space."""
        return self.engine.vectors(space)

    def commit(  # as that of the local store
        self,
        space: Space,
        batch: PhotoBatch,
        *,
        reader: str,
        is_gone: Callable[[str], bool],
        memory: RunMemory | None = None,
        companion: Space | None = None,
    ) -> Written[str]:
        """Put a batch into Milvus; what this returns is there whatever happens next."""
        self._check_default(space)
        batch = _with_lengths_checked(batch)
        photos = [photo for photo, _ in batch.photos]
        known = self._pusher.known_of(space, photos)
        uris = [*(photo.uri for photo in photos), *(shard.uri for shard in batch.shards)]
        skips = self._pusher.skips_of(uris)
        if not (known or skips or batch.skipped or batch.shards) and _are_new(batch):
            put = self._pusher.put_new(space, batch, companion, are_first=known is None)
            written: Written[str] = Written(put, [])
        else:
            with self._lock:
                scratch = self._scratch()
                scratch.clear()
                self._pusher.take_in(scratch, known or [])
                for entry in skips:
                    scratch.put_entry(entry)
                with scratch.writing() as connection:
                    memory = memory or RunMemory()
                    writer = PhotoWriter(connection, space, reader, is_gone, memory, companion)
                    written = writer.write(batch)
        self._tick()
        return written

    def commit_texts(
        self, space: Space, batch: TextBatch, *, reader: str, is_gone: Callable[[str], bool]
    ) -> Written[Passage]:
        """Put a batch of texts into Milvus, like `commit`."""
        with self._lock:
            self._check_default(space)
            mirror = self._text_mirror()
            with mirror.writing() as connection:
                written = write_batch(mirror, batch, TextWriter(connection, space, reader, is_gone))
            self._tick()
        return written

    def fill(self, space: Space, rows: Sequence[FilledVector]) -> int:
        """Give items without one their vector in a space; returns how many still wanted it."""
        with self._lock:
            filled = self._pusher.fill(space, rows)
            self._tick()
        return filled

    @contextmanager
    def scan(self, space: Space, reader: str) -> Iterator[Scan]:
        """Hold a walk over the user's files against the collection."""
        scan = MilvusScan(self.engine, space, reader)
        try:
            yield scan
        finally:
            scan.close()

    @contextmanager
    def scan_texts(self, space: Space, reader: str) -> Iterator[TextScan]:
        """Hold a walk over the user's files of texts against the collection."""
        scan = MilvusTextScan(self._text_mirror().connection, space, reader)
        try:
            yield scan
        finally:
            scan.close()

    def forget_skips(self, uris: Sequence[str]) -> None:
        """Drop the record of inputs that were skipped."""
        self.engine.books.delete([Entry("skipped", uri, {}) for uri in uris])
        if self._run.mirror is not None:
            self._run.mirror.forget_skips(uris)

    def remove_vanished(self, items: Sequence[tuple[int, str]], is_vanished: Callable[[str], bool]) -> int:
        """Remove those of the items `(id, uri)` that still have that uri and of which `is_vanished` holds."""
        there = self.items.get([item_id for item_id, _ in items])
        doomed = [
            item_id
            for item_id, uri in items
            if item_id in there and there[item_id].uri == uri and is_vanished(uri)
        ]
        return self.items.remove(doomed) if doomed else 0

    def copy_source(self) -> str | None:
        """Return the place that is being copied into this collection, or None."""
        return read_copy_mark(self.engine)

    def note_copy_source(self, place: str | None) -> None:
        """Note that a copy from a place begins, or with None that it has ended."""
        write_copy_mark(self.engine, place)
        self._run.is_no_copy = place is None

    def check_served(self) -> None:
        """Raise `UnreachableError` where not all rows are served just now."""
        check_served(self.engine)

    def put_copied(self, items: Sequence[CopiedItem]) -> dict[int, str]:
        """Keep items of another collection under the ids that they have; says which are too long."""
        with self._lock:
            refused = self._pusher.put_copied(items)
            self._tick()
        return refused

    def put_copied_votes(self, votes: Sequence[Vote]) -> None:
        """Keep votes as they were given in another collection."""
        self.engine.votes.put_copied(votes)

    def checkpoint(self) -> None:
        """Say that this run has ended: what it changed is told to whoever remembers answers."""
        with self._lock:
            if self._run.has_changed:
                self.engine.tick()
            self._forget_scratch()
            self._run.has_changed = False
            self._pusher.forget()

    def discard(self) -> None:
        """Leave no empty collection behind; one that another process has filled meanwhile stays."""
        for space in self.spaces():
            name = self.vectors(space).name
            if self.engine.connection.query(name, "id > 0", ["id"], limit=1, strong=True):
                return
        self.engine.space_book.drop_all()

    def close(self) -> None:
        """Let go of the server."""
        self._forget_scratch()
        self.engine.close()

    def _check_default(self, space: Space) -> None:
        now = {each.id: each for each in self.engine.spaces()}
        if space.id not in now:
            raise NotFoundError(f"no space named {space.name!r}: it was dropped meanwhile")
        if not now[space.id].is_default:
            raise BusyError(f"another model than {space.name} was made the default meanwhile; run this again")
        with self._lock:  # a model that another process brings in is to be kept in step, too
            mirror, scratch = self._run.mirror, self._run.scratch
            if mirror is not None and {each.id for each in mirror.spaces} != set(now):
                raise BusyError("a model was brought in or dropped meanwhile; run this again")
            if scratch is not None and {each.id for each in scratch.spaces} != set(now):
                scratch.close()
                self._run.scratch = None
        if not self._run.is_no_copy and self.copy_source() is not None:
            self.note_copy_source(None)  # what comes in from files is no part of a copy
        self._run.is_no_copy = True

    def _scratch(self) -> Scratch:
        if self._run.scratch is None:
            self._run.scratch = Scratch(self.spaces(), "photo", self._pusher.push)
        return self._run.scratch

    def _text_mirror(self) -> Mirror:
        if self._run.mirror is not None and self._run.mirror.is_astray:
            self._run.mirror.close()
            self._run.mirror = None
        if self._run.mirror is None:
            self._run.mirror = Mirror(self.engine, self.spaces(), self._pusher)
        return self._run.mirror

    def _forget_scratch(self) -> None:
        with self._lock:
            for each in (self._run.scratch, self._run.mirror):
                if each is not None:
                    each.close()
            self._run = _Run(has_changed=self._run.has_changed)

    def _tick(self) -> None:
        with self._lock:
            self._run.has_changed = True
            if time.monotonic() - self._run.ticked > _TICK_SECONDS:
                self.engine.tick()
                self._run.ticked = time.monotonic()


def _are_new(batch: PhotoBatch) -> bool:
    """Whether each of the photos has a vector, and a content and a uri of its own."""
    photos = [photo for photo, vector in batch.photos if vector is not None]
    differ = len({photo.content_hash for photo in photos}) == len({photo.uri for photo in photos})
    return differ and len(photos) == len(batch.photos) == len({photo.uri for photo in photos})


def _with_lengths_checked(batch: PhotoBatch) -> PhotoBatch:
    """Return a batch in which what Milvus cannot hold is skipped, with the reason."""
    too_long = {}
    for photo, _ in batch.photos:
        metadata = encode_metadata(photo.metadata)
        problem = ItemRow(0, photo.uri, photo.content_hash, photo.stamp, metadata).too_long()
        if problem:
            too_long[photo.uri] = Skipped(photo.uri, problem, photo.stamp)
    if not too_long:
        return batch
    return replace(
        batch,
        photos=[each for each in batch.photos if each[0].uri not in too_long],
        skipped=[*batch.skipped, *too_long.values()],
    )
