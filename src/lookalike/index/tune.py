"""Choosing how hard an index searches: the cheapest setting whose measured recall reaches the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.exact import TopK
from lookalike.index.ivf import DEPTHS, IvfIndex, Settings, ladder
from lookalike.records import Ids, Vectors

RECALL_TARGET = 0.99
RECALL_AT = 10
QUERIES = 512
_MARGIN = 0.005  # losses gather on few queries, so that recall is known to about this much
_SPARE = 40
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class TrueNeighbours:
    """Queries, `(n, dim)`, and for each the ids that count as one of its true k nearest.

    Copies of a photo have equal scores, so that more than k ids may be right.
    """

    queries: Vectors
    neighbours: list[Ids]


def true_neighbours(ids: Ids, queries: Vectors, seen: TopK, k: int = RECALL_AT) -> TrueNeighbours:
    """Turn the exact ranking of the items `ids` against all others into a truth, leaving out themselves.

    `seen` has seen every block with `ranks_needed(k)` ranks.
    """
    neighbours = []
    for own, ranked, scores in zip(ids, *seen.ranked(), strict=True):
        others = ranked != own
        right, close = ranked[others], scores[others]
        worst = close[min(k, len(close)) - 1] if len(close) else 0.0
        neighbours.append(right[close >= worst - _TIE])
    return TrueNeighbours(queries, neighbours)


def ranks_needed(k: int = RECALL_AT) -> int:
    """How many exact ranks `true_neighbours` needs: the neighbours, the query itself, and room for ties."""
    return k + 1 + _SPARE


def tune(
    index: IvfIndex,
    truth: TrueNeighbours,
    target: float = RECALL_TARGET,
    *,
    also: TrueNeighbours | None = None,
) -> None:
    """Give `index` the cheapest settings that reach the target, or the best there are, and its recall.

    That of the queries `also`, where there are such, has to reach it for itself: the lower one counts.
    """
    truths = [truth] if also is None else [truth, also]
    found: dict[int, list[npt.NDArray[np.int64]]] = {}
    best = (-1.0, index.settings)
    for settings in ladder(index.lists, len(index)):
        if settings.nprobe not in found:
            index.settings = Settings(settings.nprobe, DEPTHS[-1])
            found[settings.nprobe] = [
                _stacked(index.search(each.queries, RECALL_AT + 1), DEPTHS[-1]) for each in truths
            ]
        answered = zip(found[settings.nprobe], truths, strict=True)
        recall = min(measured_recall(table[:, : settings.depth], each) for table, each in answered)
        best = max(best, (recall, settings), key=lambda pair: pair[0])
        if recall >= min(1.0, target + _MARGIN):
            break
    index.recall, index.settings = round(best[0], 4), best[1]


def measured_recall(candidates: npt.NDArray[np.int64], truth: TrueNeighbours) -> float:
    """Return the share of true neighbours among the candidates `(n, depth)`, 0 to 1."""
    shares = []
    for row, right in zip(candidates, truth.neighbours, strict=True):
        wanted = min(RECALL_AT, len(right))
        shares.append(min(wanted, len(np.intersect1d(row, right))) / wanted if wanted else 1.0)
    return float(np.mean(shares))


def recall_of(found: list[Ids], truth: TrueNeighbours, depth: int) -> float:
    """Return the share of true neighbours among the first `depth` candidates found for each query, 0 to 1."""
    return measured_recall(_stacked(found, depth), truth)


def _stacked(rows: list[Ids], width: int) -> npt.NDArray[np.int64]:
    """Stack candidate lists, padded with −1."""
    table = np.full((len(rows), width), -1, np.int64)
    for at, row in enumerate(rows):
        table[at, : len(row)] = row[:width]
    return table
