"""Whether two pictures are the same photo, and what maps one onto the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lookalike.matching.features import Features
from lookalike.matching.frames import Matrix, in_sides, laid_part, laid_whole, shown, whole_matrix
from lookalike.matching.hashes import ALIKE_BITS, HASH_BYTES, TURN_NAMES, Bits, nearest_turns
from lookalike.matching.pixels import Laid
from lookalike.matching.points import Described, PointMap, Room, best_map, may_map
from lookalike.matching.rule import Evidence, is_same_photo, is_same_scene

WHOLE_BITS = 64
"""So many bits of the hashes may differ where whole frames are laid on each other."""

_NO_BITS = 8 * HASH_BYTES  # differ where a picture has no hash
_LEAST_MAPPED = 4  # points that must agree with a map by which a part is laid
_LEAST_SHOWN = 0.75  # of one of the frames in the other: parts that two frames share are no copy of either
_MIRRORED_TURNS = [at for at, names in enumerate(TURN_NAMES) if "mirrored" in names]


@dataclass(frozen=True, slots=True)
class Looked:
    """A photo as it is compared: its features, its points made ready, its hash `(1, 32)` if it has one."""

    features: Features
    described: Described
    bits: Bits | None

    @classmethod
    def of(cls, features: Features, bits: Bits | None) -> Looked:
        """Return a photo, ready to be compared with many."""
        return cls(features, Described.of(features), bits)


@dataclass(frozen=True, slots=True)
class Match:
    """Two pictures that belong together.

    `level` is "photo" where one comes from the other, else "scene". `matrix` maps the first onto the second,
    `a b c d e f` as in CSS, longest sides being 1. `first_shown` is the share of the first frame that lies in
    the second, `second_shown` the other way round. `blur` and `differing` are `pixels.Laid`'s.
    """

    level: Literal["photo", "scene"]
    matrix: tuple[float, float, float, float, float, float]
    first_shown: float = 1.0
    second_shown: float = 1.0
    blur: float = 0.0
    differing: float = 0.0


def nearest_turn(one: Bits, other: Bits) -> tuple[int, int]:
    """Return which of `TURNS` brings the hash of one photo nearest to that of another, and the bits left."""
    turns, left = nearest_turns(one, other)
    return int(turns[0]), int(left[0])


def compare(one: Looked, other: Looked) -> Match | None:
    """Return what two photos are to each other; None where nothing tells that they belong together."""
    (turn,), (bits,) = _turns(one, [other])
    return _compared(one, other, turn, bits, Room())


def compare_many(one: Looked, others: Sequence[Looked]) -> list[Match | None]:
    """Return what `compare` says of one photo and each of the others, soon for those that are unrelated.

    Where hashes are unlike, a pair is screened by its points first; in one of some thousands of pairs that
    belong together that misses what `compare` finds. An unrelated pair takes about half a millisecond. May
    run in several threads at once, one on each processor: its matrix products are small, so BLAS should
    then have one thread of its own (`OMP_NUM_THREADS=1`).
    """
    room = Room()
    turns, bits = _turns(one, others)
    return [
        _compared(one, other, turn, left, room)
        if left <= WHOLE_BITS or may_map(one.described, other.described, room)
        else None
        for other, turn, left in zip(others, turns, bits, strict=True)
    ]


def _turns(one: Looked, others: Sequence[Looked]) -> tuple[list[int], list[int]]:
    """Return the nearest turn and the bits left for each of the others."""
    turns, bits = [0] * len(others), [_NO_BITS] * len(others)
    hashed = [(at, each.bits) for at, each in enumerate(others) if each.bits is not None]
    if one.bits is not None and hashed:
        found, left = nearest_turns(one.bits, np.concatenate([each for _, each in hashed]))
        for (at, _), turn, differing in zip(hashed, found.tolist(), left.tolist(), strict=True):
            turns[at], bits[at] = turn, differing
    return turns, bits


def _compared(one: Looked, other: Looked, turn: int, bits: int, room: Room) -> Match | None:
    is_whole = bits <= WHOLE_BITS
    mirrored = turn in _MIRRORED_TURNS if is_whole else None
    points = best_map(one.described, other.described, room, mirrored=mirrored)
    whole = laid_whole(one.features.grey, other.features.grey, turn) if is_whole else None
    part = _part(one.features, other.features, points)
    by_turn = whole_matrix(turn, one.features.grey.shape, other.features.grey.shape)
    by_points = points.matrix(one.features.grey.shape[0]) if points is not None else by_turn
    if is_same_photo(Evidence(points, whole, part)):
        return _match("photo", one, other, by_points if whole is None else by_turn, whole or part)
    if is_same_scene(points, is_whole=is_whole):
        return _match("scene", one, other, by_points, part)
    return _match("scene", one, other, by_turn, whole) if bits <= ALIKE_BITS else None


def _part(one: Features, other: Features, points: PointMap | None) -> Laid | None:
    """Lay one picture on the part of the other that shows it; None where neither shows enough of it."""
    if points is None or points.inliers < _LEAST_MAPPED:
        return None
    shares = shown(points.matrix(one.grey.shape[0]), one.grey.shape, other.grey.shape)
    return laid_part(one.grey, other.grey, points) if max(shares) >= _LEAST_SHOWN else None


def _match(
    level: Literal["photo", "scene"], one: Looked, other: Looked, matrix: Matrix, laid: Laid | None
) -> Match:
    """Put together what is told of a pair; `matrix` is on pixels."""
    shapes = one.features.grey.shape, other.features.grey.shape
    first_shown, second_shown = shown(matrix, *shapes)
    (a, c, e), (b, d, f) = np.round(in_sides(matrix, *shapes)[:2], 6).tolist()
    blur, differing = (laid.blur, laid.differing) if laid else (0.0, 0.0)
    return Match(level, (a, b, c, d, e, f), first_shown, second_shown, blur, differing)
