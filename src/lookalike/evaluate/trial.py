"""Queries with known answers: whoever answers them is measured on recall and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import faiss
import numpy as np

from lookalike.engine.protocol import EngineVectors
from lookalike.evaluate.candidates import see_all
from lookalike.evaluate.intervals import Interval, bootstrap
from lookalike.index.tune import ranks_needed, true_neighbours
from lookalike.records import Ids, OnStep, Vectors
from lookalike.search.scoring import score_exactly

Answer = Callable[[Vectors], Ids]
"""From a query `(dim,)` to the ids found for it, best first."""

_WARM = 8  # searches that are not timed
_FEWEST = 32  # queries that say something
OUT_OF_TIME = "not tried: the time for other indexes was over"


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One index with one setting: shares 0 to 1, milliseconds per query, bytes, seconds.

    `kind` is what was built, `setting` how it was searched. `problem` says why there are no figures.
    `is_best` tells that no other finds as much in less time.
    """

    kind: str
    setting: str
    recall: Interval | None = None
    median_ms: float = 0.0
    p99_ms: float = 0.0
    bytes_per_item: float = 0.0
    build_seconds: float = 0.0
    is_current: bool = False
    is_best: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Queries with their true neighbours: whoever answers is measured on them.

    Equal scores share their rank, so that more than `k` ids may be right. At the moment `until` (of
    `time.perf_counter`) it ends with the queries asked so far, some by chance.
    """

    ids: Ids
    rows: Vectors
    right: tuple[frozenset[int], ...]
    k: int
    until: float = float("inf")

    @property
    def is_over(self) -> bool:
        """Whether its time is."""
        return time.perf_counter() >= self.until

    def measure(self, answer: Answer) -> tuple[Interval, float, float]:
        """Return recall@k with its interval, and median and 99th percentile of ms per query, one by one."""
        shares, times = list[float](), list[float]()
        with one_thread():
            for row in self.rows[:_WARM]:
                answer(row)
            for at in np.random.default_rng(0).permutation(len(self.ids)).tolist():
                if len(times) >= _FEWEST and self.is_over:
                    break
                own, row, right = int(self.ids[at]), self.rows[at], self.right[at]
                begun = time.perf_counter()
                found = answer(row)
                times.append(1_000 * (time.perf_counter() - begun))
                wanted = min(self.k, len(right))
                hits = [item for item in found.tolist() if item != own][: self.k]
                shares.append(len(right.intersection(hits)) / wanted if wanted else 1.0)
        return bootstrap(np.array(shares)), float(np.median(times)), float(np.quantile(times, 0.99))


def make_trial(vectors: EngineVectors, k: int, queries: int, on_step: OnStep = lambda *_: None) -> Trial:
    """Draw items by chance and find their k nearest others exactly, in blocks."""
    ids = vectors.ids()
    chosen = np.sort(np.random.default_rng(0).permutation(ids)[:queries])
    block = vectors.fetch(chosen.tolist())
    seen = see_all(vectors, None, block.rows, ranks_needed(k), partial(on_step, "searching exactly"))
    truth = true_neighbours(block.ids, block.rows, seen, k)
    return Trial(block.ids, block.rows, tuple(frozenset(each.tolist()) for each in truth.neighbours), k)


def rescored(vectors: EngineVectors, candidates: Ids, row: Vectors, count: int) -> Ids:
    """Return the best `count` candidates by the store's own vectors, as a search does."""
    block, _, order = score_exactly(vectors, row, candidates)
    found: Ids = block.ids[order][:count]
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Let Faiss use one thread, as a search does beside others."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
