"""The perceptual hash of photos: 64 bits that stay nearly the same when a photo is saved anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from lookalike.records import PHASH, Photo

_SIDE = 32  # pixels that a photo is scaled to
_ENOUGH = 3 * _SIDE  # pixels that are averaged for that
_KEPT = 8  # lowest frequencies in each direction
_LEAST = 0.02  # of the largest frequency but the mean
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def with_hashes(photos: Sequence[Photo]) -> list[Photo]:
    """Return photos with their hash among their facts; those of known content, which has one, as they are."""
    decoded = {at: photo.pixels for at, photo in enumerate(photos) if photo.pixels is not None}
    hashes = perceptual_hashes(np.stack(list(decoded.values()))) if decoded else []
    named = dict(zip(decoded, hashes, strict=True))
    return [
        replace(photo, metadata={**photo.metadata, PHASH: named[at]}) if at in named else photo
        for at, photo in enumerate(photos)
    ]


def perceptual_hashes(pixels: npt.NDArray[np.uint8]) -> list[str]:
    """Return the hash of each RGB square of `(n, size, size, 3)` as 16 hexadecimal digits.

    It tells which of the lowest 8 × 8 frequencies of the cosine transform of the grey picture of 32 × 32
    pixels are above their median, by 2 % of the largest or more: in a smooth picture most are but noise. Two
    photos are compared by how many of the 64 bits differ. After Zauner, Implementation and Benchmarking of
    Perceptual Image Hash Functions, 2010 (`phash`, which has no such margin).
    """
    step = max(1, pixels.shape[1] // _ENOUGH)
    fewer = pixels[:, ::step, ::step].astype(np.float32)
    to_frequencies = _to_frequencies(fewer.shape[1])
    grey = fewer.reshape(-1, 3) @ _LUMA
    low = to_frequencies @ grey.reshape(fewer.shape[:3]) @ to_frequencies.T
    low = low.reshape(len(pixels), -1)
    least = _LEAST * np.abs(low[:, 1:]).max(axis=1, keepdims=True)
    bits = low > np.median(low, axis=1, keepdims=True) + least
    return [each.tobytes().hex() for each in np.packbits(bits, axis=1)]


@cache
def _to_frequencies(size: int) -> npt.NDArray[np.float32]:
    """Return what takes `size` pixels to the 8 lowest frequencies of 32 averages: `(8, size)`."""
    edges = np.linspace(0, size, _SIDE + 1)
    at = np.arange(size)
    shares = np.clip(np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at), 0, 1)
    averages = shares / shares.sum(axis=1, keepdims=True)
    waves = np.cos(np.pi * np.arange(_KEPT)[:, None] * (2 * np.arange(_SIDE) + 1) / (2 * _SIDE))
    return np.asarray(waves @ averages, np.float32)
