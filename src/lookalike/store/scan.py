"""One walk over the user's files, held against what the store knows; on disk, so it may be any size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lookalike.records import FileStamp, Found, Skipped, Space

_PAGE = 500


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file to read: its uri, its stamp, and the content hashes of items that its size makes likely."""

    uri: str
    stamp: FileStamp
    known: tuple[bytes, ...]


class Scan:
    """The files one `add` found, in a temporary table of a connection of its own."""

    def __init__(self, connection: sqlite3.Connection, space: Space, reader: str) -> None:
        self._connection = connection
        self._space = space
        self._reader = reader
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute(
            "CREATE TEMP TABLE found (uri TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, problem TEXT, "
            "state TEXT) WITHOUT ROWID"
        )

    def record(self, files: Sequence[Found]) -> None:
        """Note files that the walk came across; one that is reached twice counts once."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO temp.found VALUES (?, ?, ?, ?, NULL)",
            ((f.uri, f.stamp and f.stamp.size, f.stamp and f.stamp.mtime_ns, f.problem) for f in files),
        )

    def settle(self) -> None:
        """Tell unchanged and lastingly unreadable files from those to read."""
        self._connection.execute(
            f"""UPDATE temp.found SET state = 'unchanged' WHERE EXISTS (
                SELECT 1 FROM items JOIN vectors_{self._space.id} ON item_id = id
                WHERE items.uri = found.uri
                AND items.size = found.size AND items.mtime_ns = found.mtime_ns)"""
        )
        self._connection.execute(
            """UPDATE temp.found SET state = 'skipped' WHERE state IS NULL AND EXISTS (
                SELECT 1 FROM skipped WHERE skipped.uri = found.uri AND lasting AND reader = ?
                AND skipped.size = found.size AND skipped.mtime_ns = found.mtime_ns)""",
            (self._reader,),
        )

    def count(self, state: str) -> int:
        """How many files are `unchanged` or, for a lasting reason that is on record, `skipped`."""
        return int(
            self._connection.execute("SELECT count(*) FROM temp.found WHERE state = ?", (state,)).fetchone()[
                0
            ]
        )

    def total(self) -> int:
        """How many files were found."""
        return int(self._connection.execute("SELECT count(*) FROM temp.found").fetchone()[0])

    def unreadable(self) -> Iterator[Skipped]:
        """Yield the files that the walk itself could not get at."""
        for uri, problem, _, _ in self._pages("state IS NULL AND problem IS NOT NULL"):
            yield Skipped(uri, problem, lasting=False)

    def to_read(self) -> Iterator[FileToRead]:
        """Yield the files to read, by uri."""
        known = (
            f"SELECT DISTINCT content_hash FROM items JOIN vectors_{self._space.id} ON item_id = id "
            "WHERE size = ? OR uri = ? LIMIT 50"
        )
        for uri, _, size, mtime_ns in self._pages("state IS NULL AND problem IS NULL"):
            hashes = self._connection.execute(known, (size, uri)).fetchall()
            yield FileToRead(uri, FileStamp(size, mtime_ns), tuple(row[0] for row in hashes))

    def vanished(self, root: str) -> Iterator[tuple[int, str]]:
        """Yield id and uri of items below `root` that the walk did not find."""
        rows = self._connection.execute(
            """SELECT id, uri FROM items WHERE (uri = ? OR (uri > ? AND uri < ?))
               AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = items.uri)""",
            (root, *_below(root)),
        ).fetchall()
        yield from rows

    def forget_skips(self, connection: sqlite3.Connection, root: str) -> None:
        """Drop the record of skipped files below `root` that are not there any more (over a writer)."""
        gone = self._connection.execute(
            """SELECT uri FROM skipped WHERE (uri = ? OR (uri > ? AND uri < ?))
               AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = skipped.uri)""",
            (root, *_below(root)),
        ).fetchall()
        connection.executemany("DELETE FROM skipped WHERE uri = ?", gone)

    def found_below(self, root: str) -> bool:
        """Tell whether the walk found anything at or below `root`."""
        sql = "SELECT EXISTS (SELECT 1 FROM temp.found WHERE uri = ? OR (uri > ? AND uri < ?))"
        return bool(self._connection.execute(sql, (root, *_below(root))).fetchone()[0])

    def _pages(self, condition: str) -> Iterator[tuple[str, str, int, int]]:
        last = ""
        sql = f"""SELECT uri, problem, size, mtime_ns FROM temp.found WHERE uri > ? AND {condition}
                  ORDER BY uri LIMIT {_PAGE}"""
        while page := self._connection.execute(sql, (last,)).fetchall():
            yield from page
            last = page[-1][0]


def _below(root: str) -> tuple[str, str]:
    """Return the range of uris below a folder, both ends excluded."""
    base = root.rstrip("/\\")
    separator = "\\" if "\\" in base and "/" not in base else "/"
    return base + separator, base + chr(ord(separator) + 1)
