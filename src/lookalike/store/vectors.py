"""The vectors of one space: reading them checked, and what changed since an index was built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.records import Ids, Space, Vectors
from lookalike.store.clock import read_clock
from lookalike.store.database import Database
from lookalike.store.rows import decode_vectors, has_direction, marks, sound_vectors, vector_is_sound

_PAGE = 320  # vectors at a time: 0.6 to 1.6 MB of them


@dataclass(frozen=True, slots=True)
class VectorBlock:
    """Some items' vectors: `ids` `(n,)`, `rows` `(n, dim)`, and the ids whose stored bytes are damaged."""

    ids: Ids
    rows: Vectors
    damaged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a space after some moment of the clock."""

    seq: int
    written: Ids
    removed: Ids


class SpaceVectors:
    """The vectors of one space."""

    def __init__(self, database: Database, space: Space) -> None:
        self._database = database
        self._table = f"vectors_{space.id}"
        self._space = space
        self._dim = space.dim

    def count(self) -> int:
        """How many vectors there are."""
        with self._database.reading() as connection:
            return int(connection.execute(f"SELECT count(*) FROM {self._table}").fetchone()[0])

    def missing(self, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of up to `limit` items beyond `after` that have no vector here, ascending."""
        sql = (
            f"SELECT id FROM items WHERE id > ? AND id NOT IN (SELECT item_id FROM {self._table}) "
            "ORDER BY id LIMIT ?"
        )
        ids = [row[0] for row in self._database.fetch(sql, (after, limit))]
        self._database.check_order(ids, after)
        return _ids(ids)

    def count_missing(self) -> int:
        """How many items have no vector here."""
        sql = f"SELECT count(*) FROM items WHERE id NOT IN (SELECT item_id FROM {self._table})"
        return int(self._database.fetch(sql)[0][0])

    def drop_damaged(self) -> int:
        """Delete the vectors whose bytes are not what was written; returns how many they were."""
        damaged = [item_id for block in self.blocks() for item_id in block.damaged]
        with self._database.writing() as connection:
            for item_id in damaged:
                connection.execute(f"DELETE FROM {self._table} WHERE item_id = ?", (item_id,))
        return len(damaged)

    def seq(self) -> int:
        """Return the clock of the store; it stands still while nothing changes."""
        with self._database.reading() as connection:
            return read_clock(connection).seq

    def ids(self) -> Ids:
        """Return the ids of all items that have a vector, ascending."""
        with self._database.reading() as connection:
            rows = connection.execute(f"SELECT item_id FROM {self._table} ORDER BY item_id").fetchall()
        return _ids([row[0] for row in rows])

    def draw(self, count: int, chance: np.random.Generator) -> Ids:
        """Return the ids of up to `count` items that have a vector, drawn by chance, ascending."""
        ids = self.ids()
        return np.sort(ids[chance.permutation(len(ids))[:count]])

    def fetch(self, item_ids: Sequence[int]) -> VectorBlock:
        """Return the vectors of those items that still have one, in ascending order of id."""
        if len(item_ids) <= _PAGE:
            return self._page(item_ids)
        rows = np.empty((len(item_ids), self._dim), np.float32)  # once: joining pages would need it twice
        ids: list[Ids] = []
        damaged: list[int] = []
        filled = 0
        for block in self.blocks_of(_ids(list(item_ids))):
            rows[filled : filled + len(block.ids)] = block.rows
            filled += len(block.ids)
            ids.append(block.ids)
            damaged.extend(block.damaged)
        return VectorBlock(np.concatenate(ids), rows[:filled], tuple(damaged))

    def blocks_of(self, item_ids: Ids) -> Iterator[VectorBlock]:
        """Yield the vectors of those items that still have one, some at a time."""
        for at in range(0, len(item_ids), _PAGE):
            yield self._page(item_ids[at : at + _PAGE].tolist())

    def blocks(self, rows: int = _PAGE) -> Iterator[VectorBlock]:
        """Yield all vectors in the order of their ids, `rows` at a time, in steady memory."""
        last = 0
        sql = (
            f"SELECT item_id, checksum, vector FROM {self._table} WHERE item_id > ? ORDER BY item_id LIMIT ?"
        )
        while True:
            with self._database.reading() as connection:
                page = connection.execute(sql, (last, rows)).fetchall()
            if not page:
                return
            self._database.check_order([row[0] for row in page], last)
            yield self._block(page)
            last = page[-1][0]

    def changes(self, since: int) -> Changes:
        """Return which items were written or removed after the clock showed `since`."""
        with self._database.reading() as connection:
            seq = read_clock(connection).seq
            written = connection.execute(
                f"SELECT item_id FROM {self._table} WHERE seq > ?", (since,)
            ).fetchall()
            removed = connection.execute("SELECT item_id FROM removals WHERE seq > ?", (since,)).fetchall()
        return Changes(seq, _ids([row[0] for row in written]), _ids([row[0] for row in removed]))

    def _page(self, item_ids: Sequence[int]) -> VectorBlock:
        sql = f"SELECT item_id, checksum, vector FROM {self._table} WHERE item_id IN ({marks(item_ids)})"
        return self._block(self._database.fetch(sql, item_ids))

    def _block(self, rows: list[tuple[int, int, bytes]]) -> VectorBlock:
        sound = sound_vectors(self._space, rows)
        damaged: tuple[int, ...] = ()
        if len(sound) < len(rows):
            damaged = tuple(row[0] for row in rows if not vector_is_sound(self._space, *row))
        vectors = decode_vectors([row[2] for row in sound], self._dim)
        if not math.isfinite(float(vectors.ravel() @ vectors.ravel())):  # as older versions took them
            damaged += tuple(row[0] for row in sound if not has_direction(row[2]))
            sound = [row for row in sound if has_direction(row[2])]
            vectors = decode_vectors([row[2] for row in sound], self._dim)
        return VectorBlock(_ids([row[0] for row in sound]), vectors, damaged)


def _ids(values: list[int]) -> Ids:
    return np.array(values, np.int64)
