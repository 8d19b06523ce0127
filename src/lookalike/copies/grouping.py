"""Links between photos → groups in which every member is like every other, the best one first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Pair = tuple[int, int]
"""Two photos, the smaller number first."""


def pair_of(one: int, other: int) -> Pair:
    """Return two photos, the smaller number first."""
    return (one, other) if one < other else (other, one)


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


def grouped(linked: Linked, are_together: Callable[[int, int, int], bool]) -> list[list[int]]:
    """Return groups of two and more, the best of each first.

    Every member is linked to the best one, and `are_together(best, one, other)` says of any two others that
    they show the same, too: what is only linked through a third, as the left and the right half of a photo,
    comes with that in a group each. A photo is a copy in one group at most; what is only linked to such
    copies comes with the best of them.
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
            fits = (each for each in of_best if all(are_together(best, member, one) for one in each[1:]))
            group = next(fits, None)
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


def components(linked: Linked) -> Iterator[list[int]]:
    """Yield the photos that are linked to each other, through others, too: the better first."""
    place = {number: at for at, number in enumerate(linked.order)}
    seen: set[int] = set()
    for first in linked.order:
        if first in seen or not linked.beside(first):
            continue
        reached, waiting = {first}, [first]
        while waiting:
            new = linked.beside(waiting.pop()) - reached
            reached |= new
            waiting += new
        seen |= reached
        yield sorted(reached, key=place.__getitem__)


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
