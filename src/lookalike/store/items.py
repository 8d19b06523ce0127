"""Reading items, and removing them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from lookalike.records import FileStamp, Ids, Item, Skipped, Space
from lookalike.store.clock import tick
from lookalike.store.commit import put_skipped
from lookalike.store.database import Database
from lookalike.store.facets import Facets, read_facets
from lookalike.store.filters import Filter, to_sql
from lookalike.store.rows import (
    ITEM_COLUMNS,
    ItemRow,
    decode_item,
    has_direction,
    item_is_sound,
    select,
    vector_is_sound,
    vectors_table,
)
from lookalike.store.spaces import read_spaces
from lookalike.store.text_columns import check_columns
from lookalike.store.text_rows import HoldsTexts, count_places, delete_text, read_texts

_PAGE = 1000


class Items:
    """The items of a collection, and the inputs that were skipped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holds_texts = HoldsTexts()

    def count(self) -> int:
        """How many items there are."""
        return self._number("SELECT count(*) FROM items")

    def is_empty(self) -> bool:
        """Whether there are none; unlike `count`, as quick for a million as for one."""
        return not self._number("SELECT EXISTS (SELECT 1 FROM items)")

    def count_skipped(self) -> int:
        """How many inputs are on record as skipped."""
        return self._number("SELECT count(*) FROM skipped")

    def get(self, item_ids: Sequence[int]) -> dict[int, Item]:
        """Return those of the items that exist and are sound, by id."""
        return {item.id: item for item in self._sound(item_ids)}

    def damaged(self, item_ids: Sequence[int]) -> tuple[int, ...]:
        """Return those of the items that exist but are not what was written."""
        if not len(item_ids):
            return ()
        sound = {item.id for item in self._sound(item_ids)}
        with self._database.reading() as connection:
            return tuple(row[0] for row in fetch_items(connection, item_ids) if row[0] not in sound)

    def by_uri(self, uri: str) -> Item | None:
        """Return the item of a uri, or None."""
        with self._database.reading() as connection:
            row = connection.execute(f"SELECT {ITEM_COLUMNS} FROM items WHERE uri = ?", (uri,)).fetchone()
            if not self._holds_texts(connection):
                return decode_item(row) if row else None
            if row is None:  # a further place of a text
                sql = (
                    f"SELECT {ITEM_COLUMNS} FROM items WHERE id = (SELECT item_id FROM places WHERE uri = ?)"
                )
                row = connection.execute(sql, (uri,)).fetchone()
            return next(iter(_with_texts(connection, [decode_item(row)] if row else [])), None)

    def by_uris(self, uris: Sequence[str]) -> dict[str, Item]:
        """Return the photos of some uris, by uri, or the texts of which that is the first place."""
        with self._database.reading() as connection:
            rows = select(
                connection, f"SELECT {ITEM_COLUMNS} FROM items WHERE uri IN", list(dict.fromkeys(uris))
            )
            items = [decode_item(row) for row in rows]
            found = _with_texts(connection, items) if items and self._holds_texts(connection) else items
        return {item.uri: item for item in found}

    def with_content(self, hashes: Sequence[bytes]) -> list[str]:
        """Return the uris of the items whose content has one of these sha256."""
        with self._database.reading() as connection:
            rows = select(
                connection, "SELECT uri FROM items WHERE content_hash IN", list(dict.fromkeys(hashes))
            )
        return [uri for (uri,) in rows]

    def pages(self) -> Iterator[list[Item]]:
        """Yield all items in the order of their ids, some at a time; a damaged text is left out."""
        last = 0
        sql = f"SELECT {ITEM_COLUMNS} FROM items WHERE id > ? ORDER BY id LIMIT {_PAGE}"
        while True:
            with self._database.reading() as connection:
                items = [decode_item(row) for row in connection.execute(sql, (last,))]
                page = _with_texts(connection, items) if self._holds_texts(connection) else items
            if not items:
                return
            self._database.check_order([item.id for item in items], last)
            yield page
            last = items[-1].id

    def matching(self, filters: Sequence[Filter], *, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of the items that meet all conditions, ascending: up to `limit` beyond `after`."""
        conditions, values = ["1"], []
        with self._database.reading() as connection:
            texts = bool(filters) and self._holds_texts(connection)
            for condition in filters:
                sql, parameters = to_sql(condition, texts=texts)
                conditions.append(sql)
                values.extend(parameters)
            values += [after, limit]
            query = f"SELECT id FROM items WHERE {' AND '.join(conditions)} AND id > ? ORDER BY id LIMIT ?"
            rows = connection.execute(query, values).fetchall()
            if texts and not rows and not after:
                check_columns(connection, filters)
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        self._database.check_order(ids, after)
        return ids

    def random(self, filters: Sequence[Filter], count: int) -> list[int]:
        """Return the ids of up to `count` different items that meet all conditions, in random order."""
        chance = np.random.default_rng()
        if filters:
            return [int(each) for each in chance.permutation(self.matching(filters))[:count]]
        last = self._number("SELECT coalesce(max(id), 0) FROM items")
        drawn = (
            np.unique(chance.integers(1, last, 4 * count + 16, endpoint=True)) if last else np.empty(0, int)
        )
        found = list(self.get(drawn.tolist()))  # quick, however many items there are
        if len(found) < count:  # few items, or most were removed
            found = self.matching(()).tolist()
        return [found[at] for at in chance.permutation(len(found))[:count]]

    def facets(self) -> Facets:
        """Return what the items can be filtered by."""
        with self._database.reading() as connection:
            return read_facets(connection, texts=self._holds_texts(connection))

    def skipped(self) -> Iterator[Skipped]:
        """Yield the inputs on record as skipped, by uri."""
        with self._database.reading() as connection:
            sql = "SELECT uri, reason, size, mtime_ns, lasting FROM skipped ORDER BY uri"
            rows = connection.execute(sql).fetchall()
        for uri, reason, size, mtime_ns, lasting in rows:
            stamp = None if size is None else FileStamp(size, mtime_ns)
            yield Skipped(uri, reason, stamp, bool(lasting))

    def remove(self, item_ids: Sequence[int]) -> int:
        """Remove items with their vectors, all or none; returns how many there were."""
        with self._database.writing() as connection:
            seq = tick(connection)
            removed = sum(delete_item(connection, item_id, seq) for item_id in item_ids)
        self._database.checkpoint()
        return removed

    def drop_orphans(self) -> None:
        """Delete the vectors and texts that belong to no item."""
        with self._database.writing() as connection:
            tick(connection)
            orphans = "item_id NOT IN (SELECT id FROM items)"
            for (space_id,) in connection.execute("SELECT id FROM spaces").fetchall():
                connection.execute(f"DELETE FROM vectors_{space_id} WHERE {orphans}")
            for (item_id,) in connection.execute(f"SELECT item_id FROM texts WHERE {orphans}").fetchall():
                delete_text(connection, item_id)

    def drop_without_direction(self) -> None:
        """Delete the vectors that have none, and in the default space their items, noted as skipped.

        Older versions took what a model gave, though it was not finite or of length 0.
        """
        with self._database.writing() as connection:
            for space in read_spaces(connection):
                table = vectors_table(space.id)
                rows = connection.execute(f"SELECT item_id, checksum, vector FROM {table}")
                sound = (row for row in rows if vector_is_sound(space, *row))
                for item_id in [row[0] for row in sound if not has_direction(row[2])]:
                    self._drop_vector(connection, space, item_id)

    def _drop_vector(self, connection: sqlite3.Connection, space: Space, item_id: int) -> None:
        if not space.is_default:
            connection.execute(f"DELETE FROM {vectors_table(space.id)} WHERE item_id = ?", (item_id,))
            return
        (uri,) = connection.execute("SELECT uri FROM items WHERE id = ?", (item_id,)).fetchone()
        delete_item(connection, item_id, tick(connection))
        reason = f"the model {space.name} gives it no direction"
        put_skipped(connection, Skipped(uri, reason, lasting=False), "repair")

    def _sound(self, item_ids: Sequence[int]) -> list[Item]:
        with self._database.reading() as connection:
            items = [decode_item(row) for row in fetch_items(connection, item_ids) if item_is_sound(row)]
            return _with_texts(connection, items) if items and self._holds_texts(connection) else items

    def _number(self, sql: str) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(sql).fetchone()[0])


def fetch_items(connection: sqlite3.Connection, item_ids: Iterable[int]) -> list[ItemRow]:
    """Return the rows of those items that exist."""
    return select(connection, f"SELECT {ITEM_COLUMNS} FROM items WHERE id IN", list(item_ids))


def _with_texts(connection: sqlite3.Connection, items: Sequence[Item]) -> list[Item]:
    """Give items their texts and the number of their places; one whose text is not sound is left out."""
    ids = [item.id for item in items]
    texts, places = read_texts(connection, ids), count_places(connection, ids)
    return [
        replace(item, text=texts[item.id], places=places.get(item.id, 1))
        for item in items
        if item.id in texts
    ]


def delete_item(connection: sqlite3.Connection, item_id: int, seq: int) -> bool:
    """Delete an item, its text, its vectors in all spaces, and note it for the indexes.

    False when there is none.
    """
    if not connection.execute("DELETE FROM items WHERE id = ?", (item_id,)).rowcount:
        return False
    delete_text(connection, item_id)
    delete_vectors(connection, item_id)
    connection.execute("INSERT INTO removals VALUES (?, ?)", (seq, item_id))
    return True


def delete_vectors(connection: sqlite3.Connection, item_id: int) -> None:
    """Delete the vectors of an item in all spaces."""
    for (space_id,) in connection.execute("SELECT id FROM spaces").fetchall():
        connection.execute(f"DELETE FROM vectors_{space_id} WHERE item_id = ?", (item_id,))
