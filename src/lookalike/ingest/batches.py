"""Decoded photos → batches with their vectors, as every way in makes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from lookalike.embedders import Embedder, PairedEmbedder
from lookalike.embedders.vectors import NO_DIRECTION, have_direction
from lookalike.ingest.hashes import with_hashes
from lookalike.records import Photo, Skipped, Vectors
from lookalike.store import PhotoBatch
from lookalike.store.shards import ShardRead

Read = Photo | Skipped | ShardRead
"""What reading yields: photos, what cannot be read, and that a shard was read to its end."""

BATCH = 32
"""Photos per inference call and transaction."""


def embed_batches(
    embedder: Embedder, photos: Iterator[Read], *, with_companion: bool
) -> Iterator[PhotoBatch]:
    """Group photos into batches with their vectors, while the workers decode the next ones.

    A photo of known content comes without a vector. `with_companion` gives those of the second space, too,
    where the embedder is a `PairedEmbedder`.
    """
    while results := list(islice(photos, BATCH)):
        batch = PhotoBatch(skipped=[result for result in results if isinstance(result, Skipped)])
        batch.shards = [result for result in results if isinstance(result, ShardRead)]
        read = [result for result in results if isinstance(result, Photo)]
        fresh = [photo for photo in read if photo.pixels is not None]
        vectors, batch.paired = _vectors(embedder, fresh, with_companion=with_companion)
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


def _vectors(
    embedder: Embedder, photos: list[Photo], *, with_companion: bool
) -> tuple[dict[str, Vectors], dict[str, Vectors]]:
    """Return the rows `(dim,)` of photos by uri, in the space and in its companion, where they have one."""
    if not photos:
        return {}, {}
    pixels = np.stack([photo.pixels for photo in photos if photo.pixels is not None])
    found = []
    for rows in embed_photos(embedder, pixels, with_companion=with_companion):
        sound = have_direction(rows) if len(rows) else ()
        pairs = zip(photos, rows, sound, strict=bool(len(rows)))
        found.append({photo.uri: row for photo, row, has_direction in pairs if has_direction})
    return found[0], found[1]


def embed_photos(
    embedder: Embedder, pixels: npt.NDArray[np.uint8], *, with_companion: bool
) -> tuple[Vectors, Vectors]:
    """Return the vectors of the embedder's own space, and those of its companion where that is filled too."""
    if with_companion and isinstance(embedder, PairedEmbedder):
        return embedder.embed_pair(pixels)
    return embedder.embed(pixels), np.empty((0, 0), np.float32)
