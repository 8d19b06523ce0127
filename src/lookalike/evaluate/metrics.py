"""Measures of one ranking, from where the relevant items stand in it: the definitions of trec_eval.

`ranks` `(r,)` are the positions of the relevant items that were found, counted from 1, ascending; `grades`
`(r,)` say how relevant each of them is, above 0. `relevant` is how many relevant items there are in all,
found or not. Every measure is 0 to 1, bigger is better, and 0 where nothing is relevant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.records import Ids

Ranks = npt.NDArray[np.int64]
Grades = npt.NDArray[np.float64]


def names(k: int) -> tuple[str, ...]:
    """Return the names of the measures, the one to decide by first."""
    return "map", f"precision@{k}", f"recall@{k}", f"ndcg@{k}", "mrr"


def measure(ranks: Ranks, grades: Grades, ideal: Grades, k: int) -> dict[str, float]:
    """Return all measures by name; `ideal` are the grades of all relevant items, descending."""
    values = (
        average_precision(ranks, len(ideal)),
        precision(ranks, k),
        recall(ranks, len(ideal), k),
        ndcg(ranks, grades, ideal, k),
        reciprocal_rank(ranks),
    )
    return dict(zip(names(k), values, strict=True))


def measure_order(order: Sequence[int], relevant: Ids, grades: Grades, k: int) -> dict[str, float]:
    """Return all measures of items in an order, of which the `relevant` `(r,)` have `grades` `(r,)`.

    What is relevant and not in the order is not found.
    """
    grade_of = dict(zip(relevant.tolist(), grades.tolist(), strict=True))
    found = [(rank, grade_of[item]) for rank, item in enumerate(order, 1) if item in grade_of]
    ranks, gains = np.array([rank for rank, _ in found], np.int64), np.array([gain for _, gain in found])
    return measure(ranks, gains, np.sort(grades)[::-1], k)


def average_precision(ranks: Ranks, relevant: int) -> float:
    """The mean, over all relevant items, of the precision where each one stands."""
    if not relevant:
        return 0.0
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / relevant)


def precision(ranks: Ranks, k: int) -> float:
    """The share of relevant ones among the first k."""
    return float((ranks <= k).sum() / k)


def recall(ranks: Ranks, relevant: int, k: int) -> float:
    """The share of the relevant ones that stand among the first k."""
    return float((ranks <= k).sum() / relevant) if relevant else 0.0


def ndcg(ranks: Ranks, grades: Grades, ideal: Grades, k: int) -> float:
    """Discounted gain of the first k over that of the best order (Järvelin and Kekäläinen 2002).

    The gain is the grade, the discount the logarithm to base 2 of the rank plus 1.
    """
    near = ranks <= k
    best = ideal[:k]
    most = float((best / np.log2(np.arange(2, len(best) + 2))).sum())
    return float((grades[near] / np.log2(ranks[near] + 1)).sum()) / most if most else 0.0


def reciprocal_rank(ranks: Ranks) -> float:
    """One over the rank of the first relevant item."""
    return 1.0 / float(ranks[0]) if len(ranks) else 0.0
