"""Which points of two pictures are the same, and what maps one picture onto the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.matching.features import MOST_POINTS, Features

Floats = npt.NDArray[np.float32]
Halves = tuple[Floats, Floats]
"""Descriptors in two parts: what stays as it is when the picture is mirrored, and what changes its sign."""

_RATIO = 0.85  # of the distance to the best match to that to the second (Lowe 2004)
_LEAST_MATCHES, _MOST_MATCHES = 4, 200
_MOST_TRIED = 100  # matches that each propose a map
_NEAR_PROPOSAL = 10.0  # pixels within which others agree with a proposed map
_TIGHTENING = (10.0, 6.0, 4.0, 3.0, 3.0)  # pixels, as the map is fitted to those that agree
_INLIER = 3.0
_STRAY = 8.0  # pixels from where the map says, from which a match may belong to another motion
_SECOND_NEAR = 4.0
_LEAST_HOPE = 5  # points that agree with a map by coarse descriptors where finer ones may find more

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
    """The points of a picture, made ready to be matched.

    `points` are those of its features, `upside_down` those of the picture upside down. `fine` has their
    descriptors as `Halves` `(n, 64)`, which together have unit length; `coarse` has them in half as many
    columns, `(n, 32)`.
    """

    points: Floats
    upside_down: Floats
    fine: Halves
    coarse: Halves

    @classmethod
    def of(cls, features: Features) -> Described:
        """Return the points of a picture, ready to be matched."""
        rows = features.descriptors.astype(np.float32)
        there, back = rows[:, :64], rows[:, _MIRRORED[:64]]
        even, odd = there + back, there - back
        coarse = _columns_joined(even), _columns_joined(odd)
        upside_down = features.points * np.array((1, -1, 1, -1), np.float32)
        upside_down[:, 1] += features.grey.shape[0] - 1
        return cls(features.points, upside_down, _unit(even, odd), _unit(*coarse))

    def seen(self, *, mirrored: bool) -> Floats:
        """Return the points of the picture as it is, or upside down."""
        return self.upside_down if mirrored else self.points


class Room:
    """Memory for how alike all points of two pictures are, used again from pair to pair in one thread.

    New memory of that size costs more than the products that are written into it.
    """

    def __init__(self) -> None:
        self._kept = np.empty((3, MOST_POINTS * MOST_POINTS), np.float32)

    def products(self, ours: Halves, theirs: Halves) -> Halves:
        """Return the products of both parts `(n, m)`: their sum, or difference, is how alike points are."""
        shape = len(ours[0]), len(theirs[0])
        even = np.matmul(ours[0], theirs[0].T, out=self._of(0, shape))
        return even, np.matmul(ours[1], theirs[1].T, out=self._of(1, shape))

    def alike(self, products: Halves, *, mirrored: bool) -> Floats:
        """Return the cosines of all points with all, until the next call."""
        join = np.subtract if mirrored else np.add
        return np.asarray(join(*products, out=self._of(2, products[0].shape)))

    def _of(self, at: int, shape: tuple[int, ...]) -> Floats:
        size = shape[0] * shape[1]
        if size > self._kept.shape[1]:
            return np.empty(shape, np.float32)
        return self._kept[at, :size].reshape(shape)


def best_map(one: Described, other: Described, room: Room, *, mirrored: bool | None) -> PointMap | None:
    """Return what maps most points of one picture onto those of another; None where nothing does.

    `mirrored` says whether the first is mirrored in the second; with None, both are tried.
    """
    if min(len(one.points), len(other.points)) < _LEAST_MATCHES:
        return None
    products = room.products(one.fine, other.fine)
    maps = []
    for way in (False, True) if mirrored is None else (mirrored,):
        ours, theirs = _matches(room.alike(products, mirrored=way))
        if len(ours) >= _LEAST_MATCHES:
            maps.append(_fitted(one.seen(mirrored=way)[ours], other.points[theirs], mirrored=way))
    return max((each for each in maps if each), key=lambda each: each.inliers, default=None)


def may_map(one: Described, other: Described, room: Room) -> bool:
    """Whether `best_map` may find anything that counts, for half its cost.

    Looks at coarse descriptors, both ways: some points must agree with a map. Of 5,931 pairs of the truth
    about copies that belong together and are told by points alone it missed one; of others nine in ten are
    spared.
    """
    if min(len(one.points), len(other.points)) < _LEAST_MATCHES:
        return False
    products = room.products(one.coarse, other.coarse)
    return any(
        _may_map(one.seen(mirrored=way), other.points, room.alike(products, mirrored=way))
        for way in (False, True)
    )


def _may_map(ours: Floats, theirs: Floats, alike: Floats) -> bool:
    best, ratio = _clearest(alike)
    kept = np.flatnonzero(ratio < _RATIO)
    return len(kept) >= _LEAST_HOPE and _proposed(ours[kept], theirs[best[kept]])[2] >= _LEAST_HOPE


def _columns_joined(half: Floats) -> Floats:
    """Return a part of descriptors of 2 × 4 places with two columns of places in one, `(n, 32)`."""
    return np.asarray(half.reshape(len(half), 2, 2, 2, 8).sum(axis=3)).reshape(len(half), 32)


def _unit(even: Floats, odd: Floats) -> Halves:
    """Return both parts of descriptors, scaled so that together they have unit length."""
    lengths = np.sqrt(np.einsum("ij,ij->i", even, even) + np.einsum("ij,ij->i", odd, odd))
    scale = (1 / np.maximum(lengths, 1e-6))[:, None]
    return even * scale, odd * scale


def _clearest(alike: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the best match of each point, and its distance as a share of that to the second best."""
    every = np.arange(len(alike))
    best = alike.argmax(axis=1)
    first = alike[every, best]
    alike[every, best] = -1
    second = alike.max(axis=1)
    alike[every, best] = first
    return best, np.sqrt(np.maximum(2 - 2 * first, 0) / np.maximum(2 - 2 * second, 1e-9))


def _matches(alike: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the points that are each other's best match, and clearly the best, the clearest first."""
    best, ratio = _clearest(alike)
    clear = np.flatnonzero(ratio < _RATIO)
    kept = clear[alike[:, best[clear]].argmax(axis=0) == clear]
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
