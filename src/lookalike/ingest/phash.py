"""The perceptual hash of photos: 64 bits that stay nearly the same when a photo is saved anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.records import PHASH, Photo

_SIDE = 32  # pixels that a photo is scaled to
_KEPT = 8  # lowest frequencies in each direction
_BITS = _KEPT * _KEPT
_WAVES = np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(_KEPT), 2 * np.arange(_SIDE) + 1)).astype(np.float32)
_LEAST = 0.02  # of the largest frequency but the mean


def with_hashes(photos: Sequence[Photo]) -> list[Photo]:
    """Return photos with their hash among their facts; those of known content, which has one, as they are."""
    hashes = iter(perceptual_hashes([each.pixels for each in photos if each.pixels is not None]))
    return [
        each if each.pixels is None else replace(each, metadata={**each.metadata, PHASH: next(hashes)})
        for each in photos
    ]


def perceptual_hashes(pixels: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]) -> list[str]:
    """Return the hash of each RGB square `(size, size, 3)` as 16 hexadecimal digits.

    It tells which of the lowest 8 × 8 frequencies of the cosine transform of the grey picture of 32 × 32
    pixels are above their median, by 2 % of the largest or more: in a smooth picture most are but noise. Two
    photos are compared by how many of the 64 bits differ. After Zauner, Implementation and Benchmarking of
    Perceptual Image Hash Functions, 2010 (`phash`, which has no such margin).
    """
    if not len(pixels):
        return []
    small = np.stack([_small(square) for square in pixels]).astype(np.float32)
    # The threads of a matrix product would take their time from the network, which runs beside it.
    low = np.einsum("ux,nvx->nvu", _WAVES, np.einsum("vy,nyx->nvx", _WAVES, small)).reshape(-1, _BITS)
    least = _LEAST * np.abs(low[:, 1:]).max(axis=1, keepdims=True)
    order = np.sort(low, axis=1)  # what np.median would load takes longer than all of this
    middle = order[:, _BITS // 2 - 1 : _BITS // 2 + 1].mean(axis=1, keepdims=True)
    bits = low > middle + least
    return [each.tobytes().hex() for each in np.packbits(bits, axis=1)]


def _small(square: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a square in grey, `(32, 32)`, each pixel the average of its part."""
    coarse = Image.fromarray(square).reduce(max(1, len(square) // _SIDE)).convert("L")
    return np.asarray(coarse.resize((_SIDE, _SIDE), Image.Resampling.BOX))
