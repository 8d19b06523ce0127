"""What people think of hits: one vote per query and item, kept until it is withdrawn."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

from lookalike.errors import NotFoundError
from lookalike.records import Vote
from lookalike.store.database import Database
from lookalike.store.rows import has_table

COLUMNS = "id, query, item_id, content_hash, value, space, at, checksum"
_SELECT = "SELECT v.id, query, item_id, v.content_hash, value, space, at, v.checksum, uri FROM votes v"


class Votes:
    """The votes of a collection. They hold nothing about who voted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, query: str, item_id: int, value: int, space: str, at: str) -> None:
        """Keep a vote of 1 or −1 on an item as a hit of a query (`SearchResult.key`); 0 withdraws it.

        `at` is the moment, UTC in ISO 8601. Raises `NotFoundError` when there is no such item.
        """
        with self._database.writing() as connection:
            connection.execute("DELETE FROM votes WHERE query = ? AND item_id = ?", (query, item_id))
            if value:
                row = connection.execute("SELECT content_hash FROM items WHERE id = ?", (item_id,)).fetchone()
                if row is None:
                    raise NotFoundError(f"item {item_id} is not in this collection")
                cells = (query, item_id, row[0], value, space, at)
                connection.execute(
                    "INSERT INTO votes (query, item_id, content_hash, value, space, at, checksum) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*cells, vote_checksum(cells)),
                )

    def page(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order in which they were given, beyond the id `after`.

        Those of one query, where it is given. One whose item was removed, or whose file has changed since,
        has None for its uri. A vote that is not what was written is left out.
        """
        where = "v.id > ?" if query is None else "v.id > ? AND query = ?"
        values = [after, limit] if query is None else [after, query, limit]
        sql = (
            f"{_SELECT} LEFT JOIN items i ON i.id = item_id AND i.content_hash = v.content_hash "
            f"WHERE {where} ORDER BY v.id LIMIT ?"
        )
        with self._database.reading() as connection:
            if not has_table(connection, "votes"):
                return []
            rows = connection.execute(sql, values).fetchall()
        votes = [_vote(row) for row in rows if vote_is_sound(row[:8])]
        if len(rows) == limit > len(votes):  # a damaged vote makes room for the next
            votes += self.page(query=query, after=rows[-1][0], limit=limit - len(votes))
        return votes

    def damaged(self) -> list[int]:
        """Return the ids of the votes that are not what was written."""
        with self._database.reading() as connection:
            rows = (
                connection.execute(f"SELECT {COLUMNS} FROM votes") if has_table(connection, "votes") else ()
            )
            return [row[0] for row in rows if not vote_is_sound(row)]

    def drop_damaged(self) -> None:
        """Delete the votes that are not what was written; nothing can restore them."""
        with self._database.writing() as connection:
            damaged = ((vote_id,) for vote_id in self.damaged())
            connection.executemany("DELETE FROM votes WHERE id = ?", damaged)


def copy_vote(target: sqlite3.Connection, row: Sequence[Any]) -> None:
    """Put a row of `COLUMNS` into another store as it is."""
    target.execute(f"INSERT OR IGNORE INTO votes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def vote_checksum(cells: Sequence[Any]) -> int:
    """CRC-32 over all that is stored of a vote: query, item, content hash, value, space, moment."""
    query, item_id, content_hash, value, space, at = cells
    parts = (query.encode(), content_hash, b"%d %d" % (item_id, value), space.encode(), at.encode())
    return zlib.crc32(b"\0".join(parts))


def vote_is_sound(row: Sequence[Any]) -> bool:
    """Tell whether a row of `COLUMNS` is what was written."""
    try:
        return bool(vote_checksum(row[1:7]) == row[7])
    except (TypeError, AttributeError, ValueError):  # damage changes types too
        return False


def _vote(row: Sequence[Any]) -> Vote:
    vote_id, query, item_id, content_hash, value, space, at, _, uri = row
    return Vote(
        vote_id, query, item_id, value, space, at, content_hash, uri if isinstance(uri, str) else None
    )
