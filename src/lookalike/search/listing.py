"""Items without a query: in their order, or by chance."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.engine.protocol import EngineItems
from lookalike.records import Item
from lookalike.store.filters import Filter


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
