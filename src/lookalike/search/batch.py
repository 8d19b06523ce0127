"""Many queries at once: what several of them need is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from lookalike.engine.protocol import EngineItems, EngineVectors
from lookalike.records import Ids, Item
from lookalike.store.vectors import VectorBlock

_MOST_NUMBERS = 32_000_000  # of the vectors that are held at once: 128 MB

_T = TypeVar("_T")


class Fetches(Protocol):
    """Where vectors are had by their items' ids; see `engine.protocol.EngineVectors.fetch`."""

    def fetch(self, item_ids: Sequence[int]) -> VectorBlock:
        """Return the vectors of those items that still have one, in ascending order of id."""


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
    vectors: EngineVectors, dim: int, candidates: Sequence[Ids], call: Callable[[Fetches, int], _T]
) -> list[_T]:
    """Return what `call(vectors, at)` gives for each query, which wants those candidates; in order.

    `dim` is how many numbers a vector has.
    """
    if len(candidates) == 1:
        return [call(vectors, 0)]
    made: list[_T] = []
    for group in _groups(_MOST_NUMBERS // dim, vectors.count(), candidates):
        wanted = np.unique(np.concatenate([candidates[at] for at in group]))
        fetched = _Fetched(vectors.fetch(wanted.tolist()))
        made += [call(fetched, at) for at in group]
    return made


class _Fetched:
    """Vectors that were fetched before."""

    def __init__(self, block: VectorBlock) -> None:
        self._block = block
        self._damaged = set(block.damaged)

    def fetch(self, item_ids: Sequence[int]) -> VectorBlock:
        """See `Fetches`."""
        wanted = np.unique(np.array(item_ids, np.int64))
        places = np.searchsorted(self._block.ids, wanted)
        is_there = places < len(self._block.ids)
        is_there[is_there] = self._block.ids[places[is_there]] == wanted[is_there]
        damaged = tuple(self._damaged.intersection(wanted.tolist())) if self._damaged else ()
        return VectorBlock(wanted[is_there], self._block.rows[places[is_there]], damaged)


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
