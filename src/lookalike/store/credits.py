"""Which of two spaces earned a click or a vote on an interleaved hit."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from lookalike.records import Credit
from lookalike.store.database import Database
from lookalike.store.rows import has_table

COLUMNS = "id, round, query, space, other, item_id, kind, value, day, checksum"
_VALUES = "round, query, space, other, item_id, kind, value, day, checksum"


class Credits:
    """The credits of a collection. They hold nothing about who gave them, and of when only the day."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, credit: Credit) -> None:
        """Keep a credit: a click counts once, a vote replaces an earlier one, 0 withdraws it."""
        with self._database.writing() as connection:
            key = (credit.round, credit.item_id, credit.kind)
            connection.execute("DELETE FROM credits WHERE round = ? AND item_id = ? AND kind = ?", key)
            if credit.value:
                cells = astuple(credit)
                sql = f"INSERT INTO credits ({_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                connection.execute(sql, (*cells, credit_checksum(cells)))

    def all(self) -> Iterator[Credit]:
        """Yield all credits in the order given; one that is not what was written is left out."""
        for row in self._rows():
            if credit_is_sound(row):
                yield Credit(*row[1:9])

    def damaged(self) -> list[int]:
        """Return the ids of the credits that are not what was written."""
        return [row[0] for row in self._rows() if not credit_is_sound(row)]

    def drop_damaged(self) -> None:
        """Delete the credits that are not what was written; nothing can restore them."""
        damaged = [(credit_id,) for credit_id in self.damaged()]
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM credits WHERE id = ?", damaged)

    def _rows(self) -> list[Sequence[Any]]:
        with self._database.reading() as connection:
            if not has_table(connection, "credits"):
                return []
            return connection.execute(f"SELECT {COLUMNS} FROM credits ORDER BY id").fetchall()


def copy_credit(target: sqlite3.Connection, row: Sequence[Any]) -> None:
    """Put a row of `COLUMNS` into another store as it is."""
    target.execute(f"INSERT OR IGNORE INTO credits ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def credit_checksum(cells: Sequence[Any]) -> int:
    """CRC-32 over all that is stored of a credit."""
    round_id, query, space, other, item_id, kind, value, day = cells
    texts = (round_id, query, space, other, kind, day)
    parts = (*(text.encode() for text in texts), b"%d %d" % (item_id, value))
    return zlib.crc32(b"\0".join(parts))


def credit_is_sound(row: Sequence[Any]) -> bool:
    """Tell whether a row of `COLUMNS` is what was written."""
    try:
        return bool(credit_checksum(row[1:9]) == row[9])
    except (TypeError, AttributeError, ValueError):  # damage changes types too
        return False
