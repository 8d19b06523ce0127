"""Where similarity fades into background: the score below which a hit is no closer than unrelated photos.

A query's scores with a sample of the whole collection are mostly scores of photos that have nothing to do
with it. Their median and spread (the median absolute deviation, which the few related ones hardly move) give
the line: _SPREADS standard deviations above the median. On Caltech-101 photos of 50 classes
(`bench/background.py`) it lets 0.7 % of the photos of other classes pass and keeps 72 % of the same class.
"""

from __future__ import annotations

import threading

import numpy as np

from lookalike.records import Vectors
from lookalike.store.vectors import SpaceVectors

_SAMPLE = 1_000  # vectors, about 5 MB
_FEWEST = 50  # a spread of fewer scores says nothing
_SPREADS = 4.0
_PER_DEVIATION = 1.4826  # median absolute deviations of a normal distribution in its standard deviation
_DRAWN_ANEW = 0.25  # share by which a collection may grow or shrink before the sample is drawn anew


class Background:
    """A sample of one space, drawn when it is first needed; may be used by several threads."""

    def __init__(self, vectors: SpaceVectors) -> None:
        self._vectors = vectors
        self._rows: Vectors | None = None
        self._seq = -1
        self._count = 0
        self._lock = threading.Lock()

    def line(self, row: Vectors) -> float | None:
        """Return the line for a query's unit-length `row` `(dim,)`; None where there are too few items."""
        sample = self._sample()
        if len(sample) < _FEWEST:
            return None
        scores = sample @ row
        middle = _median(scores)
        spread = _median(np.abs(scores - middle)) * _PER_DEVIATION
        return round(min(1.0, middle + _SPREADS * spread), 6)

    def _sample(self) -> Vectors:
        seq = self._vectors.seq()
        with self._lock:
            if self._rows is None or (seq != self._seq and self._has_changed()):
                ids = self._vectors.ids()
                chosen = np.random.default_rng(0).permutation(len(ids))[:_SAMPLE]
                self._rows = self._vectors.fetch(np.sort(ids[chosen]).tolist()).rows
                self._count = len(ids)
            self._seq = seq
            return self._rows

    def _has_changed(self) -> bool:
        return abs(self._vectors.count() - self._count) > _DRAWN_ANEW * self._count


def _median(values: Vectors) -> float:
    """Return the upper median of `(n,)`; numpy's own takes ten times as long for so few."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])
