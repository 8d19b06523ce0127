"""Photos as they come from the decoder, embedded some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from lookalike.embedders import Embedder
from lookalike.records import Photo, Vectors

_AT_ONCE = 64


def embed_decoded(embedder: Embedder, photos: Iterable[Photo]) -> Iterator[tuple[list[Photo], Vectors]]:
    """Yield some photos with their unit-length rows `(n, dim)` at a time, in order.

    All of them have pixels: none was asked about by a hash that is known.
    """
    waiting = iter(photos)
    while some := list(islice(waiting, _AT_ONCE)):
        pixels = [photo.pixels for photo in some if photo.pixels is not None]
        assert len(pixels) == len(some)  # whose rows would be others' else
        yield some, embedder.embed(np.stack(pixels))
