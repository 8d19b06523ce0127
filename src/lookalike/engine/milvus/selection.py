"""The items that meet some conditions, as searches in Milvus are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lookalike.engine.milvus.client import MilvusConnection
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.items import MOST_IDS, pages_of
from lookalike.records import Ids

_MOST_NAMED = 50_000  # ids in one expression
_NO_IDS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class MilvusSelection:
    """The items that meet some conditions: by an expression, or where that says too little by their ids.

    `name` is the Milvus collection of the items.
    """

    connection: MilvusConnection
    name: str
    expression: str
    size: int
    ids: Ids | None = None

    def __len__(self) -> int:
        return self.size

    def count_among(self, item_ids: Iterable[int]) -> int:
        """How many of these items are selected."""
        wanted = [int(each) for each in item_ids]
        if self.ids is not None or not wanted:
            return int(np.isin(wanted, _NO_IDS if self.ids is None else self.ids).sum())
        return self.connection.count(self.name, f"({self.expression}) and {one_of('id', wanted)}")

    def all_ids(self) -> Ids:
        """Return the ids of all of them."""
        if self.ids is not None:
            return self.ids
        pages = pages_of(self.connection, self.name, self.expression, ["id"], MOST_IDS)
        return np.array([row["id"] for page in pages for row in page], np.int64)


def expressions_of(among: MilvusSelection | None) -> list[str]:
    """Return the conditions of as many searches as it takes to name all that is selected."""
    if among is None:
        return [""]
    if among.ids is None:
        return [among.expression]
    parts = range(0, len(among.ids), _MOST_NAMED)
    return [one_of("id", among.ids[at : at + _MOST_NAMED].tolist()) for at in parts]
