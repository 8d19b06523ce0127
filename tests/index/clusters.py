"""Vectors with the structure of real photos: loose clusters, copies, and a spread between them."""

import numpy as np


def clustered(n, dim=64, seed=0, centres=200):
    """Unit-length rows around random centres, as photos of the same kind lie around a kind."""
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(99).standard_normal((centres, dim), dtype=np.float32)
    made = middle[random.integers(0, centres, n)] + 0.7 * random.standard_normal((n, dim), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def exact_neighbours(ids, vectors, queries, k):
    """The ids of the k nearest by plain float64 arithmetic, one set per query."""
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return [set(ids[np.argsort(-row)[:k]].tolist()) for row in scores]


def recall(found, truth):
    """Share of the true neighbours among the candidates found."""
    hits = sum(len(set(row.tolist()) & right) for row, right in zip(found, truth, strict=True))
    return hits / sum(len(right) for right in truth)
