"""Through the vectors of the items that are ranked, in blocks: what every exact answer here is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from lookalike.engine.protocol import EngineVectors
from lookalike.index.exact import TopK
from lookalike.records import Ids, Vectors
from lookalike.search.reranking import BEST, rerank
from lookalike.store.vectors import VectorBlock

_BLOCK = 2_000  # candidates at a time: with 2,000 queries 16 MB of scores

OnBlock = Callable[[int, int], object]
"""Hears how many candidates of how many are through."""


def blocks_of(
    vectors: EngineVectors, candidates: Ids | None, on_block: OnBlock = lambda *_: None
) -> Iterator[VectorBlock]:
    """Yield the vectors of the candidates (None: of all items) by ascending id, some at a time."""
    if candidates is None:
        done, total = 0, vectors.count()
        for block in vectors.blocks(_BLOCK):
            yield block
            done += len(block.ids)
            on_block(done, total)
        return
    for at in range(0, len(candidates), _BLOCK):
        some = candidates[at : at + _BLOCK]
        yield vectors.fetch(some.tolist())
        on_block(at + len(some), len(candidates))


def see_all(
    vectors: EngineVectors,
    candidates: Ids | None,
    rows: Vectors,
    count: int,
    on_block: OnBlock = lambda *_: None,
) -> TopK:
    """Return the `count` best candidates for each of the queries `rows` `(n, dim)`."""
    best = TopK(rows, count)
    for block in blocks_of(vectors, candidates, on_block):
        best.see(block.ids, block.rows)
    return best


def nearest(
    vectors: EngineVectors,
    queries: Ids,
    candidates: Ids | None,
    count: int,
    on_block: OnBlock = lambda *_: None,
) -> dict[int, list[tuple[int, float]]]:
    """Return for each query that has a vector its `count` best candidates, not itself, with their scores."""
    own = vectors.fetch(queries.tolist())
    best = see_all(vectors, candidates, own.rows, count + 1, on_block)
    ranked = zip(own.ids.tolist(), *(each.tolist() for each in best.ranked()), strict=True)
    return {
        query: [(item, score) for item, score in zip(ids, scores, strict=True) if item != query][:count]
        for query, ids, scores in ranked
    }


def reranked(
    vectors: EngineVectors, found: dict[int, list[tuple[int, float]]], line: float | None
) -> dict[int, list[int]]:
    """Return what `nearest` found in the order of a search that re-ranks; see `search.reranking`.

    `line` is that to background.
    """
    orders = {}
    for query, hits in found.items():
        ids = np.array([item for item, _ in hits], np.int64)
        block = vectors.fetch(ids[:BEST].tolist())
        rows = block.rows[np.searchsorted(block.ids, ids[:BEST])]
        scores = np.array([score for _, score in hits[:BEST]], np.float32)
        order = rerank(scores, rows, line)
        orders[query] = [*ids[order].tolist(), *ids[BEST:].tolist()]
    return orders


def drawn(ids: Ids, most: int) -> Ids:
    """Return `most` of the ids, or all, by chance and ascending; the same ones for the same ids."""
    if len(ids) <= most:
        return ids
    return np.sort(np.random.default_rng(0).choice(ids, most, replace=False))
