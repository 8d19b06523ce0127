"""The items that meet some conditions, as searches in Milvus are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lookalike.engine.milvus.conditions import Conditions, one_of
from lookalike.engine.milvus.items import MOST_IDS, MilvusItems
from lookalike.records import Ids

_MOST_NAMED = 50_000  # ids in one expression


@dataclass(frozen=True, slots=True)
class MilvusSelection:
    """The `items` that meet some conditions: by their expression, or where that says too little by `ids`."""

    items: MilvusItems
    conditions: Conditions
    size: int
    ids: Ids | None = None

    def __len__(self) -> int:
        return self.size

    def count_among(self, item_ids: Iterable[int]) -> int:
        """How many of these items are selected: few, and so looked at one by one."""
        rows = self.items.sound_rows([int(each) for each in item_ids])
        return len(self.conditions.among(rows, self.items.places_of([row.id for row in rows])))

    def all_ids(self) -> Ids:
        """Return the ids of all of them."""
        if self.ids is not None:
            return self.ids
        pages = self.items.read_pages(self.conditions.expression, ["id"], MOST_IDS)
        return np.array([row["id"] for page in pages for row in page], np.int64)


def expressions_of(among: MilvusSelection | None) -> list[str]:
    """Return the conditions of as many searches as it takes to name all that is selected."""
    if among is None:
        return [""]
    if among.ids is None:
        return [among.conditions.expression]
    parts = range(0, len(among.ids), _MOST_NAMED)
    return [one_of("id", among.ids[at : at + _MOST_NAMED].tolist()) for at in parts]
