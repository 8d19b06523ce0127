"""Whether a picture is but a frame around another: a border, or a screen that shows it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lookalike.matching.features import Features, Grey
from lookalike.matching.verify import Match

_CELL = 8  # pixels
_FLAT = 4.0  # deviation of grey levels in a cell of a plain margin
_MOSTLY = 0.6
_WHOLE, _PART = 0.95, 0.93  # shares of a frame that lie in the other


def frame(one: Features, other: Features, match: Match) -> Literal["", "first", "second"]:
    """Tell which of two pictures shows the whole of the other with a plain margin around it, if one does."""
    if match.second_shown >= _WHOLE and match.first_shown < _PART and _is_plain(one.grey, other.grey, match):
        return "first"
    if match.first_shown >= _WHOLE and match.second_shown < _PART:
        return "second" if _is_plain(other.grey, one.grey, match, back=True) else ""
    return ""


def _is_plain(outer: Grey, inner: Grey, match: Match, *, back: bool = False) -> bool:
    """Whether what lies around the inner picture is mostly flat."""
    a, b, c, d, e, f = match.matrix
    matrix = np.array([[a, c, e], [b, d, f], [0, 0, 1]])
    if back:
        matrix = np.linalg.inv(matrix)
    rows, columns = outer.shape[0] // _CELL, outer.shape[1] // _CELL
    cells = outer[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    deviation = cells.astype(np.float32).std(axis=(1, 3))
    down, right = (np.indices((rows, columns)) + 0.5) * _CELL / max(outer.shape)
    x, y = (matrix @ np.stack([right.ravel(), down.ravel(), np.ones(rows * columns)]))[:2]
    width, height = inner.shape[1] / max(inner.shape), inner.shape[0] / max(inner.shape)
    edge = _CELL / max(outer.shape)
    around = (x < -edge) | (y < -edge) | (x > width + edge) | (y > height + edge)
    flat = deviation.ravel()[around] < _FLAT
    return bool(len(flat) and flat.mean() >= _MOSTLY)
