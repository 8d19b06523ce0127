"""Which points of two pictures are the same, and what maps one picture onto the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.matching.features import Features

Floats = npt.NDArray[np.float32]

_RATIO = 0.85  # of the distance to the best match to that to the second (Lowe 2004)
_MOST_MATCHES = 200
_MOST_TRIED = 100  # matches that each propose a map
_NEAR_PROPOSAL = 10.0  # pixels within which others agree with a proposed map
_TIGHTENING = (10.0, 6.0, 4.0, 3.0, 3.0)  # pixels, as the map is fitted to those that agree
_INLIER = 3.0
_STRAY = 8.0  # pixels from where the map says, from which a match may belong to another motion
_SECOND_NEAR = 4.0

_MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].ravel()
"""Where the numbers of a descriptor stand in that of the same point in the mirrored picture."""


@dataclass(frozen=True, slots=True)
class PointMap:
    """A similarity that maps a picture onto another, `z' = turn · z + shift` in pixels, and how well it fits.

    With `mirrored`, the first picture is turned upside down before. `inliers` points agree with it; half of
    them lie within `residual` pixels of where it says, of those within 20 pixels a share of `closely` within
    one. `second` more points moved together in another way: something in the picture was moved.
    """

    mirrored: bool
    turn: complex
    shift: complex
    inliers: int
    residual: float
    closely: float
    second: int

    def matrix(self, height: int) -> npt.NDArray[np.float64]:
        """Return it as `(3, 3)` on pixels of a first picture of that height, the mirroring included."""
        turn, shift = self.turn, self.shift
        after = np.array(
            [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag], [0.0, 0.0, 1.0]]
        )
        if self.mirrored:
            after = after @ np.array([[1.0, 0.0, 0.0], [0.0, -1.0, height - 1.0], [0.0, 0.0, 1.0]])
        return after


@dataclass(frozen=True, slots=True)
class Described:
    """The points of a picture with unit-length descriptors, and those of the picture upside down."""

    points: Floats
    rows: Floats
    mirrored_points: Floats
    mirrored_rows: Floats

    @classmethod
    def of(cls, features: Features) -> Described:
        """Return the points of a picture, ready to be matched."""
        rows = features.descriptors.astype(np.float32)
        rows /= np.maximum(np.sqrt(np.einsum("ij,ij->i", rows, rows)), 1e-6)[:, None]
        mirrored = features.points.copy()
        mirrored[:, 1] = features.grey.shape[0] - 1 - mirrored[:, 1]
        mirrored[:, 3] = -mirrored[:, 3]
        return cls(features.points, rows, mirrored, rows[:, _MIRRORED])

    def seen(self, *, mirrored: bool) -> tuple[Floats, Floats]:
        """Return points and rows, as they are or upside down."""
        return (self.mirrored_points, self.mirrored_rows) if mirrored else (self.points, self.rows)


def map_points(one: Described, other: Described, *, mirrored: bool) -> PointMap | None:
    """Return what maps the points of one picture onto those of another; None where nothing does."""
    points, rows = one.seen(mirrored=mirrored)
    ours, theirs = _matches(rows, other.rows)
    if len(ours) < 4:
        return None
    return _fitted(points[ours], other.points[theirs], mirrored=mirrored)


def _matches(ours: Floats, theirs: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the points that are each other's best match, and clearly the best, the clearest first."""
    none = np.empty(0, np.int64)
    if len(ours) < 4 or len(theirs) < 4:
        return none, none
    alike = ours @ theirs.T
    every = np.arange(len(ours))
    best = alike.argmax(axis=1)
    first = alike[every, best]
    is_mutual = alike.argmax(axis=0)[best] == every
    alike[every, best] = -1
    second = alike.max(axis=1)
    ratio = np.sqrt(np.maximum(2 - 2 * first, 0) / np.maximum(2 - 2 * second, 1e-9))
    kept = np.flatnonzero(is_mutual & (ratio < _RATIO))
    kept = kept[np.argsort(ratio[kept], kind="stable")][:_MOST_MATCHES]
    return kept, best[kept]


def _fitted(ours: Floats, theirs: Floats, *, mirrored: bool) -> PointMap | None:
    one, other = _complex(ours), _complex(theirs)
    turn, shift, _ = _proposed(ours, theirs)
    for most in _TIGHTENING:
        agree = np.abs(turn * one + shift - other) < most * max(1.0, abs(turn)) ** 0.5
        if agree.sum() < 3:
            return None
        turn, shift = _least_squares(one[agree], other[agree])
    if abs(turn) < 1e-3:
        return None
    # Places are as sure in either picture: a pixel is what it is in the coarser of the two.
    off = np.abs(turn * one + shift - other) / np.sqrt((1 + abs(turn) ** 2) / 2)
    agree, strays = off < _INLIER, off > _STRAY
    if agree.sum() < 3:
        return None
    return PointMap(
        mirrored,
        complex(turn),
        complex(shift),
        int(agree.sum()),
        float(np.median(off[agree])),
        float((off < 1).sum() / (off < 20).sum()),
        _moved_together(ours[strays], theirs[strays]),
    )


def _moved_together(ours: Floats, theirs: Floats) -> int:
    """How many points of those that do not agree with the map agree with each other."""
    if len(ours) < 3:
        return 0
    turn, shift, _ = _proposed(ours, theirs)
    return int((np.abs(turn * _complex(ours) + shift - _complex(theirs)) < _SECOND_NEAR).sum())


def _proposed(ours: Floats, theirs: Floats) -> tuple[complex, complex, int]:
    """Return the similarity that most matches agree with, among those that each one tells by itself."""
    one, other = _complex(ours), _complex(theirs)
    first = slice(_MOST_TRIED)
    sizes = theirs[first, 2] / np.maximum(ours[first, 2], 1e-3)
    turns = sizes * np.exp(1j * (theirs[first, 3] - ours[first, 3]))
    shifts = other[first] - turns * one[first]
    agree = (np.abs(turns[:, None] * one + shifts[:, None] - other) < _NEAR_PROPOSAL).sum(axis=1)
    best = int(agree.argmax())
    return complex(turns[best]), complex(shifts[best]), int(agree[best])


def _least_squares(
    one: npt.NDArray[np.complex64], other: npt.NDArray[np.complex64]
) -> tuple[complex, complex]:
    from_centre, to_centre = one.mean(), other.mean()
    one, other = one - from_centre, other - to_centre
    turn = (one.conj() * other).sum() / max(float((np.abs(one) ** 2).sum()), 1e-9)
    return complex(turn), complex(to_centre - turn * from_centre)


def _complex(points: Floats) -> npt.NDArray[np.complex64]:
    return points[:, 0] + 1j * points[:, 1]
