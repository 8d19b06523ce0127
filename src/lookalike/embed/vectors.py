"""The one array contract: unit-length C-order float32 rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.records import Vectors

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
        huge = np.flatnonzero(np.isinf(norms[:, 0]))  # squares of huge numbers leave the range
        if len(huge):
            wide = rows[huge].astype(np.float64)
            unit[huge] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit


def have_direction(rows: Vectors) -> npt.NDArray[np.bool_]:
    """Tell of each row of `(n, dim)` that should have length 1 whether it has: `(n,)`."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.einsum("ij,ij->i", rows, rows) > 0.5)
