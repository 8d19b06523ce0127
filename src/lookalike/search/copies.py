"""Which hits are near copies of better ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lookalike.records import Hit, Vectors

NEAR_COPY = 0.9
"""From this score on two photos are taken for versions of the same one: no two Caltech-101 photos of
different classes come as near (`bench/background.py`)."""

_COMPARED = 1_000  # best hits that others may be copies of: with all, deep pages would cost too much


def mark_copies(hits: list[Hit], rows: Vectors) -> list[Hit]:
    """Name for each hit the best one, itself no copy, that it is a near copy of; `rows` `(hits, dim)`."""
    near = np.tril(rows @ rows[:_COMPARED].T >= NEAR_COPY, -1)
    firsts = np.ones(near.shape[1], bool)
    marked = list(hits)
    for at in np.flatnonzero(near.any(axis=1)):  # mostly few
        originals = np.flatnonzero(near[at] & firsts)
        if len(originals):
            firsts[at : at + 1] = False
            marked[at] = replace(hits[at], copy_of=hits[originals[0]].id)
    return marked
