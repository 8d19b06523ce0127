"""Connections to the one file: who may write, how long to wait, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.errors import (
    CollectionError,
    DamagedError,
    NewerFormatError,
    NotACollectionError,
    StorageError,
)
from lookalike.store import schema

_BUSY_SECONDS = 600  # writers queue; another's batch takes milliseconds, its repair minutes


class Database:
    """One SQLite file in WAL mode: any number of readers that never wait, one writer at a time.

    Each thread reads over a connection of its own; writes of all threads share one.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._write_lock = threading.RLock()
        check_header(path)
        with self.translated():
            self._writer = self._connect()
            try:
                self._prepare(create)
            except BaseException:
                self.close()
                raise

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state, however many statements it takes; keep it short."""
        with self.translated():
            connection = self.reader
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: on disk when the block ends, or nothing of it when it raises."""
        with self._write_lock, self.translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def scratch(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, for temporary tables that die with it."""
        with self.translated():
            connection = self._connect()
            try:
                yield connection
            finally:
                self._opened.remove(connection)
                connection.close()

    def close(self) -> None:
        """Close every connection; the file is complete at any time, closed or not."""
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise translate(error, self.path) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._opened.append(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self, create: bool) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == schema.FORMAT:
            return
        check_format(version, self.path.parent)
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and (tables or not create):
            raise NotACollectionError(f"{self.path.parent} is not a lookalike collection")
        self._writer.execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            schema.migrate(connection)


def check_header(path: Path) -> None:
    """Refuse a foreign or newer file by its header alone, before SQLite touches it.

    An absent or empty file passes: it becomes a new collection.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if not head:
        return
    if not head.startswith(b"SQLite format 3\0") or len(head) < 100:
        raise DamagedError(f"{path} is damaged: it does not begin as a collection's store does")
    version, application_id = int.from_bytes(head[60:64], "big"), int.from_bytes(head[68:72], "big")
    if application_id != schema.APPLICATION_ID and (application_id, version) != (0, 0):
        raise NotACollectionError(f"{path} belongs to another program")
    check_format(version, path.parent)


def check_format(version: int, folder: Path) -> None:
    """Refuse a collection of a format that this lookalike does not know."""
    if version > schema.FORMAT:
        raise NewerFormatError(
            f"{folder} was written by a newer lookalike (format {version}, this one knows {schema.FORMAT}); "
            "upgrade with: pip install --upgrade lookalike"
        )


def translate(error: sqlite3.DatabaseError, path: Path) -> CollectionError:
    """Say in one line what SQLite's error means and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _disk_is_full(path)):
        return StorageError(f"the disk that holds {path.parent} is full; what was committed before is kept")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedError(f"{path} is damaged ({error}); run: lookalike verify --repair")
    if code == sqlite3.SQLITE_BUSY:
        return StorageError(f"{path.parent} was kept locked by another process for {_BUSY_SECONDS} s")
    if code == sqlite3.SQLITE_READONLY:
        return StorageError(f"{path.parent} cannot be written to")
    return StorageError(f"cannot use {path}: {error}")


def _disk_is_full(path: Path) -> bool:
    if not hasattr(os, "statvfs"):
        return False
    return os.statvfs(path.parent).f_bavail < 64
