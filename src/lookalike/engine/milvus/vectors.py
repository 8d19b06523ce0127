"""The vectors of one space in Milvus, read back as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lookalike.engine.milvus.books import Books
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.items import CHANCES, drawn_by_chance, pages_of
from lookalike.engine.milvus.rows import vector_is_sound, vector_of
from lookalike.records import Ids, Space, Vectors
from lookalike.store.vectors import VectorBlock

_PAGE = 250  # vectors at a time: 1.3 MB of them
_MOST_IDS = 16_384
_ASKED = 4_000


class MilvusVectors:
    """The vectors of a space; see `engine.protocol.EngineVectors`."""

    def __init__(
        self, books: Books, name: str, space: Space, clock: Callable[[], int], items_name: Callable[[], str]
    ) -> None:
        self._connection = books.connection
        self._items_name = items_name
        self.name = name
        self.space = space
        self._clock = clock

    def count(self) -> int:
        """How many vectors there are."""
        return self._connection.count(self.name)

    def seq(self) -> int:
        """Return a clock that stands still while nothing changes."""
        return self._clock()

    def ids(self) -> Ids:
        """Return the ids of all items that have a vector, ascending."""
        pages = pages_of(self._connection, self.name, "", ["id"], _MOST_IDS)
        found = [row["id"] for page in pages for row in page]
        return np.array(found, np.int64)

    def draw(self, count: int, chance: np.random.Generator) -> Ids:
        """Return the ids of up to `count` items that have a vector, drawn by chance, ascending."""
        total = self.count()
        ids = self.ids() if total <= _MOST_IDS else self._window(2 * count / total, chance)
        return np.sort(ids[chance.permutation(len(ids))[:count]])

    def _window(self, share: float, chance: np.random.Generator) -> Ids:
        where = drawn_by_chance(min(1.0, share), int(chance.integers(CHANCES)))
        found = self._connection.query(self.name, where, ["id"], limit=_MOST_IDS)
        return np.array([row["id"] for row in found], np.int64)

    def fetch(self, item_ids: Sequence[int]) -> VectorBlock:
        """Return the vectors of those items that still have one, in ascending order of id."""
        return _joined(list(self.blocks_of(np.array(item_ids, np.int64))), self.space.dim)

    def blocks(self, rows: int = _PAGE) -> Iterator[VectorBlock]:
        """Yield all vectors in the order of their ids, `rows` at a time, in steady memory."""
        for page in pages_of(self._connection, self.name, "", ["id", "checksum", "vector"], rows):
            yield self._block(page)

    def blocks_of(self, item_ids: Ids) -> Iterator[VectorBlock]:
        """Yield the vectors of those items that still have one, some at a time."""
        for at in range(0, len(item_ids), _PAGE):
            some = one_of("id", item_ids[at : at + _PAGE].tolist())
            page = self._connection.query(self.name, some, ["id", "checksum", "vector"])
            yield self._block(sorted(page, key=lambda row: row["id"]))

    def count_missing(self) -> int:
        """How many items have no vector here."""
        return 0 if self._is_whole() else sum(len(ids) for ids in self._missing_pages(0))

    def missing(self, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of up to `limit` items beyond `after` that have no vector here, ascending."""
        found: list[int] = []
        for ids in () if self._is_whole() else self._missing_pages(after):
            found += ids
            if 0 <= limit <= len(found):
                found = found[:limit]
                break
        return np.array(found, np.int64)

    def _is_whole(self) -> bool:
        """Whether all items have one: vectors go before their items, and come after them."""
        items = self._items_name()
        return items == self.name or self._connection.count(items) == self.count()

    def _missing_pages(self, after: int) -> Iterator[list[int]]:
        for page in pages_of(self._connection, self._items_name(), "", ["id"], _ASKED, after):
            ids = [row["id"] for row in page]
            rows = self._connection.query(self.name, one_of("id", ids), ["id"])
            yield sorted(set(ids) - {row["id"] for row in rows})

    def _block(self, page: list[dict[str, Any]]) -> VectorBlock:
        ids, rows, damaged = [], [], []
        for found in page:
            row = vector_of(found)
            if len(row) == self.space.dim and vector_is_sound(found, row):
                ids.append(found["id"])
                rows.append(row)
            else:
                damaged.append(found["id"])
        stacked: Vectors = np.stack(rows) if rows else np.empty((0, self.space.dim), np.float32)
        return VectorBlock(np.array(ids, np.int64), stacked, tuple(damaged))


def _joined(blocks: list[VectorBlock], dim: int) -> VectorBlock:
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return VectorBlock(np.empty(0, np.int64), np.empty((0, dim), np.float32))
    ids = np.concatenate([block.ids for block in blocks])
    rows = np.concatenate([block.rows for block in blocks])
    order = np.argsort(ids)
    return VectorBlock(ids[order], rows[order], tuple(each for block in blocks for each in block.damaged))
