"""What was found: groups of copies, each with its best member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lookalike.records import Item, Skipped

Level = Literal["file", "photo", "scene"]
"""How much two items are the same, each level with all of those before it.

"file": the same bytes. "photo": one comes from the other, saved anew, resized, recoloured, blurred, framed,
written on, cropped, turned or mirrored. "scene": shots of one moment or thing.
"""

Mapping = tuple[float, float, float, float, float, float]
"""`a b c d e f` of `x' = a x + c y + e`, `y' = b x + d y + f`, as in CSS: where a point of a copy lies in the
best one. Both are upright, and their longest sides are 1."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A member of a group that is not its best, and how it is a copy of that.

    `how` says it in words, the most telling first: "same file", "mirrored", "turned 90°", "cropped",
    "framed", "smaller", "larger", "grey", "edited", "saved anew", "same scene". `mapping` is None where
    it was not looked for.
    """

    item: Item
    how: tuple[str, ...]
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Items that are all copies of each other; `why_best` says why `best` is suggested.

    `is_decided` tells that someone has looked at it: all its pairs are to be kept, or have a best one.
    """

    level: Level
    best: Item
    why_best: tuple[str, ...]
    copies: tuple[Copy, ...]
    is_decided: bool = False

    @property
    def key(self) -> str:
        """Name the group by its contents, so that it is the same on every page and after a restart."""
        contents = sorted({item.content_hash for item in self.items})
        return "-".join(each.hex()[:12] for each in contents[:4]) + f"-{len(self.items)}"

    @property
    def items(self) -> tuple[Item, ...]:
        """All members, the best first."""
        return (self.best, *(each.item for each in self.copies))


@dataclass(frozen=True, slots=True)
class CopiesReport:
    """Groups of copies, those with most to win first; and what is not known yet.

    `looked_at` of the `photos` in question were compared closely; the others only by bytes and hash.
    `skipped` could not be looked at, with the reason.
    """

    groups: tuple[CopyGroup, ...]
    photos: int
    looked_at: int
    skipped: tuple[Skipped, ...] = ()
