"""How much of the truth an index finds, and what it costs: against exact search, on items as queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lookalike.engine.local import LocalEngine
from lookalike.evaluate.factories import measure_factory
from lookalike.evaluate.trial import OUT_OF_TIME, IndexRow, Trial, make_trial, rescored
from lookalike.index.ivf import IvfIndex, Settings
from lookalike.index.tune import RECALL_TARGET
from lookalike.indexing.build import build_ivf
from lookalike.indexing.live import LiveIndex
from lookalike.open_collection import OpenSpace
from lookalike.records import Ids, OnStep, Vectors

QUERIES = 512

RECALL_AT = 10
"""So many nearest is the recall of that is shown with answers."""


@dataclass(frozen=True, slots=True)
class SweepLimits:
    """How far a sweep goes: bytes for one index, seconds for all; `on_row` hears of each row in turn."""

    memory: int = 2 << 30
    seconds: float = 120.0
    on_row: Callable[[IndexRow], object] = lambda _: None


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
    limits: SweepLimits = SweepLimits(),
    on_step: OnStep = lambda *_: None,
) -> IndexReport:
    """Measure the index that a space is searched by; with `sweep`, others beside it.

    `sweep` are Faiss factory strings; for the current kind more settings are tried then, too. Every query is
    one item, searched for alone in one thread; times of what re-scores from the store include that. What
    goes beyond `limits` is left out. Memory holds one index and a block of vectors.
    """
    begun = time.perf_counter()
    trial = make_trial(opened.vectors, k, queries, on_step)
    rows = []
    for row in _all_rows(opened, trial, sweep, limits, on_step):
        rows.append(row)
        limits.on_row(row)
    return IndexReport(
        opened.space.name,
        opened.vectors.count(),
        opened.space.dim,
        k,
        len(trial.ids),
        frontier(rows),
        time.perf_counter() - begun,
    )


def _all_rows(
    opened: OpenSpace, trial: Trial, sweep: Sequence[str] | None, limits: SweepLimits, on_step: OnStep
) -> Iterator[IndexRow]:
    """Yield the index in use first, then what is tried beside it, each as soon as it is measured."""
    bounded = replace(trial, until=time.perf_counter() + limits.seconds)
    yield from _current(opened, trial, bounded if sweep is not None else None, on_step)
    for at, factory in enumerate(sweep or ()):
        on_step("trying other indexes", at, len(sweep or ()))
        yield from measure_factory(opened, bounded, factory, limits.memory)


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


def _current(opened: OpenSpace, trial: Trial, bounded: Trial | None, on_step: OnStep) -> Iterator[IndexRow]:
    """Measure the index in use, and what it takes to build it anew; its other settings with `bounded`."""
    if not isinstance(opened.engine, LocalEngine):
        yield _of_engine(opened, trial)
        return
    on_step("building the index anew", 0, None)
    begun = time.perf_counter()
    live = opened.indexer.open()
    if live is None or isinstance(live.index, IvfIndex):
        built = build_ivf(opened.indexer.vectors, RECALL_TARGET)
        live = live or built
    seconds = time.perf_counter() - begun
    row = IndexRow("exact", "as in use", is_current=True, build_seconds=seconds)
    if not isinstance(live.index, IvfIndex):
        yield _measured(opened, trial, live, row)
        return
    kept = live.index.settings
    row = replace(row, kind="the collection's own", setting=f"as in use: {_named(kept)}")
    yield _measured(opened, trial, live, row)
    for settings in _settings(live.index) if bounded is not None else ():
        assert bounded is not None  # for the type checker
        other = replace(row, setting=_named(settings), is_current=False)
        if bounded.is_over:
            yield replace(other, problem=OUT_OF_TIME)
            break
        live.index.settings = settings
        measured = _measured(opened, bounded, live, other)
        live.index.settings = kept  # also where whoever listens goes away
        yield measured


def _of_engine(opened: OpenSpace, trial: Trial) -> IndexRow:
    """Measure an engine that keeps its index to itself, and let it keep what was measured."""

    def answer(query: Vectors) -> Ids:
        candidates = opened.engine.nearest(opened.space, query[None], trial.k + 1).ids[0]
        return rescored(opened.vectors, candidates, query, trial.k + 1)

    recall, median, p99 = trial.measure(answer)
    if trial.k == RECALL_AT:
        opened.engine.note_recall(opened.space, recall.mean, opened.vectors.count())
    kind = opened.engine.index_facts(opened.space).kind
    return IndexRow(kind, "the engine's own", recall, median, p99, is_current=True)


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
