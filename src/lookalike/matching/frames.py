"""How the frames of two pictures lie on each other, and how the pictures look when they are laid so.

Pictures are grey `(height, width)`, matrices `(3, 3)` map pixels of the first onto those of the second.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.matching.features import Grey
from lookalike.matching.hashes import TURNS
from lookalike.matching.opencv import opencv
from lookalike.matching.pixels import WINDOW, Laid, lay
from lookalike.matching.points import PointMap

Matrix = npt.NDArray[np.floating]
Shape = tuple[int, ...]

_LONGEST_LAID = 192  # pixels of the longer side of what two pictures have in common, when they are compared
_SHORTEST_LAID = 64  # of the shorter one, where there are so many
_SHRUNK = 0.7  # below which a picture is made smaller by areas before it is placed, against aliasing
_WHOLLY = 0.99  # of a pixel that must come from within a frame
_PLACES = (np.arange(20) + 0.5) / 20  # across and down a frame, by which shares of it are told
_EDGE = 0.01  # of the longer side, by which a place may lie outside a frame that is a little off


def laid_whole(one: Grey, other: Grey, turn: int) -> Laid:
    """Lay whole frames on each other, the first in the position `TURNS[turn]`."""
    cv2 = opencv()
    transposed, flipped, mirrored = TURNS[turn]
    lying = one.T if transposed else one
    lying = np.ascontiguousarray(lying[:: -1 if flipped else 1, :: -1 if mirrored else 1])
    scale = min(1.0, _longest_laid(other.shape) / max(other.shape), max(lying.shape) / max(other.shape))
    size = _scaled(other, scale)
    second = _resized(other, size)
    way = cv2.INTER_AREA if lying.shape[1] >= size[0] else cv2.INTER_LINEAR
    first = cv2.resize(lying, size, interpolation=way).astype(np.float32)
    return lay(first, second, np.ones(second.shape, bool))


def _longest_laid(shape: Shape) -> float:
    """Return how many pixels the longer side is compared with: more of a panorama, for it to have rows."""
    return max(_LONGEST_LAID, _SHORTEST_LAID * max(shape) / min(shape))


def laid_part(one: Grey, other: Grey, points: PointMap) -> Laid:
    """Lay the first picture on the part of the second that it shows, in pixels of the coarser one."""
    growth = abs(points.turn)
    common = min(max(one.shape) * growth, max(other.shape))
    size = _scaled(other, min(1.0, 1 / growth, _longest_laid(one.shape) / max(common, 1.0)))
    second = _resized(other, size)
    shrink = growth * size[0] / other.shape[1]
    first = _resized(one, _scaled(one, shrink)) if shrink < _SHRUNK else one.astype(np.float32)
    matrix = _on_pixels(other.shape, second.shape) @ points.matrix(one.shape[0])
    matrix = matrix @ np.linalg.inv(_on_pixels(one.shape, first.shape))
    placed, inside = _placed(first, matrix, size)
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if len(rows) < 2 * WINDOW or len(columns) < 2 * WINDOW:
        return Laid(0)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return lay(np.ascontiguousarray(placed[box]), np.ascontiguousarray(second[box]), inside[box])


def whole_matrix(turn: int, one: Shape, other: Shape) -> Matrix:
    """Map a whole frame onto another in the position `TURNS[turn]`, both `(height, width)`."""
    transposed, flipped, mirrored = TURNS[turn]
    height, width = one
    lying = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]) if transposed else np.eye(3)
    if transposed:
        height, width = width, height
    if flipped:
        lying = np.array([[1.0, 0, 0], [0, -1, height], [0, 0, 1]]) @ lying
    if mirrored:
        lying = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) @ lying
    fitted: Matrix = np.diag([other[1] / width, other[0] / height, 1.0]) @ lying
    return fitted


def shown(matrix: Matrix, one: Shape, other: Shape) -> tuple[float, float]:
    """Return which share of the first frame lies in the second, and of the second in the first."""
    return _share_inside(matrix, one, other), _share_inside(np.linalg.inv(matrix), other, one)


def in_sides(matrix: Matrix, one: Shape, other: Shape) -> Matrix:
    """Return a matrix on pixels as one on frames whose longer sides are 1."""
    on_sides: Matrix = np.diag([1 / max(other)] * 2 + [1.0]) @ matrix @ np.diag([max(one)] * 2 + [1.0])
    return on_sides


def _share_inside(matrix: Matrix, one: Shape, other: Shape) -> float:
    x, y = (each.ravel() for each in np.meshgrid(_PLACES * one[1], _PLACES * one[0]))
    right, down = (matrix @ np.stack([x, y, np.ones_like(x)]))[:2]
    edge = _EDGE * max(other)
    across = (right >= -edge) & (right <= other[1] + edge)
    return float((across & (down >= -edge) & (down <= other[0] + edge)).mean())


def _placed(
    picture: npt.NDArray[np.float32], matrix: Matrix, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return a picture as a matrix places it in a frame `(width, height)`, and which pixels it fills."""
    cv2 = opencv()
    placed = cv2.warpAffine(picture, matrix[:2], size, flags=cv2.INTER_LINEAR)
    filled = cv2.warpAffine(np.ones(picture.shape, np.float32), matrix[:2], size)
    return placed, filled > _WHOLLY


def _on_pixels(full: Shape, small: Shape) -> Matrix:
    """Map the middles of pixels of a picture of one `(height, width)` onto those of its scaled copy."""
    across, down = small[1] / full[1], small[0] / full[0]
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])


def _scaled(picture: Grey, scale: float) -> tuple[int, int]:
    return max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))


def _resized(picture: Grey, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    cv2 = opencv()
    if picture.shape[::-1] != size:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return picture.astype(np.float32)
