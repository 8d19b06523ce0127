"""Which photos have hashes that are near, in any of the eight ways a picture may lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from lookalike.matching.hashes import HASH_BYTES, TURNS, Bits, turned
from lookalike.records import OnStep

NEAR_BITS = 48
"""So many of the 256 bits may differ between photos that are worth a close look."""

_AT_A_TIME = 2_048  # hashes that are held against all


def near_pairs(
    hashes: Mapping[int, bytes], new: set[int], on_step: OnStep
) -> Iterator[tuple[int, int, int, int]]:
    """Yield pairs of photos, at least one of them new: both numbers, the smaller first, turn and bits.

    The turn brings the first one's hash near to the second one's.
    """
    numbers = np.array(sorted(hashes), np.int64)
    asked = np.array([number in new for number in numbers.tolist()], bool)
    if not asked.any():
        return
    bits = np.frombuffer(b"".join(hashes[n] for n in numbers.tolist()), np.uint8).reshape(-1, HASH_BYTES)
    index = _index(bits)
    own, rows = numbers[asked], bits[asked]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for begin in range(0, len(own), _AT_A_TIME):
        on_step("comparing hashes", begin, len(own))
        best.clear()
        block = slice(begin, begin + _AT_A_TIME)
        for turn in range(len(TURNS)):
            limits, distances, places = index.range_search(turned(rows[block], turn), NEAR_BITS + 1)
            asking = np.repeat(own[block], np.diff(limits.astype(np.int64)))
            for one, other, left in zip(
                asking.tolist(), numbers[places].tolist(), distances.tolist(), strict=True
            ):
                if one == other or (one > other and other in new):  # found from the other side
                    continue
                pair, way = ((one, other), turn) if one < other else ((other, one), inverse_of(turn))
                if int(left) < best.get(pair, (0, 256))[1]:
                    best[pair] = way, int(left)
        yield from ((*pair, *found) for pair, found in best.items())


def _index(bits: Bits) -> Any:
    import faiss  # takes time to import

    index = faiss.IndexBinaryFlat(HASH_BYTES * 8)
    index.add(bits)
    return index


@cache
def inverse_of(turn: int) -> int:
    """Return the way to lie, of `TURNS`, that undoes another."""
    picture = np.arange(6).reshape(2, 3)
    there = _lying(picture, turn)
    return next(way for way in range(len(TURNS)) if np.array_equal(_lying(there, way), picture))


def _lying(picture: Any, turn: int) -> Any:
    transposed, flipped, mirrored = TURNS[turn]
    rows = picture.T if transposed else picture
    return rows[:: -1 if flipped else 1, :: -1 if mirrored else 1]
