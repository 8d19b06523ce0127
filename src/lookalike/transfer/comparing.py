"""Holding two collections against each other: how many items and vectors they have, and their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lookalike.engine.protocol import Engine
from lookalike.engine.writing import SERVED_IN_PART, ItemStore
from lookalike.errors import DamagedError, UnreachableError
from lookalike.records import Item, Space
from lookalike.store.rows import encode_metadata

_PAGE = 500
ITEMS = "items"


@dataclass(slots=True)
class Side:
    """One collection of the two."""

    engine: Engine
    store: ItemStore
    name: str
    spaces: list[Space] = field(default_factory=list)

    def same(self, space: Space) -> Space:
        """Return the space here that has the name of one there."""
        return next(each for each in self.spaces if each.name == space.name)

    def pages_of_ids(self) -> Iterator[list[int]]:
        """Yield the ids of all items, damaged ones among them, ascending, some at a time."""
        last = 0
        while ids := self.engine.items.matching((), after=last, limit=_PAGE).tolist():
            yield ids
            last = ids[-1]


@dataclass(slots=True)
class Summed:
    """How many were `seen`, damaged ones among them, and count and sha256 of those that are compared."""

    seen: int = 0
    count: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, part: bytes) -> None:
        """Take in the next one; the order of ids is the order."""
        self.count += 1
        self._hash.update(hashlib.sha256(part).digest())

    @property
    def digest(self) -> str:
        """The sha256 of all of them."""
        return self._hash.hexdigest()


def counted(side: Side) -> dict[str, int]:
    """Return how many items there are, and vectors of each space."""
    counts = {_of(space): side.engine.vectors(space).count() for space in side.spaces}
    return {ITEMS: side.engine.items.count(), **counts}


def summed(side: Side, spaces: Sequence[Space], without: Container[int]) -> dict[str, Summed]:
    """Sum up all items, and their vectors of some spaces, but those with the ids `without`."""
    found = {ITEMS: Summed(), **{_of(space): Summed() for space in spaces}}
    for ids in side.pages_of_ids():
        found[ITEMS].seen += len(ids)
        items = side.engine.items.get(ids)
        kept = {item_id for item_id in items if item_id not in without}
        for item_id in sorted(kept):
            found[ITEMS].add(_facts(items[item_id]))
        for space in spaces:
            block = side.engine.vectors(space).fetch(ids)
            found[_of(space)].seen += len(block.ids) + len(block.damaged)
            order = np.argsort(block.ids)
            for item_id, row in zip(block.ids[order].tolist(), block.rows[order], strict=True):
                if item_id in kept:
                    found[_of(space)].add(b"%d " % item_id + np.ascontiguousarray(row, "<f4").tobytes())
    return found


def check_unchanged(side: Side, before: Mapping[str, int], found: Mapping[str, Summed]) -> None:
    """Raise `UnreachableError` where an engine of many machines has told now fewer, now more."""
    after = counted(side) if side.store.folder is None else dict(before)
    for name, summed_up in found.items():
        if side.store.folder is None and not before[name] == summed_up.seen == after[name]:
            raise UnreachableError(f"{side.name} {SERVED_IN_PART}")


def check_decisions(old: Side, new: Side) -> None:
    """Raise `DamagedError` where a decision of the source is not among those of its copy."""
    missing = set(old.engine.decisions.all()) - set(new.engine.decisions.all())
    if missing:
        raise DamagedError(
            f"{len(missing):,} of the decisions in {old.name} are not in {new.name}; run it again"
        )


def _of(space: Space) -> str:
    return f"vectors by {space.name}"


def _facts(item: Item) -> bytes:
    facts = (item.id, item.uri, item.content_hash, item.stamp, encode_metadata(item.metadata))
    return repr((*facts, item.text, item.places)).encode("utf-8", "surrogatepass")
