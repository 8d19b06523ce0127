"""Groups of copies at places that stay, while some are decided and others are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from lookalike.copies.groups import CopiesReport, CopyGroup
from lookalike.decisions import Different
from lookalike.records import Item

State = Literal["open", "decided", "all"]
Present = Callable[[Sequence[Item]], Set[int]]
"""Returns the ids of those items that are still in the collection as they were."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Some groups; `next` is the place to go on from, now or when there is `more`."""

    groups: tuple[CopyGroup, ...]
    next: int
    more: bool


@dataclass(frozen=True, slots=True)
class Review:
    """The groups of one report, each at its place; None where one is no more.

    A group that was decided to be none stays where it was, as decided: who goes through them page by page
    skips nothing, and sees it again who looks for what was decided.
    """

    report: CopiesReport
    places: tuple[CopyGroup | None, ...] = ()

    def renewed(self, report: CopiesReport, different: Different, present: Present) -> Review:
        """Return the review of a newer report: what is left of a group keeps its place, new ones follow."""
        old = {place: group for place, group in enumerate(self.places) if group is not None}
        place_of = {item.id: place for place, group in old.items() for item in group.items}
        places: list[CopyGroup | None] = [None] * len(self.places)
        for group in report.groups:
            known = (place_of[item.id] for item in group.items if item.id in place_of)
            place = next((place for place in known if places[place] is None), None)
            if place is None:
                places.append(group)
            else:
                places[place] = group
        vanished = {place: group for place, group in old.items() if places[place] is None}
        left = present([item for group in vanished.values() for item in group.items])
        for place, group in vanished.items():
            places[place] = _decided_apart(group, different, left)
        return Review(report, tuple(places))

    @property
    def groups(self) -> list[CopyGroup]:
        """All groups."""
        return [group for group in self.places if group is not None]

    def page(self, offset: int, limit: int, state: State) -> ReviewPage:
        """Return up to `limit` groups of that state from a place on."""
        found: list[CopyGroup] = []
        following = offset
        for place, group in enumerate(self.places[offset:], offset):
            if group is None or state not in ("all", "decided" if group.is_decided else "open"):
                continue
            if len(found) == limit:
                return ReviewPage(tuple(found), following, more=True)
            found.append(group)
            following = place + 1
        return ReviewPage(tuple(found), max(offset, len(self.places)), more=False)


def _decided_apart(group: CopyGroup, different: Different, left: Set[int]) -> CopyGroup | None:
    """Return a group that is none any more as decided, if it was; None where its photos are gone."""
    items = [item for item in group.items if item.id in left]
    contents = {item.content_hash for item in items}
    if not any(different.get(content, set()) & contents for content in contents):
        return None
    copies = tuple(each for each in group.copies if each.item in items[1:])
    return replace(group, best=items[0], copies=copies, is_decided=True)
