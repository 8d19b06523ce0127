"""Whether two pictures are the same photo, and what maps one onto the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lookalike.matching.features import Features
from lookalike.matching.frames import Matrix, in_sides, laid_part, laid_whole, shown, whole_matrix
from lookalike.matching.hashes import ALIKE_BITS, HASH_BYTES, TURN_NAMES, Bits, nearest_turns
from lookalike.matching.pixels import Laid
from lookalike.matching.points import Described, PointMap, map_points
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
    turn, bits = 0, _NO_BITS
    if one.bits is not None and other.bits is not None:
        turn, bits = nearest_turn(one.bits, other.bits)
    return _compared(one, other, turn, bits)


def _compared(one: Looked, other: Looked, turn: int, bits: int) -> Match | None:
    is_whole = bits <= WHOLE_BITS
    points = _best_map(one, other, turn if is_whole else None)
    whole = laid_whole(one.features.grey, other.features.grey, turn) if is_whole else None
    part = _part(one.features, other.features, points)
    by_turn = whole_matrix(turn, one.features.grey.shape, other.features.grey.shape)
    by_points = points.matrix(one.features.grey.shape[0]) if points is not None else by_turn
    if is_same_photo(Evidence(points, whole, part)):
        return _match("photo", one, other, by_points if whole is None else by_turn, whole or part)
    if is_same_scene(points, is_whole=is_whole):
        return _match("scene", one, other, by_points, part)
    return _match("scene", one, other, by_turn, whole) if bits <= ALIKE_BITS else None


def _best_map(one: Looked, other: Looked, turn: int | None) -> PointMap | None:
    """Return the map that most points agree with, mirrored or not as the hashes say, if they do."""
    ways = (False, True) if turn is None else (turn in _MIRRORED_TURNS,)
    maps = [map_points(one.described, other.described, mirrored=mirrored) for mirrored in ways]
    return max((each for each in maps if each), key=lambda each: each.inliers, default=None)


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
