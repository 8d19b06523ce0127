"""The rule for the same photo: what two pictures must show, each bar with what it keeps out.

The bars were settled on one half of the photos of `bench/copy_truth.py` and hold on the other
(`python bench/copies.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.matching.pixels import Laid
from lookalike.matching.points import PointMap


@dataclass(frozen=True, slots=True)
class SureMap:
    """Bars for a map of points: so many agree, so near to where it says, such a share within a pixel."""

    inliers: int
    residual: float = 9.0
    closely: float = 0.0

    def holds(self, points: PointMap | None) -> bool:
        """Whether a map is as sure as this."""
        return (
            points is not None
            and points.inliers >= self.inliers
            and points.residual <= self.residual
            and points.closely >= self.closely
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What two pictures show: the map of their points, whole frames laid on each other, a part by the map.

    Each is None where there is none: whole frames where the hashes are unlike, a part where nothing maps.
    """

    points: PointMap | None
    whole: Laid | None
    part: Laid | None


_STILL = 0.06
"""Pixels by which a copy moves at most: recolouring, noise and JPEG bring no more than that."""

_STILL_FOR_SURE = (
    (0.09, SureMap(6, 0.36, 0.75)),
    (0.15, SureMap(8, 0.3, 0.8)),
    (0.2, SureMap(40, 0.18, 0.85)),
)
"""Pixels may move more, by blur and strong noise, where points bear out that the picture stands still: those
of a second shot stray as its pixels do."""

_BLURRED, _STILL_IF_BLURRED, _BLURRED_FITS = 1.3, 0.085, 0.95
"""Pixels of 192 by which one of two whole frames is softer, by how many they may move then, and how much of
them must fit: blur hides where things are, and leaves few points to bear it out."""

_PART_TOLD = SureMap(6)
"""Points from which the pixels of the part that they map tell how much whole frames move, too."""

_WHOLE_WINDOWS, _PART_WINDOWS = 4, 6
"""Windows with texture that must be there; a part needs more, since it was fitted to the picture."""

_LEAST_FITTING = 0.3
"""Share of windows that another tone explains; text and watermarks all over it leave that much of a photo."""

_MOST_MOVED = 0.03
"""Share of the frame that differs and is no writing: a thing that moved, in a second shot."""

_MOST_DIFFERING = 0.18
"""Share of the frame that differs at all; beyond that, another photo is on the same page."""

_LARGEST_PIECE, _LARGEST_IF_LITTLE_FITS, _MUCH_FITS = 0.12, 0.05, 0.5
"""Share of the frame of the largest piece that differs, and what it may be where less than half fits."""

_PART, _PART_IF_LITTLE_FITS, _PART_FITS = SureMap(8, 0.6), SureMap(20, 0.6), 0.75
"""A crop, a turn by some degrees or a border is told by its points: more of them where less of it fits."""

_PART_CLOSELY = 0.6
"""Share of those points within a pixel, which second shots seldom have."""

_PLAIN_PART_WINDOWS, _PLAIN_PART_FITS, _PLAIN_PART_MOVED = 10, 0.9, 0.01
"""A part with few points, as of a blurred crop, is told by its pixels alone if nearly all of them fit."""

_ELSEWHERE, _PIECE_ELSEWHERE = 3, 0.01
"""Points that moved together in another way, and the share of the frame that differs with them: something in
the picture went elsewhere, and it is a second shot."""

_SCENE = SureMap(12)
_SCENE_CLOSELY = 0.1
"""Two shots of one scene have so many points in common; unless the whole frames are alike, too, some of them
within a pixel, which points of repeated patterns never are."""


def is_same_photo(shows: Evidence) -> bool:
    """Whether the frames, or what they have in common, stand still and differ by no more than edits do."""
    if _went_elsewhere(shows.points, shows.part or shows.whole):
        return False
    return _is_same_whole(shows) or _is_same_part(shows.points, shows.part)


def is_same_scene(points: PointMap | None, *, is_whole: bool) -> bool:
    """Whether points tell that two pictures show one scene; `is_whole` where the hashes are alike, too."""
    if points is None or not _SCENE.holds(points):
        return False
    return is_whole or points.closely > _SCENE_CLOSELY


def _is_same_whole(shows: Evidence) -> bool:
    if shows.whole is None or not _is_edited(shows.whole, _WHOLE_WINDOWS):
        return False
    moves = shows.whole.moves
    if shows.part is not None and _PART_TOLD.holds(shows.points):
        moves = min(moves, shows.part.moves)
    blurred = shows.whole.blur >= _BLURRED and shows.whole.fitting >= _BLURRED_FITS
    return (blurred and moves <= _STILL_IF_BLURRED) or _stands_still(moves, shows.points)


def _is_same_part(points: PointMap | None, part: Laid | None) -> bool:
    if points is None or part is None:
        return False
    if (_PART if part.fitting >= _PART_FITS else _PART_IF_LITTLE_FITS).holds(points):
        is_close = points.closely >= _PART_CLOSELY
        return is_close and _is_edited(part, _PART_WINDOWS) and _stands_still(part.moves, points)
    is_told = part.windows >= _PLAIN_PART_WINDOWS and part.fitting >= _PLAIN_PART_FITS
    return is_told and part.moves <= _STILL and part.moved <= _PLAIN_PART_MOVED


def _stands_still(moves: float, points: PointMap | None) -> bool:
    """Whether nothing moves but by what noise and recolouring bring; sure points bear more of that out."""
    return moves <= _STILL or any(moves <= most and sure.holds(points) for most, sure in _STILL_FOR_SURE)


def _is_edited(laid: Laid, windows: int) -> bool:
    """Whether pictures differ by no more than what is done to a photo: tone, writing, something small."""
    is_told = laid.windows >= windows and laid.fitting >= _LEAST_FITTING
    largest = _LARGEST_PIECE if laid.fitting >= _MUCH_FITS else _LARGEST_IF_LITTLE_FITS
    return (
        is_told
        and laid.moved <= _MOST_MOVED
        and laid.differing <= _MOST_DIFFERING
        and laid.largest <= largest
    )


def _went_elsewhere(points: PointMap | None, laid: Laid | None) -> bool:
    """Whether something in the picture went elsewhere."""
    if points is None or laid is None:
        return False
    return points.second >= _ELSEWHERE and laid.largest >= _PIECE_ELSEWHERE
