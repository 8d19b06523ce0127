"""Many queries at once: what several of them need is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from lookalike.engine.protocol import EngineItems, EngineVectors
from lookalike.records import Ids, Item, Vectors
from lookalike.store.vectors import VectorBlock

_MOST_NUMBERS = 32_000_000  # of the vectors that are held at once: 128 MB

_T = TypeVar("_T")


class LookedUp:
    """Items of an engine, each looked up once."""

    def __init__(self, items: EngineItems) -> None:
        self._items = items
        self._asked: set[int] = set()
        self._found: dict[int, Item] = {}

    def get(self, item_ids: Sequence[int]) -> dict[int, Item]:
        """Return those of the items that exist and are sound, by id."""
        new = [each for each in item_ids if each not in self._asked]
        if new:
            self._asked.update(new)
            self._found |= self._items.get(new)
        return {each: self._found[each] for each in item_ids if each in self._found}


def for_each_query(
    vectors: EngineVectors, dim: int, candidates: Sequence[Ids], call: Callable[[VectorBlock, int], _T]
) -> list[_T]:
    """Return what `call(block, at)` gives for each query and the vectors of its candidates; in order.

    `dim` is how many numbers a vector has. `call` keeps no rows of the block but as a copy.
    """
    if len(candidates) == 1:
        return [call(vectors.fetch(candidates[0].tolist()), 0)]
    made: list[_T] = []
    for group in _groups(_MOST_NUMBERS // dim, vectors.count(), candidates):
        wanted = np.unique(np.concatenate([candidates[at] for at in group]))
        fetched = _Fetched(vectors.fetch(wanted.tolist()))
        made += [call(fetched.of(candidates[at]), at) for at in group]
    return made


class _Fetched:
    """Vectors that were fetched before."""

    def __init__(self, block: VectorBlock) -> None:
        self._block = block
        self._damaged = set(block.damaged)
        self._room = np.empty((0, block.rows.shape[1]), np.float32)

    def of(self, item_ids: Ids) -> VectorBlock:
        """Return the vectors of some items; the next call overwrites the rows."""
        wanted = np.sort(item_ids)
        places = np.searchsorted(self._block.ids, wanted)
        is_there = self._block.ids.take(places, mode="clip") == wanted
        is_there[1:] &= wanted[1:] != wanted[:-1]
        if not is_there.all():
            wanted, places = wanted[is_there], places[is_there]
        damaged = tuple(self._damaged.intersection(item_ids.tolist())) if self._damaged else ()
        return VectorBlock(wanted, self._rows(places), damaged)

    def _rows(self, places: Ids) -> Vectors:
        """Return the vectors at some places, in memory that is used again: new memory is slow."""
        if len(self._room) < len(places):
            self._room = np.empty((len(places), self._room.shape[1]), np.float32)
        return self._block.rows.take(places, axis=0, out=self._room[: len(places)], mode="clip")


def _groups(most: int, total: int, candidates: Sequence[Ids]) -> Iterator[range]:
    """Yield so many queries at a time that they have no more than `most` of the `total` vectors."""
    first, held = 0, 0
    for at, ids in enumerate(candidates):
        if held and min(held + len(ids), total) > most:
            yield range(first, at)
            first, held = at, 0
        held += len(ids)
    if candidates:
        yield range(first, len(candidates))
