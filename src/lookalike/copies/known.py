"""What is known of the links between photos: by a close look, by their hashes, by what people decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lookalike.copies.best import quality
from lookalike.copies.describe import Link, share_in_common
from lookalike.copies.grouping import Linked, Pair, components, pair_of
from lookalike.copies.groups import Level
from lookalike.copies.near import inverse_of
from lookalike.copies.notes import FoundMatch, Notes
from lookalike.copies.photos import ContentItems, hashes_of
from lookalike.decisions import Decision
from lookalike.matching.hashes import ALIKE_BITS

_NEARLY = 20  # one of so many links may be missing of a photo that all others are linked to
_COMMON = 0.02  # share of the one of two parts of a photo that lies in the other: they show the same there


class Known:
    """What is known of the links between photos, by number."""

    def __init__(
        self,
        notes: Notes,
        photos: Sequence[ContentItems],
        decisions: Mapping[tuple[bytes, bytes], Decision],
        level: Level,
    ) -> None:
        numbers = notes.known_numbers()
        self.photos = {numbers[each.content]: each for each in photos}
        self.notes, self._level = notes, level
        self.decisions = {
            pair_of(numbers[first], numbers[second]): each
            for (first, second), each in decisions.items()
            if numbers.get(first) in self.photos and numbers.get(second) in self.photos
        }
        self.compared = notes.compared() & set(self.photos)
        self._readable = notes.with_features() & set(self.photos)
        self.links: dict[Pair, Link] = {}
        self._read()

    def _read(self) -> None:
        """Read what was found; where that is not known, near hashes tell."""
        matches = self.notes.matches()
        for first, second, turn, bits in self.notes.near():
            is_open = not {first, second} <= self.compared
            if bits <= ALIKE_BITS and first in self.photos and second in self.photos and is_open:
                self.links[first, second] = Link(None, inverse_of(turn))
        for pair in list(self.links):
            if pair not in matches and self.notes.was_compared(*pair):
                del self.links[pair]
        for pair, found in matches.items():
            if pair[0] in self.photos and pair[1] in self.photos and self._counts(found):
                self.links[pair] = Link(found)
        for pair in filter(self._is_different, self.decisions):
            self.links.pop(pair, None)

    def learn(self, pair: Pair) -> None:
        """Read what was found of two photos a moment ago."""
        found = self.notes.match(*pair)
        if found is not None and self._counts(found) and not self._is_different(pair):
            self.links[pair] = Link(found)

    def are_together(self, best: int, one: int, other: int) -> bool:
        """Whether two copies of a photo show the same: enough of the one is in the other."""
        pair = pair_of(one, other)
        if self._is_different(pair):
            return False
        if pair in self.links:
            return True
        ours, theirs = self.link(one, best).mapping, self.link(other, best).mapping
        if ours is None or theirs is None:  # whole frames
            return True
        shapes = self.photos[one].sides, self.photos[other].sides
        return share_in_common(ours, theirs, *shapes) >= _COMMON

    def linked(self) -> Linked:
        """Return photos and links, the better photos first.

        Of many copies, the best is one of those that nearly all others are linked to, as the photo is that
        they were made of; an edit of it is beside others what it is not beside that.
        """
        frames, mirrored = self.frames(), self._mirrored()
        linked = Linked(tuple(self.photos), frozenset(self.links))
        by_quality = sorted(
            self.photos,
            key=lambda number: quality(
                self.photos[number],
                len(linked.beside(number)),
                is_frame=number in frames,
                is_mirrored=number in mirrored,
            ),
            reverse=True,
        )
        central = self._central(linked)
        order = sorted(by_quality, key=lambda number: number not in central)
        better = set()
        for (first, second), decision in self.decisions.items():
            contents = self.photos[first].content, self.photos[second].content
            best = {"first is best": decision.first, "second is best": decision.second}.get(
                str(decision.verdict)
            )
            if best is not None:
                better.add((first, second) if contents[0] == best else (second, first))
        return Linked(tuple(order), frozenset(self.links), frozenset(better))

    def _central(self, linked: Linked) -> set[int]:
        """Return the photos that nearly as many others are linked to as to any that they are linked to."""
        central = set[int]()
        for component in components(linked):
            counts = {number: len(linked.beside(number)) for number in component}
            most = max(counts.values())
            least = most - max(1, most // _NEARLY)
            central.update(number for number, count in counts.items() if count >= least)
        return central

    def _mirrored(self) -> set[int]:
        """Return the photos that are mirrored beside most of those that they are linked to."""
        counts: dict[int, int] = {}
        for pair, link in self.links.items():
            for number in pair:
                counts[number] = counts.get(number, 0) + (1 if link.is_mirrored else -1)
        return {number for number, count in counts.items() if count > 0}

    def frames(self) -> set[int]:
        """Return the photos that are but a frame around another."""
        found = set()
        for (first, second), link in self.links.items():
            if link.found is not None and link.found.frame:
                found.add(first if link.found.frame == "first" else second)
        return found

    def link(self, copy: int, best: int) -> Link:
        """Return what a photo is to another."""
        link = self.links[pair_of(copy, best)]
        return link if copy < best else link.turned_round()

    def is_known(self, pair: Pair) -> bool:
        """Whether it was told what two photos are to each other, or cannot be."""
        return pair in self.links or self.notes.was_compared(*pair) or not set(pair) <= self._readable

    def hashes(self) -> dict[int, bytes]:
        """Return the hashes of the photos that have one."""
        return hashes_of(self.notes, self.photos)

    def _is_different(self, pair: Pair) -> bool:
        decision = self.decisions.get(pair)
        return decision is not None and decision.verdict == "different"

    def _counts(self, found: FoundMatch) -> bool:
        return self._level == "scene" or found.match.level == "photo"
