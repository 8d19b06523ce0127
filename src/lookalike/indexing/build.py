"""Builds an index of all vectors of a space, and measures it."""

from __future__ import annotations

import numpy as np

from lookalike.index.exact import TopK
from lookalike.index.ivf import IvfIndex, train, train_count
from lookalike.index.tune import QUERIES, RECALL_AT, ranks_needed, recall_of, true_neighbours, tune
from lookalike.indexing.live import LiveIndex
from lookalike.records import Ids
from lookalike.store.vectors import SpaceVectors

_NEWEST = 256  # queries


def build_ivf(vectors: SpaceVectors, target: float, newest: int = 0) -> LiveIndex:
    """Train on a sample, add everything block by block, and tune on items kept out of the sample.

    Of the `newest` items, recall has to reach the target for itself.
    """
    seq = vectors.seq()
    ids = vectors.ids()
    order = np.random.default_rng(0).permutation(len(ids))
    asked = min(QUERIES, len(ids) // 4)
    sample = np.sort(ids[order[asked : asked + train_count(len(ids))]])
    index = train(vectors.fetch(sample.tolist()).rows, len(ids))
    wanted = [np.sort(ids[order[:asked]])] + ([_drawn(ids, newest)] if newest else [])
    queries = [vectors.fetch(each.tolist()) for each in wanted]
    seen = [TopK(each.rows, ranks_needed()) for each in queries]
    damaged: set[int] = set()
    for block in vectors.blocks():
        damaged.update(block.damaged)
        index.add(block.ids, block.rows)
        for each in seen:
            each.see(block.ids, block.rows)
    truths = [true_neighbours(each.ids, each.rows, top) for each, top in zip(queries, seen, strict=True)]
    tune(index, truths[0], target, also=truths[1] if newest else None)
    return LiveIndex(index, seq, len(ids), damaged=frozenset(damaged))


def _drawn(ids: Ids, newest: int) -> Ids:
    """Return some of the newest items by chance, ascending."""
    return np.sort(np.random.default_rng(0).permutation(ids[-newest:])[:_NEWEST])


def recall_of_newest(vectors: SpaceVectors, live: LiveIndex, count: int) -> float:
    """Return what an index in step with the store finds of the true 10 nearest of its newest `count` items.

    Its lists were made of older ones: items of a topic that they do not know lie scattered over many. Every
    vector of the store is read for it.
    """
    assert isinstance(live.index, IvfIndex)  # an exact one finds all
    queries = vectors.fetch(_drawn(vectors.ids(), max(1, count)).tolist())
    seen = TopK(queries.rows, ranks_needed())
    for block in vectors.blocks():
        seen.see(block.ids, block.rows)
    truth = true_neighbours(queries.ids, queries.rows, seen)
    found = live.search(truth.queries, RECALL_AT + 1, None)
    return round(recall_of(found, truth, live.index.settings.depth), 4)
