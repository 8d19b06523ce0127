"""Thumbnails kept beside the collection: a cache that may be thrown away at any time."""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

_FILE = "thumbnails.sqlite"
_FORMAT = 2  # 1 had no checksums
_ON_DISK, _IN_MEMORY = 2_000_000_000, 128_000_000  # bytes
_DROPPED_AT_ONCE = 0.1  # share of the bytes that makes room
_BUSY_SECONDS = 0.1  # to make a thumbnail again is cheaper than to wait long for another process
_TABLE = """
CREATE TABLE IF NOT EXISTS thumbnails (  -- where no other process has just made it
    n INTEGER PRIMARY KEY,                 -- the order in which they were made
    content TEXT NOT NULL,                 -- sha256 of the photo's file
    size INTEGER NOT NULL,                 -- longest side
    picture BLOB NOT NULL,
    checksum INTEGER NOT NULL,             -- CRC-32 of the three before
    UNIQUE (content, size)
)
"""
_TABLES = "SELECT count(*) FROM sqlite_master"
_COUNTED = "SELECT coalesce(sum(length(picture)), 0) FROM thumbnails"
_PASSING = {  # nobody's fault but the moment's; whatever else correct SQL meets is damage
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
_TROUBLE = (sqlite3.Error, UnicodeDecodeError, MemoryError)  # SQLite's messages quote the damage


class ThumbnailCache:
    """JPEG bytes by content and size; the oldest make room. May be used by several threads and processes.

    Whatever goes wrong with its file, a thumbnail is only made again; one that is not what was kept is never
    given. Reading does not wait for keeping. Without a folder, or where that cannot be written to, it is
    kept in memory.
    """

    def __init__(self, folder: Path | None, max_bytes: int | None = None) -> None:
        self._path = folder / _FILE if folder is not None else None
        self._given = max_bytes
        self._mending = threading.Lock()
        self._opened = self._open()

    def get(self, content: str, size: int) -> bytes | None:
        """Return a thumbnail that is kept, or None."""
        opened = self._opened
        try:
            return opened.get(content, size)
        except _TROUBLE as error:
            self._mend(opened, error)
            return None

    def put(self, content: str, size: int, picture: bytes) -> None:
        """Keep a thumbnail, unless others are busy keeping theirs."""
        opened = self._opened
        try:
            opened.put(content, size, picture)
        except _TROUBLE as error:
            self._mend(opened, error)

    def close(self) -> None:
        """Close the file."""
        with self._mending:
            self._opened.close()

    def _open(self) -> _OpenCache:
        for _ in range(2 if self._path is not None else 0):
            try:
                return _OpenCache(str(self._path), self._given or _ON_DISK)
            except _TROUBLE as error:
                if not self._is_damage(error):
                    break
                self._discard()
        return _OpenCache(":memory:", self._given or _IN_MEMORY)

    def _mend(self, opened: _OpenCache, error: Exception) -> None:
        """Start over with an empty file where this one is damaged."""
        if not self._is_damage(error):
            return
        with self._mending:
            if opened is self._opened:  # nobody else has
                opened.close()
                self._discard()
                self._opened = self._open()

    def _is_damage(self, error: Exception) -> bool:
        if isinstance(error, sqlite3.ProgrammingError | MemoryError):  # closed meanwhile; of this moment
            return False
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if self._path is None:
            return False
        if code == sqlite3.SQLITE_READONLY:  # so says a damaged header, too
            return os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)
        return code not in _PASSING

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm") if self._path is not None else ():
            assert self._path is not None  # for the type checker
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()


class _OpenCache:
    """The cache's file opened once, over a connection to read and one to write; in memory they are the same.

    Raises what `_TROUBLE` lists.
    """

    def __init__(self, name: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._writer = _connect(name)
        self._reader = self._writer
        self._writing = self._reading = threading.Lock()
        try:
            self._prepare()
            if name != ":memory:":
                self._reader, self._reading = _connect(name), threading.Lock()
        except BaseException:
            self._writer.close()
            raise

    def get(self, content: str, size: int) -> bytes | None:
        sql = "SELECT picture, checksum FROM thumbnails WHERE content = ? AND size = ?"
        with self._reading:
            row = self._reader.execute(sql, (content, size)).fetchone()
        return row[0] if row is not None and _is_sound(content, size, *row) else None

    def put(self, content: str, size: int, picture: bytes) -> None:
        if not self._writing.acquire(timeout=_BUSY_SECONDS):
            return
        try:
            self._bytes += len(picture)
            if self._bytes > self._max_bytes:
                self._make_room()
            sql = "INSERT OR REPLACE INTO thumbnails (content, size, picture, checksum) VALUES (?, ?, ?, ?)"
            self._writer.execute(sql, (content, size, picture, _checksum(content, size, picture)))
        finally:
            self._writing.release()

    def close(self) -> None:
        with self._reading:
            self._reader.close()
        with self._writing:
            self._writer.close()

    def _prepare(self) -> None:
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = OFF")  # a cache
        if self._format() != _FORMAT:
            self._writer.execute("BEGIN IMMEDIATE")  # another process may be making it, too
            version, tables = self._format(), self._writer.execute(_TABLES).fetchone()[0]
            if version != _FORMAT and (version or tables):
                raise sqlite3.DatabaseError(f"thumbnails of format {version}")
            self._writer.execute(_TABLE)
            self._writer.execute(f"PRAGMA user_version = {_FORMAT}")
            self._writer.execute("COMMIT")
        self._bytes = self._writer.execute(_COUNTED).fetchone()[0]

    def _format(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    def _make_room(self) -> None:
        """Drop the oldest, and count anew: other processes add and drop, too."""
        goal = (1 - _DROPPED_AT_ONCE) * self._max_bytes
        sql = "SELECT n, sum(length(picture)) OVER (ORDER BY n DESC) AS newer FROM thumbnails"
        self._writer.execute(
            f"DELETE FROM thumbnails WHERE n IN (SELECT n FROM ({sql}) WHERE newer > ?)", (goal,)
        )
        self._bytes = self._writer.execute(_COUNTED).fetchone()[0]


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _checksum(content: str, size: int, picture: bytes) -> int:
    return zlib.crc32(picture, zlib.crc32(f"{content} {size}".encode()))


def _is_sound(content: str, size: int, picture: Any, checksum: Any) -> bool:
    """Tell whether a row is what was kept of that content and size; damage changes types and places, too."""
    return isinstance(picture, bytes) and bool(checksum == _checksum(content, size, picture))
