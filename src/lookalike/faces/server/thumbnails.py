"""Thumbnails kept beside the collection: a cache that may be thrown away at any time."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

_FILE = "thumbnails.sqlite"
_ON_DISK, _IN_MEMORY = 2_000_000_000, 128_000_000  # bytes
_DROPPED_AT_ONCE = 0.1  # share of the bytes that makes room
_TABLE = """
CREATE TABLE IF NOT EXISTS thumbnails (
    n INTEGER PRIMARY KEY,                 -- the order in which they were made
    content TEXT NOT NULL,                 -- sha256 of the photo's file
    size INTEGER NOT NULL,                 -- longest side
    picture BLOB NOT NULL,
    UNIQUE (content, size)
)
"""


class ThumbnailCache:
    """JPEG bytes by content and size; the oldest make room. May be used by several threads and processes.

    Whatever goes wrong with its file, a thumbnail is only made again. Where the folder cannot be written to,
    it is kept in memory.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self._path = folder / _FILE
        self._given = max_bytes
        self._lock = threading.Lock()
        self._connection = self._open()

    def get(self, content: str, size: int) -> bytes | None:
        """Return a thumbnail that is kept, or None."""
        with self._lock:
            try:
                sql = "SELECT picture FROM thumbnails WHERE content = ? AND size = ?"
                row = self._connection.execute(sql, (content, size)).fetchone()
            except sqlite3.Error as error:
                self._mend(error)
                return None
        return row[0] if row and isinstance(row[0], bytes) else None

    def put(self, content: str, size: int, picture: bytes) -> None:
        """Keep a thumbnail."""
        with self._lock:
            try:
                self._bytes += len(picture)
                if self._bytes > self._max_bytes:
                    self._make_room()
                sql = "INSERT OR REPLACE INTO thumbnails (content, size, picture) VALUES (?, ?, ?)"
                self._connection.execute(sql, (content, size, picture))
            except sqlite3.Error as error:
                self._mend(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                return self._opened(str(self._path), _ON_DISK)
            except sqlite3.OperationalError:  # read-only, full or locked
                break
            except sqlite3.DatabaseError:  # damaged
                self._discard()
        return self._opened(":memory:", _IN_MEMORY)

    def _opened(self, name: str, max_bytes: int) -> sqlite3.Connection:
        connection = sqlite3.connect(name, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # a cache
            connection.execute(_TABLE)
            self._bytes = connection.execute(
                "SELECT coalesce(sum(length(picture)), 0) FROM thumbnails"
            ).fetchone()[0]
        except BaseException:
            connection.close()
            raise
        self._max_bytes = self._given or max_bytes
        return connection

    def _make_room(self) -> None:
        """Drop the oldest, and count anew: other processes add and drop, too."""
        goal = (1 - _DROPPED_AT_ONCE) * self._max_bytes
        sql = "SELECT n, sum(length(picture)) OVER (ORDER BY n DESC) AS newer FROM thumbnails"
        self._connection.execute(
            f"DELETE FROM thumbnails WHERE n IN (SELECT n FROM ({sql}) WHERE newer > ?)", (goal,)
        )
        self._bytes = self._connection.execute(
            "SELECT coalesce(sum(length(picture)), 0) FROM thumbnails"
        ).fetchone()[0]

    def _mend(self, error: sqlite3.Error) -> None:
        """Start over with an empty file where this one is damaged."""
        passing = (sqlite3.OperationalError, sqlite3.ProgrammingError)  # locked or full; closed
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, passing):
            self._connection.close()
            self._discard()
            self._connection = self._open()

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()
