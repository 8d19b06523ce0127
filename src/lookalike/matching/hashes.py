"""The perceptual hash of photos: 256 bits that stay nearly the same when a photo is saved anew.

After PDQ (Facebook, The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm, 2019): the
signs of the lowest 16 × 16 frequencies of the cosine transform of the grey picture of 64 × 64 pixels. PDQ
compares with their median instead, which is nearly 0; with the signs themselves, the hash of a turned or
mirrored photo is made of the bits of the photo's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.records import GREY_SIDE

HASH_BYTES = 32

ALIKE_BITS = 31
"""So many of the 256 bits may differ between two savings of one photo."""

_KEPT = 16  # lowest frequencies in each direction, beyond the mean
_PLACES = 2 * np.arange(GREY_SIDE) + 1
_WAVES = (
    np.cos(np.pi / (2 * GREY_SIDE) * np.outer(np.arange(1, _KEPT + 1), _PLACES)) * np.sqrt(2 / GREY_SIDE)
).astype(np.float32)
_NOISE = 1.0  # of a frequency, as rounding to 256 levels of grey and saving as JPEG leave it
_LEAST_TOLD = 128  # frequencies that must stand out from it

Bits = npt.NDArray[np.uint8]
"""Hashes `(n, 32)`, eight bits a byte."""

TURNS = (
    (False, False, False),
    (True, False, True),
    (False, True, True),
    (True, True, False),
    (False, False, True),
    (True, False, False),
    (False, True, False),
    (True, True, True),
)
"""The eight ways a picture may lie: whether its rows and columns change places, whether then its rows are
read from below, and its columns from the right."""

TURN_NAMES = (
    (),
    ("turned 90°",),
    ("turned 180°",),
    ("turned 270°",),
    ("mirrored",),
    ("mirrored", "turned 270°"),
    ("mirrored", "turned 180°"),
    ("mirrored", "turned 90°"),
)
"""What each of `TURNS` makes of a picture: mirrored left to right first, then turned clockwise."""


def perceptual_hashes(greys: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]) -> list[str | None]:
    """Return the hash of each grey picture `(64, 64)` as 64 hexadecimal digits.

    None for what has too little in it to be told from others: one colour, a gradient, a mere line.
    """
    if not len(greys):
        return []
    grey = np.stack(list(greys)).astype(np.float32)
    # The threads of a matrix product would take their time from the network, which runs beside it.
    low = np.einsum("ux,nvx->nvu", _WAVES, np.einsum("vy,nyx->nvx", _WAVES, grey, optimize=False))
    told = (np.abs(low) > _NOISE).sum(axis=(1, 2)) >= _LEAST_TOLD
    bits = np.packbits((low > 0).reshape(len(low), -1), axis=1)
    return [each.tobytes().hex() if enough else None for each, enough in zip(bits, told, strict=True)]


def hash_bits(hashes: Sequence[str]) -> Bits:
    """Return hashes of 64 hexadecimal digits as `(n, 32)`."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, HASH_BYTES)


def turned(bits: Bits, turn: int) -> Bits:
    """Return the hashes of the same pictures lying in the way `TURNS[turn]`."""
    places, swapped = _IN_TURN[turn]
    return np.packbits(np.unpackbits(bits, axis=1).take(places, axis=1), axis=1) ^ swapped


def nearest_turns(ones: Bits, others: Bits) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each pair which of `TURNS` brings the first hash nearest to the second, and the bits left.

    There are as many of both, or one of either, which is then compared with all.
    """
    words = np.ascontiguousarray(others).view(np.uint64)
    left = np.stack(
        [
            np.bitwise_count(turned(ones, turn).view(np.uint64) ^ words).sum(axis=1, dtype=np.int64)
            for turn in range(len(TURNS))
        ]
    )
    best = left.argmin(axis=0)
    return best, np.take_along_axis(left, best[None], axis=0)[0]


def alike_pairs(
    ones: Bits, others: Bits
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the places of all pairs of alike hashes, in `ones` and in `others`, and how they lie.

    That is which of `TURNS` brings the second hash nearest to the first: none where they are alike as they
    are.
    """
    words = np.ascontiguousarray(ones).view(np.uint64)
    lying = _in_all_turns(others).view(np.uint64)  # (8, m, 4)
    # Half of the bits leave hardly a pair that is not alike.
    half = np.bitwise_count(words[:, 0, None] ^ lying[:, None, :, 0])
    half += np.bitwise_count(words[:, 1, None] ^ lying[:, None, :, 1])
    turns, first, second = np.nonzero(half <= ALIKE_BITS)
    bits = np.bitwise_count(words[first] ^ lying[turns, second]).sum(axis=1, dtype=np.int64)
    order = np.lexsort((np.where(turns == 0, -1, bits), second, first))
    order = order[bits[order] <= ALIKE_BITS]
    turns, first, second = turns[order], first[order], second[order]
    is_nearest = np.ones(len(order), bool)
    is_nearest[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return first[is_nearest], second[is_nearest], turns[is_nearest]


def _in_all_turns(bits: Bits) -> npt.NDArray[np.uint8]:
    """Return hashes `(n, 32)` in all ways to lie, `(8, n, 32)`."""
    every = np.take(np.unpackbits(bits, axis=1), _PLACES_IN_TURNS, axis=1)
    lying = np.packbits(every, axis=2) ^ _SWAPPED_IN_TURNS
    return np.ascontiguousarray(lying.transpose(1, 0, 2))


def _in_turn(turn: int) -> tuple[npt.NDArray[np.intp], Bits]:
    """Return where the bits of a hash in the way `TURNS[turn]` come from, and which are then swapped."""
    transposed, flipped, mirrored = TURNS[turn]
    places = np.arange(_KEPT * _KEPT).reshape(_KEPT, _KEPT)  # vertical frequency, horizontal one
    odd = np.arange(1, _KEPT + 1) % 2 == 1  # waves that are their own negative when read backwards
    swapped = (odd[:, None] & flipped) ^ (odd[None, :] & mirrored)
    return (places.T if transposed else places).ravel(), np.packbits(swapped)


_IN_TURN = [_in_turn(turn) for turn in range(len(TURNS))]
_PLACES_IN_TURNS = np.stack([places for places, _ in _IN_TURN])
_SWAPPED_IN_TURNS = np.stack([swapped for _, swapped in _IN_TURN])
