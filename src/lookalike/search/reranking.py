"""The best hits in the order in which they vouch for each other, beside how near each is to the query.

Of the best hits the mean of the last ones is taken off: what is only somewhat like the query tells what all
of them share with it, while the mean of the first would be what was asked for. What is left of each is moved
towards its nearest others among them, and the query towards its nearest hits; then they are compared anew.
The order is that of half this new score and half the cosine. So a hit that is near to others which are near
moves up, and one that is near by chance moves down. The nearest stays first: that is how an edited photo
finds its original, which none of the others vouches for.

Query expansion: Chum et al., "Total Recall", ICCV 2007; moving the items, too: Arandjelović and Zisserman,
"Three things everyone should know to improve object retrieval", CVPR 2012; along a graph of neighbours: Iscen
et al., "Efficient Diffusion on Region Manifolds", CVPR 2017. Measured by `python bench/reranking.py`.
"""

from __future__ import annotations

import numpy as np

from lookalike.records import Ids, Vectors
from lookalike.search.products import products_of

BEST = 200
"""So many of the best hits are ranked among themselves; those after them keep their places."""

_FEWEST = 20  # of fewer there is nothing to tell
_NEIGHBOURS = 5
_LAST = 0.25  # the share of the hits whose mean is taken off
_BLEND = 0.5  # the share of the new score
_IDENTICAL = 0.9995  # from this score on it is the query itself, saved anew, and comes first
_LEAST_LENGTH = 1e-12  # squared: of what has moved onto the mean
_LEAST_NORM = 0.1  # what is nearer to the mean than that differs by rounding and noise


def rerank(scores: Vectors, rows: Vectors, line: float | None = None) -> Ids:
    """Return the order, as places `(n,)`, of hits that are given best first.

    `scores` `(n,)` are their cosines with the query, `rows` `(n, dim)` their unit-length vectors. The
    first and what is all but identical to the query stay first; what is below the `line` to background stays
    behind.
    """
    best = len(scores[:BEST])
    if best < _FEWEST:
        return np.arange(len(scores))
    cosines = scores[:best]
    blended = (1 - _BLEND) * cosines + _BLEND * _vouched(cosines, rows[:best])
    is_behind = cosines < (-np.inf if line is None else line)
    is_other = cosines < min(_IDENTICAL, cosines[0])
    order = np.lexsort((np.arange(best), np.where(is_other, -blended, 0), is_behind, is_other))
    return np.concatenate([order, np.arange(best, len(scores))])


def _vouched(cosines: Vectors, rows: Vectors) -> Vectors:
    """Return the scores `(n,)` of hits and query after both have moved, −1 to 1.

    All of it follows from the products of the hits with each other and with the query.
    """
    alike = products_of(rows)
    last = slice(len(rows) - int(_LAST * len(rows)), None)
    means = alike[last].mean(axis=0)
    mean, asked_mean = means[last].mean(), cosines[last].mean()
    alike -= means
    alike -= means[:, None]
    alike += mean
    norms = np.sqrt(np.maximum(alike.diagonal(), _LEAST_NORM**2))
    alike /= norms * norms[:, None]
    query_norm = np.sqrt(max(1 - 2 * asked_mean + mean, _LEAST_NORM**2))
    asked = (cosines - asked_mean - means + mean) / (norms * query_norm)

    hits = np.argsort(-asked, kind="stable")[:_NEIGHBOURS]
    weights = np.maximum(asked[hits], 0)
    to_query = asked + (alike[:, hits] * weights).sum(axis=1)
    query_length = 1 + _added_length(alike, hits[None], weights[None])

    apart = alike.copy()
    np.fill_diagonal(apart, -np.inf)  # none is its own neighbour
    others, weights = _neighbours(apart)
    lengths = alike.diagonal() + _added_length(alike, others, weights)
    moved = to_query + (weights * to_query[others]).sum(axis=1)
    made: Vectors = moved / np.sqrt(np.maximum(lengths * query_length, _LEAST_LENGTH))
    return np.clip(made, -1, 1)


def _neighbours(alike: Vectors) -> tuple[Ids, Vectors]:
    """Return for each row `(m, n)` the places of the nearest, and by how much they count, `(m, 5)` each.

    What is found is struck out: five times the largest is had sooner than a partition.
    """
    count, beside = alike.shape
    cells, begins = alike.reshape(-1), beside * np.arange(count)
    nearest, weights = np.empty((count, _NEIGHBOURS), np.int64), np.empty((count, _NEIGHBOURS), np.float32)
    for at in range(_NEIGHBOURS):
        nearest[:, at] = alike.argmax(axis=1)
        found = begins + nearest[:, at]
        weights[:, at] = cells[found]
        cells[found] = -np.inf
    return nearest, np.maximum(weights, 0)


def _added_length(alike: Vectors, others: Ids, weights: Vectors) -> Vectors:
    """Return by how much the squared length `(m,)` of vectors grows with their weighted neighbours.

    The products with these neighbours are the weights themselves.
    """
    with_others = (weights * weights).sum(axis=1)
    among_others = alike.reshape(-1)[len(alike) * others[:, :, None] + others[:, None]]
    grown: Vectors = 2 * with_others + np.einsum("ma,mb,mab->m", weights, weights, among_others)
    return grown
