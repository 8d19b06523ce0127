"""How much of the truth an index finds, and what it costs: against exact search, on items as queries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lookalike.evaluate.factories import measure_factory
from lookalike.evaluate.trial import IndexRow, Trial, make_trial, rescored
from lookalike.index.ivf import IvfIndex, Settings
from lookalike.index.tune import RECALL_TARGET
from lookalike.indexing.build import build_ivf
from lookalike.indexing.live import LiveIndex
from lookalike.open_collection import OpenSpace
from lookalike.records import Ids, OnStep, Vectors

QUERIES = 512


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
    row = IndexRow("exact", "as in use", is_current=True, build_seconds=seconds)
    if not isinstance(live.index, IvfIndex):
        return [_measured(opened, trial, live, row)]
    kept = live.index.settings
    row = replace(row, kind="the collection's own", setting=f"as in use: {_named(kept)}")
    rows = [_measured(opened, trial, live, row)]
    for settings in _settings(live.index) if with_settings else ():
        live.index.settings = settings
        rows.append(_measured(opened, trial, live, replace(row, setting=_named(settings), is_current=False)))
    live.index.settings = kept
    return rows


def _named(settings: Settings) -> str:
    return f"nprobe {settings.nprobe}, {settings.depth} re-scored"


def _measured(opened: OpenSpace, trial: Trial, live: LiveIndex, row: IndexRow) -> IndexRow:
    def answer(query: Vectors) -> Ids:
        candidates = live.search(query[None], trial.k + 1, None)[0]
        return rescored(opened.vectors, candidates, query, trial.k + 1)

    recall, median, p99 = trial.measure(answer)
    size = 4.0 * opened.space.dim
    if isinstance(live.index, IvfIndex):
        size = len(live.index.to_bytes()) / max(1, len(live.index))
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
