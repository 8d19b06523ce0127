"""Pictures of items, read once: their features, and the vectors of their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.cores import cpu_count
from lookalike.decode import rgb
from lookalike.decode.pool import DecodePool
from lookalike.embedders import Embedder
from lookalike.matching.features import Features, extract
from lookalike.matching.hashes import perceptual_hashes
from lookalike.records import GREY_SIDE, Item, Skipped, Vectors
from lookalike.search.pictures import picture_request
from lookalike.search.ways import PARTS

LONGEST = 512
"""Pixels of the longer side of what is read of a photo."""


@dataclass(frozen=True, slots=True)
class PictureRead:
    """What was read of one photo: `parts` `(4, dim)` where there is a model."""

    features: Features
    hash: bytes | None
    parts: Vectors | None


class PictureReader:
    """Reads items' pictures by the decode workers; `embedder` makes the vectors of their parts."""

    def __init__(self, decoder: DecodePool, embedder: Embedder | None) -> None:
        self._decoder = decoder
        self._embedder = embedder

    def read(self, items: Sequence[Item]) -> Iterator[PictureRead | Skipped]:
        """Yield what was read of each item, in order, or why it cannot be."""
        with ThreadPoolExecutor(cpu_count(), "pictures") as threads:
            yield from threads.map(self._read, items)

    def _read(self, item: Item) -> PictureRead | Skipped:
        request = picture_request(item, LONGEST)
        if request is None:
            return Skipped(item.uri, "it cannot be had just now", lasting=False)
        made = self._decoder.thumbnail(request)
        if isinstance(made, Skipped):
            return Skipped(item.uri, made.reason, item.stamp, made.lasting)
        with Image.open(BytesIO(made)) as opened:
            picture = opened.convert("RGB")
        grey = picture.convert("L").resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX)
        (told,) = perceptual_hashes([np.asarray(grey)])
        parts = None
        if self._embedder is not None and min(picture.size) > 1:
            parts = self._embedder.embed(self._squares(picture))
        return PictureRead(extract(np.asarray(picture)), bytes.fromhex(told) if told else None, parts)

    def _squares(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        assert self._embedder is not None
        view = self._embedder.spec.view
        return np.stack([np.asarray(rgb.square(picture.copy(), view, part)) for part in PARTS])


def packed(rows: Vectors) -> bytes:
    """Return unit-length vectors in one byte a number, each after its largest number."""
    largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-9).astype("<f4")
    numbers = np.round(rows / largest * 127).astype(np.int8)
    return bytes(largest.tobytes() + numbers.tobytes())


def unpacked(kept: bytes) -> Vectors:
    """Return vectors `(4, dim)` that were `packed`, nearly as they were."""
    largest = np.frombuffer(kept, "<f4", len(PARTS)).reshape(-1, 1)
    numbers = np.frombuffer(kept, np.int8, offset=4 * len(PARTS)).reshape(len(PARTS), -1)
    return (numbers * (largest / 127)).astype(np.float32)
