"""Products of vectors in one thread.

A large product takes OpenBLAS' own threads, which on a busy machine wait a hundred times as long for each
other as they work: a search that re-ranks took 45 ms instead of 5 beside programs that kept both cores busy.
"""

from __future__ import annotations

import numpy as np

from lookalike.records import Vectors

_ONE_THREAD = 250_000  # multiplications of a product that OpenBLAS does in one thread


def scores_of(rows: Vectors, row: Vectors) -> Vectors:
    """Return the cosines `(n,)` of unit-length rows with one, −1 to 1."""
    scores: Vectors = np.clip(np.vecdot(rows, row), -1.0, 1.0)
    return scores


def products_of(rows: Vectors) -> Vectors:
    """Return the products `(n, n)` of all rows with each other, as many small ones, each once."""
    count, dim = rows.shape
    blocks = max(1, -(-count // max(1, int((_ONE_THREAD / dim) ** 0.5))))
    side = -(-count // blocks)
    if blocks * side > count:
        rows = np.pad(rows, ((0, blocks * side - count), (0, 0)))
    parts = rows.reshape(blocks, side, dim)
    made = np.empty((blocks, side, blocks, side), np.float32)
    for at in range(blocks):
        beside = np.matmul(parts[at], parts[at:].transpose(0, 2, 1))
        made[at, :, at:] = beside.transpose(1, 0, 2)
        made[at + 1 :, :, at] = beside[1:].transpose(0, 2, 1)
    whole: Vectors = made.reshape(blocks * side, blocks * side)[:count, :count]
    return whole
