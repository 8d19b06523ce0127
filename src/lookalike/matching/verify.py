"""Whether two pictures are the same photo, and what maps one onto the other.

The bars were settled on one half of the photos of `bench/copy_truth.py` and hold on the other
(`python bench/copies.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lookalike.matching.features import Features, Grey
from lookalike.matching.hashes import ALIKE_BITS, TURN_NAMES, TURNS, Bits, turned
from lookalike.matching.opencv import opencv
from lookalike.matching.pixels import WINDOW, Laid, lay
from lookalike.matching.points import Described, PointMap, map_points

WHOLE_BITS = 64
"""So many bits of the hashes may differ where whole frames are laid on each other."""

_LONGEST_LAID = 192  # pixels of the longer side of what two pictures have in common, when they are compared
_LEAST_SHOWN = 0.75  # of one of the frames in the other
_SAME_SCENE_POINTS = 12  # that agree between two shots of one scene
_MIRRORED_TURNS = [at for at, names in enumerate(TURN_NAMES) if "mirrored" in names]
_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)

Matrix = npt.NDArray[np.float64]


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
    left = [int(_ONES[turned(one, turn) ^ other].sum()) for turn in range(len(TURNS))]
    best = int(np.argmin(left))
    return best, left[best]


def compare(one: Looked, other: Looked) -> Match | None:
    """Return what two photos are to each other; None where nothing tells that they belong together."""
    turn, bits = (0, 256) if one.bits is None or other.bits is None else nearest_turn(one.bits, other.bits)
    is_whole = bits <= WHOLE_BITS
    points = _best_map(one, other, turn if is_whole else None)
    whole = part = None
    if is_whole:
        whole = _laid_whole(one.features.grey, other.features.grey, turn)
    if points is not None and points.inliers >= 4:
        part = _laid_part(one.features.grey, other.features.grey, points)
    if part is not None and points is not None and not _is_a_part(points, one.features, other.features):
        part = None
    if not _moved_together(points, part or whole) and _is_same(points, whole, part):
        return _matched("photo", one, other, turn if whole is not None else None, points, whole or part)
    if points is not None and points.inliers >= _SAME_SCENE_POINTS and (points.closely > 0.1 or is_whole):
        return _matched("scene", one, other, None, points, part)
    return _matched("scene", one, other, turn, None, whole) if bits <= ALIKE_BITS else None


def _is_a_part(points: PointMap, one: Features, other: Features) -> bool:
    """Whether one of the frames lies in the other: parts that two frames share are no copy of either."""
    shapes = one.grey.shape, other.grey.shape
    return max(_shown(points.matrix(shapes[0][0]), *shapes)) >= _LEAST_SHOWN


def _best_map(one: Looked, other: Looked, turn: int | None) -> PointMap | None:
    """Return the map that most points agree with, mirrored or not as the hashes say, if they do."""
    ways = (False, True) if turn is None else (turn in _MIRRORED_TURNS,)
    maps = [map_points(one.described, other.described, mirrored=mirrored) for mirrored in ways]
    return max((each for each in maps if each), key=lambda each: each.inliers, default=None)


def _is_same(points: PointMap | None, whole: Laid | None, part: Laid | None) -> bool:
    """Whether the frames, or what they have in common, stand still and differ by no more than edits do."""
    moves = [whole.moves] if whole else []
    moves += [part.moves] if part and points and points.inliers >= 6 else []
    if whole and _agree(whole, 4) and _stand_still(min(moves), points):
        return True
    if not points or not part:
        return False
    if points.inliers >= (8 if part.fitting >= 0.75 else 20) and points.residual <= 0.6:
        return points.closely >= 0.6 and _agree(part, 6) and _stand_still(part.moves, points)
    return part.windows >= 10 and part.fitting >= 0.9 and part.moves <= 0.06 and part.moved <= 0.01


def _stand_still(moves: float, points: PointMap | None) -> bool:
    """Whether nothing moves but by what noise and recolouring bring; sure points bear more of that out."""
    if moves <= 0.06:
        return True
    if points is None:
        return False
    if moves <= 0.09 and points.inliers >= 6 and points.residual <= 0.36 and points.closely >= 0.75:
        return True
    if moves <= 0.15 and points.inliers >= 8 and points.residual <= 0.3 and points.closely >= 0.8:
        return True
    return moves <= 0.2 and points.inliers >= 40 and points.residual <= 0.18 and points.closely >= 0.85


def _agree(laid: Laid, windows: int) -> bool:
    is_edit = laid.moved <= 0.03 and laid.differing <= 0.18
    is_edit &= laid.largest <= (0.12 if laid.fitting >= 0.5 else 0.05)
    return laid.windows >= windows and laid.fitting >= 0.3 and is_edit


def _moved_together(points: PointMap | None, laid: Laid | None) -> bool:
    """Whether something in the picture went elsewhere."""
    return points is not None and points.second >= 3 and laid is not None and laid.largest >= 0.01


def _laid_whole(one: Grey, other: Grey, turn: int) -> Laid:
    """Lay whole frames on each other, the first in the position that the hashes tell."""
    cv2 = opencv()
    transposed, flipped, mirrored = TURNS[turn]
    lying = one.T if transposed else one
    lying = np.ascontiguousarray(lying[:: -1 if flipped else 1, :: -1 if mirrored else 1])
    scale = min(1.0, _LONGEST_LAID / max(other.shape), max(lying.shape) / max(other.shape))
    size = _scaled(other, scale)
    second = _resized(other, size)
    first = cv2.resize(
        lying,
        size,
        interpolation=cv2.INTER_AREA if lying.shape[1] >= size[0] else cv2.INTER_LINEAR,
    ).astype(np.float32)
    return lay(first, second, np.ones(second.shape, bool))


def _laid_part(one: Grey, other: Grey, points: PointMap) -> Laid:
    """Lay the first picture on the part of the second that it shows, in pixels of the coarser one."""
    cv2 = opencv()
    growth = abs(points.turn)
    common = min(max(one.shape) * growth, max(other.shape))
    size = _scaled(other, min(1.0, 1 / growth, _LONGEST_LAID / max(common, 1.0)))
    second = _resized(other, size)
    shrink = growth * size[0] / other.shape[1]
    first = _resized(one, _scaled(one, shrink)) if shrink < 0.7 else one.astype(np.float32)
    matrix = _on_pixels(other.shape, second.shape) @ points.matrix(one.shape[0])
    matrix = (matrix @ np.linalg.inv(_on_pixels(one.shape, first.shape)))[:2]
    placed = cv2.warpAffine(first, matrix, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones(first.shape, np.float32), matrix, size) > 0.99
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if len(rows) < 2 * WINDOW or len(columns) < 2 * WINDOW:
        return Laid(0)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return lay(np.ascontiguousarray(placed[box]), np.ascontiguousarray(second[box]), inside[box])


def _on_pixels(full: tuple[int, ...], small: tuple[int, ...]) -> Matrix:
    """Map the middles of pixels of a picture of one `(height, width)` onto those of its scaled copy."""
    across, down = small[1] / full[1], small[0] / full[0]
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])


def _scaled(picture: Grey, scale: float) -> tuple[int, int]:
    return max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))


def _resized(picture: Grey, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    cv2 = opencv()
    small = (
        picture if picture.shape[::-1] == size else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    )
    return small.astype(np.float32)


def _matched(
    level: Literal["photo", "scene"],
    one: Looked,
    other: Looked,
    turn: int | None,
    points: PointMap | None,
    laid: Laid | None,
) -> Match:
    shapes = one.features.grey.shape, other.features.grey.shape
    if turn is not None:
        matrix = _whole_matrix(turn, *shapes)
    else:
        assert points is not None  # one of both tells
        matrix = points.matrix(shapes[0][0])
    first_shown, second_shown = _shown(matrix, *shapes)
    to_first = np.diag([max(shapes[0])] * 2 + [1.0])
    unit = np.diag([1 / max(shapes[1])] * 2 + [1.0]) @ matrix @ to_first
    css = tuple(round(float(each), 6) for each in unit[:2].T.ravel())
    blur, differing = (laid.blur, laid.differing) if laid else (0.0, 0.0)
    return Match(level, css, first_shown, second_shown, blur, differing)  # type: ignore[arg-type]  # six


def _whole_matrix(turn: int, one: tuple[int, ...], other: tuple[int, ...]) -> Matrix:
    """Map a whole frame onto another in the position `TURNS[turn]`, both in pixels."""
    transposed, flipped, mirrored = TURNS[turn]
    height, width = one
    lying = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]) if transposed else np.eye(3)
    if transposed:
        height, width = width, height
    if flipped:
        lying = np.array([[1.0, 0, 0], [0, -1, height], [0, 0, 1]]) @ lying
    if mirrored:
        lying = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) @ lying
    return np.diag([other[1] / width, other[0] / height, 1.0]) @ lying


def _shown(matrix: Matrix, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[float, float]:
    """Return which share of either frame lies in the other, by a grid of places."""
    return _share_inside(matrix, one, other), _share_inside(np.linalg.inv(matrix), other, one)


def _share_inside(matrix: Matrix, one: tuple[int, ...], other: tuple[int, ...]) -> float:
    places = (np.arange(20) + 0.5) / 20
    x, y = (each.ravel() for each in np.meshgrid(places * one[1], places * one[0]))
    right, down = (matrix @ np.stack([x, y, np.ones_like(x)]))[:2]
    edge = 0.01 * max(other)  # a frame that is a little off is still whole
    across = (right >= -edge) & (right <= other[1] + edge)
    return float((across & (down >= -edge) & (down <= other[0] + edge)).mean())
