"""The one array contract: unit-length C-order float32 rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.records import Vectors

_SMALL = 1e-15  # the square of which float32 can still tell from nothing

NO_DIRECTION = "the model gives it no direction (numbers that are not finite, or nothing but zeros)"
"""Why what was embedded cannot be searched for, nor found."""


def unit_length(rows: npt.NDArray[np.floating]) -> Vectors:
    """Scale each row of `(n, dim)` to length 1.

    A row of zeros, which has no direction, stays zero; one with numbers that are not finite has none either.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Vectors = rows / np.maximum(norms, np.finfo(np.float32).tiny)
        odd = np.flatnonzero(~((norms[:, 0] > _SMALL) & (norms[:, 0] < 1 / _SMALL)))
        if len(odd):  # whose squares leave the range of float32
            wide = rows[odd].astype(np.float64)
            lengths = np.linalg.norm(wide, axis=1, keepdims=True)
            unit[odd] = wide / np.where(lengths > 0, lengths, 1)
    return unit


def have_direction(rows: Vectors) -> npt.NDArray[np.bool_]:
    """Tell of each row of `(n, dim)` that should have length 1 whether it has: `(n,)`."""
    with np.errstate(invalid="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows)
        return np.asarray((squares > 0.5) & (squares < 2))
