"""What a score means: how much of what is drawn by chance scores lower, and where that fades into background.

Scores of random pairs of the collection's own items are the background that hits stand out from. The line
is the score that only 2 % of them reach, or a lower one where many random pairs are alike, as in a collection
of few kinds: then the lower half of the scores, which is of pairs of different kinds, tells how far theirs
reach. It is never above what copies score.

Measured (`python bench/background.py draws`): of pairs of one kind 78 % are above it and of other pairs 1.0 %
among 50 classes of Caltech-101, 72 and 0.8 % in collections of ten of them (by 2 % of the pairs alone: 21 and
0.0 %), 65 and 0.3 % of five; 13 and 0.4 % among garments, 52 and 1.1 % among questions of Banking77, 24 and
0.2 % among those of ten intents. In no kind of collection do more than 1.1 % pass on average; in the worst of
200 draws 2.7 % do. Chosen on every second draw so that at most 2 % pass on average, the factor would be
3.25 and keep 79 % of ten classes at 0.9 to 1.9 % on the others; the one used is for sets unlike these. A line
four robust deviations above each query's own median keeps 72, 3 and 24 % in the three sets as they are.

A query of several examples has scores of another range: its line is that of a sample of the items, and no
share is told. Words for photos have neither (`python bench/background.py words`): above a line that 2 % of
the others reach, chosen with hindsight, are 32 % of the photos of COCO that show what was asked for, and 30 %
if each photo's score is held against those of 1,000 other words; the first hit is right for two in three.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lookalike.engine.protocol import EngineVectors
from lookalike.records import Vectors
from lookalike.search.copies import NEAR_COPY
from lookalike.search.products import scores_of

FALSE_ALARMS = 0.02
"""The share of random pairs above the line, at most, where all are of different kinds."""

_SPREADS = 3.75  # from the median up, in units of what lies between it and the 16 % quantile
_LEAST_SPREAD = 0.005  # where most pairs score the same, it says nothing

_SAMPLE = 1_000  # vectors, about 5 MB
_PAIRED = 400  # of them, each with each: 79,800 pairs
_FEWEST = 50  # fewer items say nothing
_BEYOND = 8  # random ones that must score higher for a share to be stated
_ROUNDING = np.float32(1e-6)  # by which equal scores may differ
_DRAWN_ANEW = 0.25  # share by which a collection may grow or shrink before the sample is drawn anew


@dataclass(frozen=True)
class BackgroundScores:
    """Scores of what was drawn by chance, `(n,)` ascending."""

    scores: Vectors

    @cached_property
    def line(self) -> float:
        """The score that `FALSE_ALARMS` of them reach, or would, if none of them were alike."""
        reached, median = self._at(1 - FALSE_ALARMS), self._at(0.5)
        spread = median - self._at(0.16)
        beyond = int(np.searchsorted(self.scores, reached + _ROUNDING, "right"))
        if reached - median < _LEAST_SPREAD and beyond < len(
            self.scores
        ):  # most share nothing and score alike
            reached = float(self.scores[beyond])
        elif spread >= _LEAST_SPREAD:
            reached = min(reached, median + _SPREADS * spread)
        return round(min(reached, NEAR_COPY), 6)

    def _at(self, share: float) -> float:
        """Return the score that so large a share of them is below."""
        return float(self.scores[min(len(self.scores) - 1, int(np.ceil(share * len(self.scores))))])

    def closer_than(self, found: npt.ArrayLike) -> list[float]:
        """Return for each score `(n,)` the share of the drawn ones that are lower, 0 to 1.

        Rounded down, and never more than so many can tell: 0.9998 at most.
        """
        lower = np.searchsorted(self.scores, np.asarray(found, np.float32) - _ROUNDING, "left")
        shares = np.minimum(lower, len(self.scores) - _BEYOND) / len(self.scores)
        return [round(float(share), 4) for share in np.floor(shares * 10_000) / 10_000]


class Background:
    """A sample of one space, drawn when it is first needed; may be used by several threads."""

    def __init__(self, vectors: EngineVectors) -> None:
        self._vectors = vectors
        self._rows: Vectors | None = None
        self._pairs: BackgroundScores | None = None
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
                return BackgroundScores(np.sort(scores_of(rows, row)))
            if self._pairs is None:
                some = rows[:_PAIRED]
                products = (some @ some.T)[np.triu_indices(len(some), 1)]
                self._pairs = BackgroundScores(np.sort(products))
            return self._pairs

    def _sample(self) -> Vectors:
        """Return the sample's rows in an order by chance."""
        seq = self._vectors.seq()
        if self._rows is None or (seq != self._seq and self._has_changed()):
            random = np.random.default_rng(0)
            rows = self._vectors.fetch(self._vectors.draw(_SAMPLE, random).tolist()).rows
            self._rows, self._pairs = rows[random.permutation(len(rows))], None
            self._count = self._vectors.count()
        self._seq = seq
        return self._rows

    def _has_changed(self) -> bool:
        return abs(self._vectors.count() - self._count) > _DRAWN_ANEW * self._count
