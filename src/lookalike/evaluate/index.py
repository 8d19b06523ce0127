"""How much of the truth an index finds, and what it costs: against exact search, on items as queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lookalike.evaluate.intervals import Interval, bootstrap
from lookalike.index.exact import BestSoFar, ExactIndex
from lookalike.index.ivf import IvfIndex, Settings
from lookalike.index.tune import RECALL_TARGET
from lookalike.indexing import LiveIndex, build_ivf
from lookalike.records import Ids, OnStep, Vectors
from lookalike.store.vectors import SpaceVectors
from lookalike.wiring import OpenSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer = Callable[[Vectors], Ids]
"""From a query `(dim,)` to the ids found for it, best first."""

QUERIES = 512
_SPARE = 40  # ranks beyond k that may tie
_TIE = 1e-6
_WARM = 8  # searches that are not timed
_BLOCK = 1_000


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
class IndexReport:
    """What evaluation of a space's index found; recall is that of the `k` nearest of `queries` items."""

    space: str
    items: int
    dim: int
    k: int
    queries: int
    rows: tuple[IndexRow, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Queries with their true neighbours: whoever answers is measured on them.

    Equal scores share their rank, so that more than `k` ids may be right.
    """

    ids: Ids
    rows: Vectors
    right: tuple[frozenset[int], ...]
    k: int

    def measure(self, answer: Answer) -> tuple[Interval, float, float]:
        """Return recall@k with its interval, and median and 99th percentile of ms per query, one by one."""
        shares, times = [], []
        with _one_thread():
            for row in self.rows[:_WARM]:
                answer(row)
            for own, row, right in zip(self.ids.tolist(), self.rows, self.right, strict=True):
                begun = time.perf_counter()
                found = answer(row)
                times.append(1_000 * (time.perf_counter() - begun))
                wanted = min(self.k, len(right))
                hits = [item for item in found.tolist() if item != own][: self.k]
                shares.append(len(right.intersection(hits)) / wanted if wanted else 1.0)
        return bootstrap(np.array(shares)), float(np.median(times)), float(np.quantile(times, 0.99))


def evaluate_index(
    opened: OpenSpace,
    *,
    k: int = 10,
    queries: int = QUERIES,
    sweep: Sequence[str] | None = None,
    memory: int = 2 << 30,
    on_step: OnStep = lambda *_: None,
) -> IndexReport:
    """Measure the index that a space is searched by; with `sweep`, others beside it.

    `sweep` are Faiss factory strings; for the current kind more settings are tried then, too. Every query is
    one item, searched for alone in one thread; times of what re-scores from the store include that. An index
    that would need more than `memory` bytes is left out. Memory holds one index and a block of vectors.
    """
    from lookalike.evaluate.factories import measure_factory  # it imports this module's names

    begun = time.perf_counter()
    trial = make_trial(opened.vectors, k, queries, on_step)
    rows = _current(opened, trial, with_settings=sweep is not None, on_step=on_step)
    for at, factory in enumerate(sweep or ()):
        on_step("trying other indexes", at, len(sweep or ()))
        rows += measure_factory(opened, trial, factory, memory)
    return IndexReport(
        opened.space.name,
        opened.vectors.count(),
        opened.space.dim,
        k,
        len(trial.ids),
        frontier(rows),
        time.perf_counter() - begun,
    )


def make_trial(vectors: SpaceVectors, k: int, queries: int, on_step: OnStep = lambda *_: None) -> Trial:
    """Draw items by chance and find their k nearest others exactly, in blocks."""
    ids = vectors.ids()
    chosen = np.sort(np.random.default_rng(0).permutation(ids)[:queries])
    block = vectors.fetch(chosen.tolist())
    seen = BestSoFar(block.rows, k + 1 + _SPARE)
    done = 0
    for each in vectors.blocks(_BLOCK):
        seen.see(each.ids, each.rows)
        done += len(each.ids)
        on_step("searching exactly", done, len(ids))
    right = []
    for own, ranked, scores in zip(block.ids.tolist(), *seen.ranked(), strict=True):
        others = ranked != own
        near, close = ranked[others], scores[others]
        worst = close[min(k, len(close)) - 1] if len(close) else 0.0
        right.append(frozenset(near[close >= worst - _TIE].tolist()))
    return Trial(block.ids, block.rows, tuple(right), k)


def rescored(vectors: SpaceVectors, candidates: Ids, row: Vectors, count: int) -> Ids:
    """Return the best `count` candidates by the store's own vectors, as a search does."""
    block = vectors.fetch(candidates.tolist())
    scores = block.rows @ row
    found: Ids = block.ids[np.lexsort((block.ids, -scores))][:count]
    return found


def frontier(rows: Sequence[IndexRow]) -> tuple[IndexRow, ...]:
    """Mark the rows of which none finds as much in less time."""

    def is_best(row: IndexRow) -> bool:
        return row.recall is not None and not any(
            other.recall is not None
            and other.recall.mean >= row.recall.mean
            and other.median_ms <= row.median_ms
            and (other.recall.mean > row.recall.mean or other.median_ms < row.median_ms)
            for other in rows
        )

    return tuple(replace(row, is_best=is_best(row)) for row in rows)


def _current(opened: OpenSpace, trial: Trial, *, with_settings: bool, on_step: OnStep) -> list[IndexRow]:
    """Measure the index in use, and what it takes to build it anew."""
    on_step("building the index anew", 0, None)
    begun = time.perf_counter()
    live = opened.indexer.open()
    if live is None or isinstance(live.index, IvfIndex):
        built = build_ivf(opened.vectors, RECALL_TARGET)
        live = live or built
    seconds = time.perf_counter() - begun
    row = IndexRow("exact" if isinstance(live.index, ExactIndex) else "the collection's own", "as in use")
    row = replace(row, is_current=True, build_seconds=seconds)
    rows = [_measured(opened, trial, live, row)]
    if with_settings and isinstance(live.index, IvfIndex):
        kept = live.index.settings
        for settings in _settings(live.index):
            live.index.settings = settings
            named = f"nprobe {settings.nprobe}, {settings.depth} re-scored"
            rows.append(_measured(opened, trial, live, replace(row, setting=named, is_current=False)))
        live.index.settings = kept
    return rows


def _measured(opened: OpenSpace, trial: Trial, live: LiveIndex, row: IndexRow) -> IndexRow:
    def answer(query: Vectors) -> Ids:
        candidates = live.search(query[None], trial.k + 1, None)[0]
        return rescored(opened.vectors, candidates, query, trial.k + 1)

    recall, median, p99 = trial.measure(answer)
    count = max(1, len(live.index))
    if isinstance(live.index, IvfIndex):
        size = len(live.index.to_bytes()) / count
        if row.setting == "as in use":
            used = live.index.settings
            row = replace(row, setting=f"as in use: nprobe {used.nprobe}, {used.depth} re-scored")
    else:
        size = 4.0 * opened.space.dim
    return replace(row, recall=recall, median_ms=median, p99_ms=p99, bytes_per_item=size)


def _settings(index: IvfIndex) -> list[Settings]:
    """Return a few settings around those in use."""
    used = index.settings
    probes = {
        max(1, used.nprobe // 4),
        max(1, used.nprobe // 2),
        used.nprobe,
        min(index.lists, 2 * used.nprobe),
    }
    depths = {max(16, used.depth // 2), used.depth, 2 * used.depth}
    wanted = {Settings(nprobe, used.depth) for nprobe in probes} | {
        Settings(used.nprobe, depth) for depth in depths
    }
    return sorted(wanted - {used}, key=lambda each: (each.nprobe, each.depth))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let Faiss use one thread, as a search does beside others."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
