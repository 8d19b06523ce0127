"""Which photos have hashes that are near, in any of the eight ways a picture may lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from typing import Any

import numpy as np

from lookalike.matching.hashes import HASH_BYTES, TURNS, Bits, turned
from lookalike.records import OnStep

NEAR_BITS = 48
"""So many of the 256 bits may differ between photos that are worth a close look."""

_AT_A_TIME = 2_048  # hashes that are held against all


def near_pairs(
    hashes: Mapping[int, bytes], new: Set[int], on_step: OnStep
) -> Iterator[tuple[int, int, int, int]]:
    """Yield pairs of photos, at least one of them new: both numbers, the smaller first, turn and bits.

    The turn, of `TURNS`, brings the first one's hash near to the second one's. Every pair is looked at, which
    takes four times as long for twice as many (`python bench/copies_scale.py`).
    """
    import faiss  # takes time to import

    index = faiss.IndexBinaryFlat(HASH_BYTES * 8)
    numbers, waiting = sorted(set(hashes) - new), sorted(new)
    if numbers:
        index.add(_bits(hashes, numbers))
    for begin in range(0, len(waiting), _AT_A_TIME):
        on_step("comparing hashes", begin, len(waiting))
        block = waiting[begin : begin + _AT_A_TIME]
        bits = _bits(hashes, block)
        index.add(bits)  # so that each pair is met where the later one of both is asked for
        numbers += block
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for turn in range(len(TURNS)):
            limits, left, places = index.range_search(turned(bits, turn), NEAR_BITS + 1)
            asking = np.repeat(np.arange(len(block)), np.diff(limits.astype(np.int64)))
            for at, place, differing in zip(asking.tolist(), places.tolist(), left.tolist(), strict=True):
                one, other = block[at], numbers[place]
                pair, way = ((one, other), turn) if one < other else ((other, one), inverse_of(turn))
                if one != other and int(differing) < best.get(pair, (0, 256))[1]:
                    best[pair] = way, int(differing)
        yield from ((*pair, *found) for pair, found in best.items())


def _bits(hashes: Mapping[int, bytes], numbers: Sequence[int]) -> Bits:
    return np.frombuffer(b"".join(hashes[n] for n in numbers), np.uint8).reshape(-1, HASH_BYTES)


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
