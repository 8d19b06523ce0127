"""The way in: sources → decode → embed → store. `ingest_photos` reads as its table of contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.decode.formats import HEAD_BYTES, reader_version, sniff
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embed import Embedder, PairedEmbedder
from lookalike.embed.vectors import NO_DIRECTION, have_direction
from lookalike.files import open_bytes
from lookalike.ingest.phash import with_hashes
from lookalike.ingest.run import IngestContext, record_walk, report_of
from lookalike.ingest.vanished import find_vanished
from lookalike.records import FileStamp, Photo, Skipped, Space, Vectors, View
from lookalike.reports import AddReport
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.identity import Identities
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import is_gone, path_of
from lookalike.sources.walk import Walk
from lookalike.store import PhotoBatch
from lookalike.store.photo_commit import RunMemory
from lookalike.store.scan import Scan

BATCH = 32
"""Photos per inference call and transaction."""


@dataclass(frozen=True, slots=True)
class PhotoIngest(IngestContext):
    """The parts that reading photos needs.

    `companion` is the space that a `PairedEmbedder` fills beside the first, `sidecars` finds the files beside
    photos that state facts of theirs.
    """

    decoder: DecodePool
    embedder: Embedder
    companion: Space | None = None
    memory: RunMemory = field(default_factory=lambda: RunMemory(Identities().are_same))
    sidecars: Sidecars = field(default_factory=Sidecars)


def ingest_photos(
    parts: PhotoIngest,
    paths: list[Path],
    *,
    prune: bool = False,
    afresh: bool = False,
    rules: Exclusions | None = None,
) -> AddReport:
    """Bring the files at `paths` into the store; what is unchanged is not read again, unless `afresh`."""
    reader = reader_version()
    walk = Walk(paths, parts.store.folder, rules or Exclusions(), "photo", _begins_like_photo, parts.sidecars)
    with parts.store.scan(parts.space, reader) as scan:
        record_walk(walk, scan, parts.on_step)
        if not afresh:
            scan.settle()
        tally = Counter(unchanged=scan.count("unchanged"), skipped=scan.count("skipped"))
        photos = _decode(parts, scan)
        total = scan.total()
        for batch in _embed(parts, photos):
            tally.update(_commit(parts, batch, reader))
            parts.on_step("reading", tally.total(), total)
        return _reckon(parts, walk, scan, tally, prune=prune)


def _begins_like_photo(path: str) -> bool:
    """Tell a photo with another kind's name; what cannot be opened is what its name says."""
    try:
        with open_bytes(path) as file:
            return sniff(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _decode(parts: PhotoIngest, scan: Scan) -> Iterator[Photo | Skipped]:
    """Yield what each file holds, decoded ahead by the workers."""
    yield from scan.unreadable()
    view = parts.embedder.spec.view
    yield from parts.decoder.photos(
        _request(parts, file.uri, view, file.known, file.stamp) for file in scan.to_read()
    )


def _request(
    parts: PhotoIngest, uri: str, view: View, known: tuple[bytes, ...] = (), stamp: FileStamp | None = None
) -> PhotoRequest:
    path = path_of(uri)
    return PhotoRequest(uri, path, view, known, stamp, sidecars=parts.sidecars.of(path))


def _embed(parts: PhotoIngest, photos: Iterator[Photo | Skipped]) -> Iterator[PhotoBatch]:
    """Group photos into batches with their vectors, while the workers decode the next ones."""
    while results := list(islice(photos, BATCH)):
        batch = PhotoBatch(skipped=[result for result in results if isinstance(result, Skipped)])
        read = [result for result in results if isinstance(result, Photo)]
        fresh = [photo for photo in read if photo.pixels is not None]
        vectors, batch.paired = _vectors(parts, fresh)
        lost = {photo.uri for photo in fresh} - set(vectors)
        batch.photos = [
            (photo, vectors.get(photo.uri)) for photo in with_hashes(read) if photo.uri not in lost
        ]
        batch.skipped += [
            Skipped(photo.uri, NO_DIRECTION, photo.stamp, lasting=False)
            for photo in fresh
            if photo.uri in lost
        ]
        yield batch


def _vectors(parts: PhotoIngest, photos: list[Photo]) -> tuple[dict[str, Vectors], dict[str, Vectors]]:
    """Return the rows `(dim,)` of photos by uri, in the space and in its companion, where they have one."""
    if not photos:
        return {}, {}
    pixels = np.stack([photo.pixels for photo in photos if photo.pixels is not None])
    found = []
    for rows in embed_photos(parts.embedder, pixels, parts.companion):
        sound = have_direction(rows) if len(rows) else ()
        pairs = zip(photos, rows, sound, strict=bool(len(rows)))
        found.append({photo.uri: row for photo, row, has_direction in pairs if has_direction})
    return found[0], found[1]


def embed_photos(
    embedder: Embedder, pixels: npt.NDArray[np.uint8], companion: Space | None
) -> tuple[Vectors, Vectors]:
    """Return the vectors of the embedder's own space, and those of its companion where that is filled too."""
    if companion is not None and isinstance(embedder, PairedEmbedder):
        return embedder.embed_pair(pixels)
    return embedder.embed(pixels), np.empty((0, 0), np.float32)


def _commit(parts: PhotoIngest, batch: PhotoBatch, reader: str) -> Counter[str]:
    """Put a batch on disk, then say so."""
    written = parts.store.commit(
        parts.space,
        batch,
        reader=reader,
        is_gone=is_gone,
        memory=parts.memory,
        companion=parts.companion,
    )
    tally = parts.announce(written.committed)
    for again in _embed(parts, _reread(parts, written.lost)):
        tally += _commit(parts, again, reader)
    return tally


def _reread(parts: PhotoIngest, uris: list[str]) -> Iterator[Photo | Skipped]:
    """Decode files whatever is known of their content, which another file's change has made stale."""
    view = parts.embedder.spec.view
    return parts.decoder.photos(_request(parts, uri, view) for uri in uris)


def _reckon(parts: PhotoIngest, walk: Walk, scan: Scan, tally: Counter[str], *, prune: bool) -> AddReport:
    """Find the items that have vanished; remove them where that was asked for."""
    vanished = find_vanished(walk, scan, prune=prune)
    pruned = 0
    if prune and vanished.items:
        pruned = parts.store.remove_vanished(list(vanished.items.items()), vanished.still)
    parts.store.forget_skips(scan.outdated_skips(vanished.known_roots))
    return replace(
        report_of(tally, walk), vanished=len(vanished.items), pruned=pruned, absent=vanished.absent
    )
