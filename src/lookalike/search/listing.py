"""Items without a query: by id, in their order, or by chance."""

from __future__ import annotations

import logging
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import SupportsIndex

import numpy as np

from lookalike.engine.protocol import EngineItems, EngineVectors
from lookalike.errors import DamagedError, NotFoundError
from lookalike.records import Item, Vectors
from lookalike.store.filters import Filter

_PAGE = 1_000  # items looked up together
_LOG = logging.getLogger(__name__)


def find_item(items: EngineItems, item_id: int) -> Item:
    """Return an item; raises `NotFoundError`, or `DamagedError` where it is not what was written."""
    found = items.get([item_id])
    if item_id in found:
        return found[item_id]
    if items.damaged([item_id]):
        raise DamagedError(f"item {item_id} is damaged; run: lookalike verify --repair")
    raise NotFoundError(f"item {item_id} is not in this collection")


def list_items(items: EngineItems, filters: Sequence[Filter], *, limit: int, after: int) -> list[Item]:
    """Return up to `limit` items that meet the conditions, by ascending id, beyond the id `after`."""
    found: list[Item] = []
    while len(found) < limit:  # a damaged item makes room for the next
        ids = items.matching(filters, after=after, limit=limit - len(found)).tolist()
        if not ids:
            break
        sound = items.get(ids)
        found += [sound[item_id] for item_id in ids if item_id in sound]
        after = ids[-1]
    return found


def every_item(items: EngineItems) -> Iterator[Item]:
    """Yield all items by ascending id, some looked up at a time; a warning tells of damaged ones."""
    after, damaged = 0, 0
    while ids := items.matching([], after=after, limit=_PAGE).tolist():
        sound = items.get(ids)
        yield from (sound[each] for each in ids if each in sound)
        if len(sound) < len(ids):
            damaged += len(items.damaged([each for each in ids if each not in sound]))
        after = ids[-1]
    if damaged:
        _LOG.warning("%d damaged items were left out; run: lookalike verify --repair", damaged)


def rows_in_order(vectors: EngineVectors, ids: Iterable[SupportsIndex] | None) -> Vectors:
    """Return the vectors `(n, dim)` of items in the order of `ids`, or of all by ascending id.

    Raises `NotFoundError` for an item without one, `DamagedError` where one is not what was written.
    """
    wanted = vectors.ids() if ids is None else np.array([operator.index(each) for each in ids], np.int64)
    block = vectors.fetch(np.unique(wanted).tolist())
    if block.damaged:
        damaged = block.damaged[0]
        raise DamagedError(f"the vector of item {damaged} is damaged; run: lookalike verify --repair")
    if ids is None:  # without what was removed a moment ago
        return block.rows
    missing = np.setdiff1d(wanted, block.ids)
    if len(missing):
        raise NotFoundError(f"item {missing[0]} has no vector in this space")
    return block.rows[np.searchsorted(block.ids, wanted)]


def random_items(items: EngineItems, filters: Sequence[Filter], count: int) -> list[Item]:
    """Return up to `count` different items that meet the conditions, by chance."""
    ids = items.random(filters, count)
    found = items.get(ids)
    return [found[item_id] for item_id in ids if item_id in found]
