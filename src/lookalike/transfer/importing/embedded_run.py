"""Brings what a cluster embedded into a collection: items as they were read there."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.cluster.place import address_of
from lookalike.cluster.shards import COMPANION, VECTOR, items_of, read_rows, skipped_rows, vectors_of
from lookalike.errors import UsageError
from lookalike.records import Committed, FileStamp, Passage, Photo, Skipped, Space, Vectors
from lookalike.store import PhotoBatch
from lookalike.store.commit import FilledVector
from lookalike.store.text_commit import TextBatch
from lookalike.transfer.importing.arrays import VectorFile
from lookalike.transfer.importing.context import ImportContext
from lookalike.transfer.importing.embedded import Embedded
from lookalike.transfer.importing.names import Entries, Entry
from lookalike.transfer.importing.source import ImportRequest, ImportSource

BATCH = 256
"""Rows per transaction."""

_HEAD = 64  # rows by which vectors are compared with what the model gives


def check_request(request: ImportRequest) -> None:
    """Refuse options that say what an embedding says itself."""
    given = (
        request.names,
        request.column,
        request.vector_column,
        request.id_column,
        request.base,
        request.name,
    )
    if given != (None,) * len(given):
        raise UsageError(
            f"{address_of(request.vectors)} was written by lookalike embed, and names its rows and space: "
            "leave out --names, --base, --name and columns"
        )


@dataclass(frozen=True, slots=True)
class _Head:
    """The first rows, for what compares them with the model."""

    rows: int
    dim: int
    first: Vectors
    approximate: bool = False

    def identity(self) -> str:
        """See `VectorFile`."""
        return ""

    def head(self, size: int) -> npt.NDArray[Any]:
        """See `VectorFile`."""
        return self.first[:size]

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """See `VectorFile`."""
        yield self.first[:size]

    def close(self) -> None:
        """See `VectorFile`."""


@dataclass(frozen=True, slots=True)
class _HeadNames:
    """What the first rows stand for."""

    path: Path
    first: tuple[Entry, ...]
    column: str | None = None

    def entries(self, kind: str) -> Iterator[Entry]:  # noqa: ARG002  # they are of one kind
        """See `Entries`."""
        yield from self.first


def head_of(embedded: Embedded, request: ImportRequest, *, with_model: bool) -> ImportSource:
    """Return an embedding as other imports are seen, with its first rows.

    Without its model, its space refers to none.
    """
    facts, own = embedded.facts, embedded.facts.own
    table = next(iter(embedded), None)
    first = np.empty((0, own.dim), np.float32)
    entries: list[Entry] = []
    if table is not None:
        table = table.slice(0, _HEAD)
        first = vectors_of(table, VECTOR, own.dim)
        entries = [Entry(value) for value in table["text" if facts.kind == "text" else "uri"].to_pylist()]
    vectors: VectorFile = _Head(embedded.items, own.dim, first)
    names: Entries = _HeadNames(request.vectors, tuple(entries))
    reference = own.model if with_model else ""
    base = Path(request.vectors.anchor or ".")
    return ImportSource(
        vectors, names, facts.kind, base, own.space, own.model_id, reference, True, embedded.notes
    )


@dataclass(slots=True)
class EmbeddedImport:
    """One import of an embedding, and what it comes to.

    `space` is for its vectors, `companion` for those of its second space; new items are made where that is
    the default space, elsewhere known ones get their vectors.
    """

    parts: ImportContext
    embedded: Embedded
    space: Space
    companion: Space | None
    is_default: bool
    tally: Counter[str] = field(default_factory=Counter)
    newer: int = 0
    _is_first: bool = False
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Bring all of it in; run again after an interruption, it goes on."""
        total, done = self.embedded.items + self.embedded.skipped_count, 0
        self._is_first = self.parts.store.items.is_empty()
        pages = (
            table.slice(at, BATCH) for table in self.embedded.tables() for at in range(0, len(table), BATCH)
        )
        writers = self.parts.store.writers if self.embedded.facts.kind == "photo" else 1
        with ThreadPoolExecutor(writers) as pool:
            under_way: deque[tuple[int, Future[None]]] = deque()
            try:
                for page in pages:
                    under_way.append((len(page), pool.submit(self._commit, page)))
                    while len(under_way) >= writers:
                        done += _ended(under_way.popleft())
                        self.parts.on_step("importing", done, total)
                while under_way:
                    done += _ended(under_way.popleft())
                    self.parts.on_step("importing", done, total)
            finally:
                for _, future in under_way:
                    future.cancel()
        if self.embedded.facts.kind == "text":
            self._end_files()

    def _commit(self, page: Any) -> None:
        items = items_of(page)
        if self.embedded.facts.kind == "text":
            self._commit_texts(page, items)
            return
        rows = items.select(["uri", "sha256", "size", "mtime_ns", "metadata"]).to_pylist()
        photos = [
            Photo(
                row["uri"],
                FileStamp(row["size"], row["mtime_ns"]),
                row["sha256"],
                None,
                json.loads(row["metadata"]),
            )
            for row in rows
        ]
        vectors = vectors_of(items, VECTOR, self.space.dim)
        paired = self._paired(items, photos)
        if self.is_default:
            self._add(photos, vectors, paired)
            self._skip(skipped_rows(page))
            read = PhotoBatch(shards=list(read_rows(page)))
            if read.shards:
                reader = self.embedded.facts.reader
                self.parts.store.commit(self.space, read, reader=reader, is_gone=_stays)
        else:
            self._fill(photos, vectors, paired)

    def _commit_texts(self, page: Any, items: Any) -> None:
        """Put texts on disk at the places where they stood."""
        rows = items.select(["uri", "text", "sha256", "size", "mtime_ns", "metadata"]).to_pylist()
        vectors = vectors_of(items, VECTOR, self.space.dim)
        batch = TextBatch(skipped=[skipped for skipped, _ in skipped_rows(page)])
        for row, vector in zip(rows, vectors, strict=True):
            stamp = FileStamp(row["size"], row["mtime_ns"])
            facts = json.loads(row["metadata"])
            batch.passages.append((Passage(row["uri"], row["text"], row["sha256"], stamp, facts), vector))
        self._put(batch)

    def _put(self, batch: TextBatch) -> None:
        reader = self.embedded.facts.reader
        written = self.parts.store.commit_texts(self.space, batch, reader=reader, is_gone=_stays)
        self._tell(written.committed)

    def _end_files(self) -> None:
        """Note the files that were read to their end, and drop the places that are in them no more."""
        for file, _ in self.embedded.files.values():
            with self.parts.store.scan_texts(self.space, self.embedded.facts.reader) as scan:
                places = self.embedded.places_in(file.uri)
                while page := list(islice(places, BATCH)):
                    scan.see(page)
                stale = list(scan.stale(file.uri))
            self._put(TextBatch(stale=[uri for some in stale for uri in some], files=[file]))
        self.parts.store.texts.remove_loose()

    def _paired(self, items: Any, photos: list[Photo]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the vectors of the second space by uri, where it is filled."""
        if self.companion is None or COMPANION not in items.column_names:
            return {}
        has = items[COMPANION].is_valid()
        rows = vectors_of(items.filter(has), COMPANION, self.companion.dim)
        there = [photo.uri for photo, one in zip(photos, has.to_pylist(), strict=True) if one]
        return dict(zip(there, rows, strict=True))

    def _add(self, photos: list[Photo], vectors: Vectors, paired: dict[str, npt.NDArray[np.float32]]) -> None:
        """Make items, or bring known ones up to date; what was read here later stays."""
        store, batch = self.parts.store, PhotoBatch(paired=paired)
        kept = []
        there = {} if self._is_first else store.items.by_uris([photo.uri for photo in photos])
        for photo, vector in zip(photos, vectors, strict=True):
            known = there.get(photo.uri)
            is_newer = (
                known is not None
                and known.content_hash != photo.content_hash
                and known.stamp.mtime_ns > photo.stamp.mtime_ns
            )
            if known is not None and is_newer:
                kept.append(Committed(photo.uri, "unchanged", known.id))
            else:
                batch.photos.append((photo, vector))
        with self._telling:
            self.newer += len(kept)
        reader = self.embedded.facts.reader
        written = store.commit(self.space, batch, reader=reader, is_gone=_stays, companion=self.companion)
        self._tell([*written.committed, *kept])

    def _skip(self, skipped: Iterable[tuple[Skipped, str]]) -> None:
        for reader, some in groupby(skipped, key=lambda each: each[1]):
            batch = PhotoBatch(skipped=[each for each, _ in some])
            self._tell(self.parts.store.commit(self.space, batch, reader=reader, is_gone=_stays).committed)

    def _fill(
        self, photos: list[Photo], vectors: Vectors, paired: dict[str, npt.NDArray[np.float32]]
    ) -> None:
        """Give items that are known, with the same content, their vectors."""
        store = self.parts.store
        own, beside, outcomes = list[FilledVector](), list[FilledVector](), list[Committed]()
        found = store.items.by_uris([photo.uri for photo in photos])
        there = [(photo, found.get(photo.uri)) for photo in photos]
        ids = [item.id for _, item in there if item is not None]
        having = set(store.vectors(self.space).fetch(ids).ids.tolist())
        for (photo, item), vector in zip(there, vectors, strict=True):
            if item is None or item.content_hash != photo.content_hash:
                reason = (
                    "not in the collection with this content, and these are not vectors of its default model"
                )
                outcomes.append(Committed(photo.uri, "skipped", reason=reason))
                continue
            outcomes.append(Committed(photo.uri, "unchanged" if item.id in having else "updated", item.id))
            own.append(FilledVector(item.id, item.content_hash, vector))
            if photo.uri in paired:
                beside.append(FilledVector(item.id, item.content_hash, paired[photo.uri]))
        store.fill(self.space, own)
        if self.companion is not None:
            store.fill(self.companion, beside)
        self._tell(outcomes)

    def _tell(self, committed: Iterable[Committed]) -> None:
        with self._telling:
            for each in committed:
                self.tally["filled" if each.outcome == "updated" else each.outcome] += 1
                self.parts.on_commit(each)

    def notes(self) -> tuple[str, ...]:
        """Return what is to be known of how it went, in words."""
        found = list(self.embedded.notes)
        if self.newer:
            found.append(f"{self.newer:,} were read here later than by the cluster, and stay as they are")
        return tuple(found)


def _ended(page: tuple[int, Future[None]]) -> int:
    """Return how many rows a page has once it is committed; raises what hindered that."""
    rows, future = page
    future.result()
    return rows


def _stays(_uri: str) -> bool:
    """No file counts as gone: those that the cluster read need not be here, and copies stay copies."""
    return False
