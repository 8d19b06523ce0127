"""What a score means: how much of what is drawn by chance scores lower, and where that fades into background.

Scores of random pairs of the collection's own items are the background that hits stand out from. The line
is the score that only 2 % of them reach: whatever has nothing to do with the query passes it in about 2 % of
cases at most, in fact fewer, since some random pairs are alike. Measured (`bench/background.py`): 0.7 % of
the photos of other Caltech-101 classes pass it and 73 % of the same class, 0.4 % and 13 % among garments,
1.2 % and 53 % among questions of Banking77. A line four robust deviations above each query's own median,
tried before, keeps 72, 3 and 24 %.

A query that is no single item of the kind that the collection holds (words for photos, several examples) has
scores of another range: it is compared with a sample of the items instead of pairs of them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.records import Vectors
from lookalike.store.vectors import SpaceVectors

FALSE_ALARMS = 0.02
"""The share of random pairs above the line."""

_SAMPLE = 1_000  # vectors, about 5 MB
_PAIRED = 400  # of them, each with each: 79,800 pairs
_FEWEST = 50  # fewer items say nothing
_BEYOND = 8  # random ones that must score higher for a share to be stated
_ROUNDING = np.float32(1e-6)  # by which equal scores may differ
_DRAWN_ANEW = 0.25  # share by which a collection may grow or shrink before the sample is drawn anew


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """Scores of what was drawn by chance, `(n,)` ascending."""

    scores: Vectors

    @property
    def line(self) -> float:
        """The score that `FALSE_ALARMS` of them reach."""
        at = min(len(self.scores) - 1, int(np.ceil((1 - FALSE_ALARMS) * len(self.scores))))
        return round(float(self.scores[at]), 6)

    def closer_than(self, found: npt.ArrayLike) -> list[float]:
        """Return for each score `(n,)` the share of the drawn ones that are lower, 0 to 1.

        Rounded down, and never more than so many can tell: 0.9998 at most.
        """
        lower = np.searchsorted(self.scores, np.asarray(found, np.float32) - _ROUNDING, "left")
        shares = np.minimum(lower, len(self.scores) - _BEYOND) / len(self.scores)
        return [round(float(share), 4) for share in np.floor(shares * 10_000) / 10_000]


class Background:
    """A sample of one space, drawn when it is first needed; may be used by several threads."""

    def __init__(self, vectors: SpaceVectors) -> None:
        self._vectors = vectors
        self._rows: Vectors | None = None
        self._pairs: Vectors | None = None
        self._seq = -1
        self._count = 0
        self._lock = threading.Lock()

    def line(self, row: Vectors, *, alike: bool = True) -> float | None:
        """Return the line for a query's unit-length `row` `(dim,)`; None where there are too few items."""
        drawn = self.against(row, alike=alike)
        return None if drawn is None else drawn.line

    def closer_than(self, found: npt.ArrayLike, row: Vectors, *, alike: bool = True) -> list[float] | None:
        """Return for each score `(n,)` the share of random pairs that score lower; None for too few items."""
        drawn = self.against(row, alike=alike)
        return None if drawn is None else drawn.closer_than(found)

    def against(self, row: Vectors, *, alike: bool = True) -> BackgroundScores | None:
        """Return what the scores of a query's unit-length `row` `(dim,)` are compared with.

        `alike` tells that the query is one item, or might be one. None where there are too few items.
        """
        with self._lock:
            rows = self._sample()
            if len(rows) < _FEWEST:
                return None
            if not alike:
                return BackgroundScores(np.sort(rows @ row))
            if self._pairs is None:
                some = rows[:_PAIRED]
                self._pairs = np.sort((some @ some.T)[np.triu_indices(len(some), 1)])
            return BackgroundScores(self._pairs)

    def _sample(self) -> Vectors:
        """Return the sample's rows in an order by chance."""
        seq = self._vectors.seq()
        if self._rows is None or (seq != self._seq and self._has_changed()):
            ids = self._vectors.ids()
            random = np.random.default_rng(0)
            chosen = random.permutation(len(ids))[:_SAMPLE]
            rows = self._vectors.fetch(np.sort(ids[chosen]).tolist()).rows
            self._rows, self._pairs = rows[random.permutation(len(rows))], None
            self._count = len(ids)
        self._seq = seq
        return self._rows

    def _has_changed(self) -> bool:
        return abs(self._vectors.count() - self._count) > _DRAWN_ANEW * self._count
