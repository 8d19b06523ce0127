"""Items without a query: by id, in their order, or by chance."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.engine.protocol import EngineItems
from lookalike.errors import DamagedError, NotFoundError
from lookalike.records import Item
from lookalike.store.filters import Filter


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


def random_items(items: EngineItems, filters: Sequence[Filter], count: int) -> list[Item]:
    """Return up to `count` different items that meet the conditions, by chance."""
    ids = items.random(filters, count)
    found = items.get(ids)
    return [found[item_id] for item_id in ids if item_id in found]
