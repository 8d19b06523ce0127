"""The one array contract: unit-length C-order float32 rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.records import Vectors


def unit_length(rows: npt.NDArray[np.floating]) -> Vectors:
    """Scale each row of `(n, dim)` to length 1; a row of zeros, which has no direction, stays zero."""
    rows = np.ascontiguousarray(rows, np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
