"""Other indexes than ours, by their Faiss factory strings: built block by block, and measured."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import faiss
import numpy as np

from lookalike.errors import UsageError
from lookalike.evaluate.candidates import blocks_of, drawn
from lookalike.evaluate.trial import OUT_OF_TIME, IndexRow, Trial, one_thread, rescored
from lookalike.indexing.live import is_small
from lookalike.open_collection import OpenSpace
from lookalike.records import Ids, Vectors
from lookalike.transfer.exporting.faiss_index import Factory, fill, most_codes, reason

SWEEP = (
    "Flat",
    "IVF{lists},PQ{codes}",
    "IVF{lists},Flat",
    "IVF{lists},SQ8",
    "IVF{lists},RaBitQ",
    "SQ8",
    "RaBitQ",
    "PQ{quarter}x4fs",
    "HNSW32",
)
"""What a sweep tries; {lists} is the square root of the count of items, {quarter} a quarter of the dim, and
{codes} 16, or the next fewer that divide it."""

_PROBES = (1, 4, 16, 64)  # 4 is what the notebooks that many started with use
_BEAMS = (32, 128)  # of HNSW's search
_DEPTH = 100  # candidates that are scored exactly
_FULL = re.compile(r"(?:^|,)(?:Flat|HNSW|NSG|NNDescent)")


def sweep(items: int, dim: int) -> tuple[str, ...]:
    """Return what is worth trying for so many items of so many numbers."""
    lists = max(1, int(np.sqrt(items)))
    return tuple(each.format(lists=lists, quarter=dim // 4, codes=most_codes(dim)) for each in SWEEP)


def measure_factory(opened: OpenSpace, trial: Trial, text: str, memory: int) -> Iterator[IndexRow]:
    """Build an index and measure its settings, each alone and with exact re-scoring of its best, one by one.

    What Faiss refuses, or what needs more than `memory` bytes, gives one row that says so. What has begun to
    be built is finished; no setting begins after the trial's time.
    """
    count = opened.vectors.count()
    needed = count * opened.space.dim * (4 if _FULL.search(text) else 1)
    if needed > memory:
        said = f"needs about {needed / 1e9:.1f} GB, more than the {memory / 1e9:.1f} GB allowed"
        yield IndexRow(text, "", problem=said)
        return
    if trial.is_over:
        yield IndexRow(text, "", problem=OUT_OF_TIME)
        return
    try:
        factory = Factory(text, opened.space.dim, count)
        if hasattr(
            factory.index, "do_polysemous_training"
        ):  # half a minute for an order of codes nobody uses
            factory.index.do_polysemous_training = False
        begun = time.perf_counter()
        with one_thread() if is_small(count) else nullcontext():  # several would wait longer than they work
            ids = _filled(opened, factory)
        seconds = time.perf_counter() - begun
        size = len(faiss.serialize_index(factory.index)) / max(1, len(ids))
        for setting in _settings(factory):
            for depth in (0,) if text == "Flat" else (0, _DEPTH):
                row = IndexRow(text, setting, None, 0, 0, size, seconds)
                if trial.is_over:
                    yield IndexRow(text, setting, problem=OUT_OF_TIME)
                    return
                yield _row(opened, trial, (factory.index, ids), depth, row)
    except UsageError as error:
        yield IndexRow(text, "", problem=str(error))
    except (RuntimeError, MemoryError, AssertionError) as error:
        yield IndexRow(text, "", problem=f"Faiss cannot build it: {reason(error)}")


def _filled(opened: OpenSpace, factory: Factory) -> Ids:
    """Train on a sample and add everything; returns the items' ids by row."""
    vectors, ids = opened.vectors, list[Ids]()

    def rows() -> Iterator[Vectors]:
        for block in blocks_of(vectors, None):
            ids.append(block.ids)
            yield block.rows

    fill(factory, lambda: vectors.fetch(drawn(vectors.ids(), factory.sample_rows()).tolist()).rows, rows())
    return np.concatenate(ids)


def _settings(factory: Factory) -> Iterator[str]:
    """Set the index to each setting worth measuring, and yield its name."""
    index = factory.index
    if factory.lists:
        for nprobe in (each for each in _PROBES if each <= factory.lists):
            faiss.extract_index_ivf(index).nprobe = nprobe
            yield f"nprobe {nprobe}"
    elif hasattr(index, "hnsw"):
        for beam in _BEAMS:
            index.hnsw.efSearch = beam
            yield f"efSearch {beam}"
    else:
        yield "all scanned"


def _row(opened: OpenSpace, trial: Trial, built: tuple[Any, Ids], depth: int, row: IndexRow) -> IndexRow:
    index, ids = built
    count = trial.k + 1

    def answer(query: Vectors) -> Ids:
        _, found = index.search(query[None], min(len(ids), max(depth, count)))
        candidates: Ids = ids[found[0][found[0] >= 0]]
        return rescored(opened.vectors, candidates, query, count) if depth else candidates

    recall, median, p99 = trial.measure(answer)
    setting = f"{row.setting}, {depth} re-scored" if depth else row.setting
    return IndexRow(row.kind, setting, recall, median, p99, row.bytes_per_item, row.build_seconds)
