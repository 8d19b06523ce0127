"""Links between photos → groups in which every member is linked to every other, the best one first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Pair = tuple[int, int]
"""Two photos, the smaller number first."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Photos, by number, and what is known of pairs of them.

    `order` has the better photo first, `better` pairs of a winner and a loser that someone decided on.
    """

    order: tuple[int, ...]
    links: frozenset[Pair]
    better: frozenset[tuple[int, int]] = frozenset()
    _beside: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the photos that each one is linked to."""
        for first, second in self.links:
            self._beside.setdefault(first, set()).add(second)
            self._beside.setdefault(second, set()).add(first)

    def beside(self, number: int) -> set[int]:
        """Return the photos that one is linked to."""
        return self._beside.get(number, set())


def grouped(linked: Linked) -> list[list[int]]:
    """Return groups of two and more, the best of each first.

    All members are linked to each other: two photos that are only linked through a third, as two parts of
    one photo, come with it in a group each. A photo is a copy in one group at most; what is only linked to
    such copies comes with the best of them.
    """
    groups: list[list[int]] = []
    copies: set[int] = set()
    ordered = _ordered(linked)
    place = {number: at for at, number in enumerate(ordered)}
    for best in ordered:
        if best in copies:
            continue
        members = sorted(linked.beside(best) - copies, key=place.__getitem__)
        of_best: list[list[int]] = []
        for member in members:
            beside = linked.beside(member)
            group = next((each for each in of_best if beside.issuperset(each)), None)
            if group is None:
                of_best.append([best, member])
            else:
                group.append(member)
        copies.update(members)
        groups += of_best
    grouped_ones = {number for group in groups for number in group}
    for number in ordered:
        if number not in grouped_ones:
            other = min(linked.beside(number), key=place.__getitem__)
            groups.append(sorted((other, number), key=place.__getitem__))
    return groups


def unknown_pairs(linked: Linked, is_known: Callable[[Pair], bool], most: int) -> Iterable[Pair]:
    """Yield the pairs of photos that are both linked to a better one and were never compared.

    Of a photo with more than `most` linked to it, those of its `most` best.
    """
    place = {number: at for at, number in enumerate(linked.order)}
    for best in linked.order:
        beside = sorted(linked.beside(best), key=place.__getitem__)[:most]
        if len(beside) > 1 and place[beside[0]] > place[best]:
            for at, first in enumerate(beside):
                for second in beside[at + 1 :]:
                    pair = (min(first, second), max(first, second))
                    if not is_known(pair):
                        yield pair


def _ordered(linked: Linked) -> list[int]:
    """Return all linked photos, the better first; what someone decided counts before all else."""
    wins: Mapping[int, list[int]] = _by_loser(linked.better)
    done: dict[int, None] = {}

    def put(number: int, under_way: frozenset[int]) -> None:
        if number in done or number in under_way:  # decisions may go round in a circle
            return
        for winner in wins.get(number, ()):
            if winner in linked.beside(number):
                put(winner, under_way | {number})
        done.setdefault(number)

    for number in linked.order:
        if linked.beside(number):
            put(number, frozenset())
    return list(done)


def _by_loser(better: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for winner, loser in better:
        found.setdefault(loser, []).append(winner)
    return found
