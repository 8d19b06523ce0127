"""Shards and tables of pictures: which of them were read to their end, and what the store knows of each.

A row of `text_files` tells of a shard, too, what it tells of a file of texts: how it was when it was read to
its end, and how many members came of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lookalike.records import FileStamp, FoundFile
from lookalike.store.checksums import row_checksum
from lookalike.store.scan import Scan
from lookalike.store.text_rows import TEXT_FILE_CELLS

_SHARD, _KEPT = "shard", "kept"
_INSIDE = "uri > ? AND uri < ?"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ShardRead:
    """A shard that was read to its end: in which manner, and how many members are items or on record."""

    uri: str
    stamp: FileStamp
    manner: str
    members: int


def note_shard(connection: sqlite3.Connection, shard: ShardRead) -> None:
    """Note a shard as read; for use inside a transaction."""
    cells = (shard.uri, shard.stamp.size, shard.stamp.mtime_ns, None, shard.manner, shard.members)
    connection.execute(
        f"INSERT OR REPLACE INTO text_files ({TEXT_FILE_CELLS}, checksum) VALUES (?,?,?,?,?,?,?)",
        (*cells, row_checksum("text_files", *cells)),
    )
    connection.execute("DELETE FROM skipped WHERE uri = ?", (shard.uri,))


class ShardScan:
    """What a walk found of shards, held against what is known of them.

    Members that are known count as found until their shard was read to its end and they were not in it.
    """

    def __init__(self, scan: Scan) -> None:
        self._connection = scan.connection

    def settle(self, is_shard: Callable[[str], bool], manner: str, *, afresh: bool = False) -> None:
        """Note the known members of all shards that were found; those that are unchanged are not read again.

        To be called before the files are settled, which tells the members to read from the others.
        """
        for uri, size, mtime_ns in list(self._found(is_shard)):
            self._keep(uri)
            if afresh or not self._is_read(uri, size, mtime_ns, manner):
                continue
            run = self._connection.execute
            run(f"UPDATE temp.found SET state = NULL WHERE state = ? AND {_INSIDE}", (_KEPT, *_inside(uri)))
            run("UPDATE temp.found SET state = ? WHERE uri = ?", (_SHARD, uri))

    def see(self, member: FoundFile) -> None:
        """Note a member of the shard that is being read; it is not read by itself."""
        stamp = member.stamp or FileStamp(0, 0)
        self._connection.execute(
            "INSERT OR REPLACE INTO temp.found VALUES (?, ?, ?, NULL, 'seen')",
            (member.uri, stamp.size, stamp.mtime_ns),
        )

    def end(self, shard: str) -> None:
        """Let go of the known members that were not in a shard, which was read to its end."""
        sql = f"DELETE FROM temp.found WHERE state = ? AND {_INSIDE}"
        self._connection.execute(sql, (_KEPT, *_inside(shard)))

    def vanished(self, shard: str) -> list[tuple[int, str]]:
        """Return id and uri of items that are not in their shard any more."""
        sql = f"""SELECT id, uri FROM items AS known WHERE {_INSIDE}
                  AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = known.uri)"""
        return self._connection.execute(sql, _inside(shard)).fetchall()

    def outdated_skips(self, shard: str) -> list[str]:
        """Return the uris on record as skipped that are not in their shard any more."""
        sql = f"""SELECT uri FROM skipped WHERE {_INSIDE}
                  AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = skipped.uri)"""
        return [uri for (uri,) in self._connection.execute(sql, _inside(shard))]

    def _found(self, is_shard: Callable[[str], bool]) -> Iterator[tuple[str, int | None, int | None]]:
        last = ""
        sql = f"SELECT uri, size, mtime_ns FROM temp.found WHERE uri > ? ORDER BY uri LIMIT {_PAGE}"
        while page := self._connection.execute(sql, (last,)).fetchall():
            yield from (row for row in page if is_shard(row[0]))
            last = page[-1][0]

    def _keep(self, shard: str) -> None:
        for table in ("items", "skipped"):
            self._connection.execute(
                f"INSERT OR IGNORE INTO temp.found SELECT uri, size, mtime_ns, NULL, ? FROM {table} "
                f"WHERE {_INSIDE} AND size IS NOT NULL",
                (_KEPT, *_inside(shard)),
            )

    def _is_read(self, uri: str, size: int | None, mtime_ns: int | None, manner: str) -> bool:
        """Whether a shard was read to its end as it is now, and nothing that came of it was removed."""
        row = self._connection.execute(
            f"SELECT rows FROM text_files WHERE uri = ? AND size = ? AND mtime_ns = ? AND manner = ? "
            f"AND checksum = row_checksum('text_files', {TEXT_FILE_CELLS})",
            (uri, size, mtime_ns, manner),
        ).fetchone()
        if row is None:
            return False
        sql = f"SELECT count(*) FROM temp.found WHERE state = ? AND {_INSIDE}"
        return bool(row == self._connection.execute(sql, (_KEPT, *_inside(uri))).fetchone())


def _inside(shard: str) -> tuple[str, str]:
    return f"{shard}#", f"{shard}$"
