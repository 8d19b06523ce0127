"""Copies of a whole collection: items → contents → links → groups. `find_copies` names the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from lookalike.copies.best import why_best
from lookalike.copies.describe import how
from lookalike.copies.grouping import Pair, components, grouped, pair_of
from lookalike.copies.groups import CopiesReport, Copy, CopyGroup, Level
from lookalike.copies.known import Known
from lookalike.copies.looking import LookingParts, Shelf, compare_pairs, hold_hashes, look_closely
from lookalike.copies.photos import ContentItems, by_content
from lookalike.decisions import Decision
from lookalike.matching.opencv import has_opencv
from lookalike.records import Item, Skipped
from lookalike.store.filters import Filter

_MOST_ROUNDS = 5
_MOST_COMPARED = 64  # that are linked, all of which are compared with each other


@dataclass(frozen=True, slots=True)
class CopiesWanted:
    """Which copies are wanted: of items that meet the conditions and that `is_wanted` takes.

    With `is_reference`, only groups that hold one of those and one of the others; the best is one of those.
    """

    level: Level = "photo"
    filters: Sequence[Filter] = ()
    is_wanted: Callable[[Item], bool] | None = None
    is_reference: Callable[[Item], bool] | None = None

    @property
    def are_all(self) -> bool:
        """Whether the whole collection is looked at."""
        return not self.filters and self.is_wanted is None


def find_copies(parts: LookingParts, wanted: CopiesWanted, *, look: bool) -> CopiesReport:
    """Return the groups of copies; with `look`, what is new is compared closely first.

    Without OpenCV, and of photos that were not compared yet, only bytes and hashes tell.
    """
    contents = by_content(parts.engine.items, wanted.filters, wanted.is_wanted)
    photos, skipped = list(contents.values()), list[Skipped]()
    if wanted.level == "file":
        return _report(_same_files(photos, wanted), len(photos), len(photos), skipped)
    decisions = _decided(parts.engine.decisions.all())
    if look and has_opencv():
        skipped = look_closely(parts, photos, are_all=wanted.are_all)
    else:
        hold_hashes(parts.notes, photos, parts.on_step)
    known = Known(parts.notes, photos, decisions, "photo")
    if look and has_opencv():
        _complete(parts, known)
    if wanted.level == "scene":  # of which long chains are not held against each other
        known = Known(parts.notes, photos, decisions, "scene")
    groups = _groups(known, wanted)
    return _report(groups, len(photos), len(known.compared), skipped)


def _report(groups: list[CopyGroup], photos: int, looked_at: int, skipped: Sequence[Skipped]) -> CopiesReport:
    """Put those groups first from which most bytes can be won."""
    groups.sort(key=lambda group: -sum(copy.item.stamp.size for copy in group.copies))
    return CopiesReport(tuple(groups), photos, looked_at, tuple(skipped))


def _complete(parts: LookingParts, known: Known) -> None:
    """Compare all that are linked, through others, too, with each other: they may be no neighbours.

    Of very many, the best is compared with all, then the best of what is no copy of it, and so on. What is
    found may tell that another one is the best, so that it is done until nothing new is compared.
    """
    shelf = Shelf(parts.notes, known.hashes())
    for _ in range(_MOST_ROUNDS):
        waiting = [each for each in components(known.linked()) if len(each) > 2]
        compared = 0
        for done, component in enumerate(waiting):
            parts.on_step("grouping", done, len(waiting))
            if len(component) <= _MOST_COMPARED:
                compared += _compare(known, shelf, combinations(sorted(component), 2))
            else:
                compared += _compare_with_best(known, shelf, component)
        if not compared:
            break


def _compare_with_best(known: Known, shelf: Shelf, component: list[int]) -> int:
    """Compare the best one with the others, then the best of what is no copy of it."""
    compared, left = 0, component
    while len(left) > 1:
        best, *others = left
        compared += _compare(known, shelf, (pair_of(best, other) for other in others))
        left = [other for other in others if pair_of(best, other) not in known.links]
    return compared


def _compare(known: Known, shelf: Shelf, pairs: Iterable[Pair]) -> int:
    """Compare those pairs of which nothing is known; returns how many."""
    new = [pair for pair in pairs if not known.is_known(pair)]
    if new:
        known.notes.put_pairs(compare_pairs(shelf, new))
        for pair in new:
            known.learn(pair)
    return len(new)


def _groups(known: Known, wanted: CopiesWanted) -> list[CopyGroup]:
    """Make groups of linked photos, and of those that are one file at several places."""
    found, seen = list[CopyGroup](), set[int]()
    for members in grouped(known.linked(), known.are_together):
        seen.update(members)
        found += _group(known, members, wanted)
    single = [photo for number, photo in known.photos.items() if number not in seen]
    return found + _same_files(single, wanted)


def _group(known: Known, members: Sequence[int], wanted: CopiesWanted) -> list[CopyGroup]:
    best, *others = members
    photo = known.photos[best]
    copies = [Copy(item, ("same file",), _STILL) for item in photo.items[1:]]
    for other in others:
        link = known.link(other, best)
        words = how(known.photos[other].first, photo.first, link)
        copies += [Copy(item, words, link.mapping) for item in known.photos[other].items]
    reasons = why_best(
        photo.first,
        [known.photos[other].first for other in others],
        is_chosen=any(_is_chosen(known, best, other) for other in others),
        is_frame_elsewhere=not known.frames().isdisjoint(others),
    )
    level: Level = "scene" if any(known.link(other, best).is_scene for other in others) else "photo"
    is_decided = all(known.decisions.get(pair_of(best, other)) is not None for other in others)
    return _with_reference(CopyGroup(level, photo.first, reasons, tuple(copies), is_decided), wanted)


_STILL = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def _is_chosen(known: Known, best: int, other: int) -> bool:
    decision = known.decisions.get(pair_of(best, other))
    return decision is not None and decision.verdict in ("first is best", "second is best")


def _same_files(photos: Sequence[ContentItems], wanted: CopiesWanted) -> list[CopyGroup]:
    found = list[CopyGroup]()
    for photo in photos:
        if len(photo.items) > 1:
            copies = tuple(Copy(item, ("same file",), _STILL) for item in photo.items[1:])
            found += _with_reference(CopyGroup("file", photo.first, ("added first",), copies), wanted)
    return found


def _with_reference(group: CopyGroup, wanted: CopiesWanted) -> list[CopyGroup]:
    """Return a group as it is held against a reference: that has the best one, all else is a copy."""
    is_reference = wanted.is_reference
    if is_reference is None:
        return [group]
    kept = [item for item in group.items if is_reference(item)]
    others = [copy for copy in group.copies if not is_reference(copy.item)]
    if not kept or (not others and is_reference(group.best)):
        return []
    if is_reference(group.best):
        return [CopyGroup(group.level, group.best, ("in the folder held against",), tuple(others))]
    others.insert(0, Copy(group.best, ("same photo",)))
    return [CopyGroup(group.level, kept[0], ("in the folder held against",), tuple(others))]


def _decided(decisions: Iterable[Decision]) -> dict[tuple[bytes, bytes], Decision]:
    return {(each.first, each.second): each for each in decisions}
