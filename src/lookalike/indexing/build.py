"""Builds an index of all vectors of a space, and measures it."""

from __future__ import annotations

import numpy as np

from lookalike.index.exact import TopK
from lookalike.index.ivf import train, train_count
from lookalike.index.tune import QUERIES, ranks_needed, true_neighbours, tune
from lookalike.indexing.live import LiveIndex
from lookalike.store.vectors import SpaceVectors


def build_ivf(vectors: SpaceVectors, target: float) -> LiveIndex:
    """Train on a sample, add everything block by block, and tune on items kept out of the sample."""
    seq = vectors.seq()
    ids = vectors.ids()
    order = np.random.default_rng(0).permutation(len(ids))
    asked = min(QUERIES, len(ids) // 4)
    held_out = np.sort(ids[order[:asked]])
    sample = np.sort(ids[order[asked : asked + train_count(len(ids))]])
    index = train(vectors.fetch(sample.tolist()).rows, len(ids))
    queries = vectors.fetch(held_out.tolist())
    seen = TopK(queries.rows, ranks_needed())
    damaged: set[int] = set()
    for block in vectors.blocks():
        damaged.update(block.damaged)
        index.add(block.ids, block.rows)
        seen.see(block.ids, block.rows)
    tune(index, true_neighbours(queries.ids, queries.rows, seen), target)
    return LiveIndex(index, seq, len(ids), damaged=frozenset(damaged))
