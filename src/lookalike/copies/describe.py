"""How a photo is a copy of another, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lookalike.copies.groups import Mapping
from lookalike.copies.near import inverse_of
from lookalike.copies.notes import FoundMatch
from lookalike.matching.hashes import TURN_NAMES
from lookalike.matching.verify import Match
from lookalike.records import Hit, Item
from lookalike.search.copies import resized

_WHOLE = 0.93  # share of a frame from which it is all there
_UPRIGHT = 1.5  # degrees that are no turn
_EDITED = 0.01  # share of the frame that differs
_BLURRED = 1.0  # pixels by which one is softer, of 192


@dataclass(frozen=True, slots=True)
class Link:
    """What a photo is to another: what was found from it to the other, or only how it lies, by the hashes.

    `turn`, of `TURNS`, makes the photo of the other one.
    """

    found: FoundMatch | None
    turn: int = 0

    def turned_round(self) -> Link:
        """Return the same from the other photo's side."""
        if self.found is None:
            return Link(None, inverse_of(self.turn))
        match, frame = self.found.match, self.found.frame
        other = {"": "", "first": "second", "second": "first"}[frame]
        back = replace(
            match,
            matrix=_inverse(match.matrix),
            first_shown=match.second_shown,
            second_shown=match.first_shown,
        )
        return Link(FoundMatch(back, other))  # type: ignore[arg-type]  # one of the three

    @property
    def is_scene(self) -> bool:
        """Whether they are but shots of one scene."""
        return self.found is not None and self.found.match.level == "scene"

    @property
    def is_mirrored(self) -> bool:
        """Whether the one is mirrored beside the other."""
        if self.found is None:
            return "mirrored" in TURN_NAMES[self.turn]
        a, b, c, d, *_ = self.found.match.matrix
        return a * d - b * c < 0

    @property
    def mapping(self) -> Mapping | None:
        """What maps the photo onto the other."""
        return None if self.found is None else self.found.match.matrix


def how(copy: Item | Hit, best: Item | Hit, link: Link) -> tuple[str, ...]:
    """Say how a photo is a copy of the best one, the most telling first."""
    if link.found is None:
        return (*TURN_NAMES[link.turn], *resized(copy, best), "by its hash")
    match = link.found.match
    if match.level == "scene":
        return ("same scene",)
    words = [*_lying(match), *_framed(match, link.found.frame)]
    if not words or words[0].startswith(("mirrored", "turned")):
        words += resized(copy, best)
    if match.differing > _EDITED or match.blur >= _BLURRED:
        words.append("edited")
    return tuple(words) or ("saved anew",)


def _lying(match: Match) -> list[str]:
    """Say how the copy was mirrored first, and turned clockwise then, from the best one."""
    a, b, c, d, *_ = _inverse(match.matrix)
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        a, b = -a, -b  # as if it were mirrored back, left to right
    angle = math.degrees(math.atan2(b, a)) % 360
    quarter = round(angle / 90) % 4 * 90
    words = ["mirrored"] if is_mirrored else []
    if abs((angle - quarter + 180) % 360 - 180) > _UPRIGHT:
        words.append(f"turned {angle if angle <= 180 else angle - 360:.0f}°")
    elif quarter:
        words.append(f"turned {quarter}°")
    return words


def _framed(match: Match, frame: str) -> list[str]:
    if frame == "first":
        return ["framed"]
    words = []
    if match.second_shown < _WHOLE:
        words.append("without the frame" if frame == "second" else "cropped")
    if match.first_shown < _WHOLE and not words:
        words.append("shows more")
    return words


def share_in_common(
    one: Mapping, other: Mapping, one_sides: tuple[float, float], other_sides: tuple[float, float]
) -> float:
    """Return how much of one of two parts of a photo lies in the other, of that of which it is more.

    The maps lead from the parts to the photo; the sides are width and height, the longer one 1.
    """
    return max(_share(one, other, one_sides, other_sides), _share(other, one, other_sides, one_sides))


def _share(one: Mapping, other: Mapping, sides: tuple[float, float], into: tuple[float, float]) -> float:
    matrix = np.linalg.inv(_square(other)) @ _square(one)
    places = (np.arange(16) + 0.5) / 16
    x, y = (each.ravel() for each in np.meshgrid(places * sides[0], places * sides[1]))
    right, down = (matrix @ np.stack([x, y, np.ones_like(x)]))[:2]
    return float(((right >= 0) & (right <= into[0]) & (down >= 0) & (down <= into[1])).mean())


def _square(mapping: Mapping) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    a, b, c, d, e, f = mapping
    return np.array([[a, c, e], [b, d, f], [0, 0, 1]])


def _inverse(matrix: Mapping) -> Mapping:
    a, b, c, d, e, f = matrix
    area = a * d - b * c
    back = (d, -b, -c, a, c * f - d * e, b * e - a * f)
    a, b, c, d, e, f = (round(each / area, 6) for each in back)
    return a, b, c, d, e, f
