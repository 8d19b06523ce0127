"""Several rankings made one: reciprocal rank fusion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def fuse(rankings: Sequence[Sequence[int]], k: int = 60) -> list[int]:
    """Return the ids of all rankings, best first, by the sum of 1 / (k + rank), ranks counted from 1.

    It needs no scores, so that cosine similarities and BM25 go together; `k` says how little the first places
    matter more than the next ones. Equal sums keep the order in which the rankings name them. Each ranking
    names an id once. Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and
    individual rank learning methods", SIGIR 2009.
    """
    sums: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item_id in enumerate(ranking, 1):
            sums[item_id] += 1 / (k + rank)
    return sorted(sums, key=lambda item_id: -sums[item_id])
