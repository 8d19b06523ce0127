"""Candidates in the order of their exact scores, by the store's own vectors; and re-ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lookalike.engine.protocol import Candidates, EngineVectors
from lookalike.records import Ids, Vectors
from lookalike.search.products import scores_of
from lookalike.search.queries import ResolvedQuery
from lookalike.search.reranking import BEST, rerank
from lookalike.store.vectors import VectorBlock


@dataclass(frozen=True, slots=True)
class Scored:
    """Items with exact scores, best first; `recall` is how surely the nearest are among them.

    `vectors` `(m, dim)` has the vectors of the first ones, or of all, at `places`. `total` is how many were
    searched; `damaged` were left out, and `missing` more that are not found. `matched` have the exact words
    of the query.
    """

    ids: Ids
    scores: Vectors
    vectors: Vectors
    places: Ids
    damaged: frozenset[int]
    recall: float | None
    total: int
    missing: int = 0
    matched: frozenset[int] = frozenset()
    reranked: bool = False

    def rows(self, count: int | None = None) -> Vectors:
        """Return the vectors `(count, dim)` of the first so many, or of all."""
        return self.vectors[self.places[:count]]


def score_exactly(
    vectors: EngineVectors, row: Vectors, candidates: Ids
) -> tuple[VectorBlock, Vectors, npt.NDArray[np.int64]]:
    """Return the candidates' stored vectors, their scores with a query's `row`, and the order of the best.

    Equal ones are in the order of their ids.
    """
    block = vectors.fetch(candidates.tolist())
    return block, *_in_order(block, row)


def rescored(
    block: VectorBlock, query: ResolvedQuery, found: Candidates, damaged: frozenset[int] = frozenset()
) -> Scored:
    """Score the candidates of a query, of which `block` has the vectors: best first, equal ones by id."""
    scores, order = _in_order(block, query.row)
    for own in query.own:
        order = order[block.ids[order] != own]
    return Scored(
        block.ids[order],
        scores[order],
        block.rows,
        order,
        found.damaged.union(damaged, block.damaged),
        found.recall,
        found.total,
        found.missing,
    )


def _in_order(block: VectorBlock, row: Vectors) -> tuple[Vectors, npt.NDArray[np.int64]]:
    scores = scores_of(block.rows, row)
    return scores, np.lexsort((block.ids, -scores))


def reranked(scored: Scored, line: float | None) -> Scored:
    """Put the best in the order in which they vouch for each other; scores stay cosine similarities."""
    order = rerank(scored.scores, scored.rows(BEST), line)
    return replace(
        scored,
        ids=scored.ids[order],
        scores=scored.scores[order],
        places=scored.places[order],
        reranked=True,
    )


def with_few_rows(scored: Scored, count: int | None) -> Scored:
    """Keep the vectors of the first so many, or of all, as a copy: a thousand queries have 250 each."""
    rows = scored.rows(count)
    return replace(scored, vectors=rows, places=np.arange(len(rows)))
