"""Items get new uris, their files having moved; each as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lookalike.records import FileStamp
from lookalike.store.database import Database
from lookalike.store.filters import Filter, to_sql
from lookalike.store.rows import ITEM_COLUMNS, ItemRow, item_checksum, item_is_sound

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Move:
    """An item whose file is at another place now: `row` is as it was read, `stamp` that of the file there."""

    row: ItemRow
    uri: str
    stamp: FileStamp


def items_below(database: Database, folder: str) -> Iterator[list[ItemRow]]:
    """Yield the sound rows of the items at or below a folder, some at a time."""
    sql, values = to_sql(Filter("folder", "=", folder))
    paged = f"SELECT {ITEM_COLUMNS} FROM items WHERE {sql} AND id > ? ORDER BY id LIMIT {_PAGE}"
    last = 0
    while rows := database.fetch(paged, (*values, last)):
        database.check_order([row[0] for row in rows], last)
        yield [row for row in rows if item_is_sound(row)]
        last = rows[-1][0]


def relocate(database: Database, moves: Sequence[Move]) -> list[bool]:
    """Write the new uris of some items, in one transaction.

    Tells of each whether it was done: not where another item has that uri, or where the item has changed.
    """
    with database.writing() as connection:
        done = []
        for move in moves:
            item_id, _, content_hash, _, _, metadata, _ = move.row
            checksum = item_checksum(item_id, move.uri, content_hash, move.stamp, metadata)
            sql = (
                "UPDATE OR IGNORE items SET uri = ?, size = ?, mtime_ns = ?, checksum = ? "
                "WHERE id = ? AND uri = ? AND checksum = ?"
            )
            cells = (move.uri, move.stamp.size, move.stamp.mtime_ns, checksum)
            found = connection.execute(sql, (*cells, item_id, move.row[1], move.row[6])).rowcount
            done.append(found > 0)
        return done
