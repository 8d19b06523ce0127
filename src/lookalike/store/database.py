"""Connections to the one file: who may write, how long to wait, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lookalike.errors import (
    CollectionError,
    DamagedError,
    NewerFormatError,
    NotACollectionError,
    NotFoundError,
    StorageError,
)
from lookalike.store import schema
from lookalike.store.filters import unicode_lower

_BUSY_SECONDS = 600  # writers queue; another's batch takes milliseconds, its repair minutes
_SMALLEST_FILE = 512  # bytes; one page
_DAMAGE = {  # what correct SQL meets only in a file that is not as it was written
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}


class Database:
    """One SQLite file in WAL mode: any number of readers that never wait, one writer at a time.

    Each thread reads over a connection of its own, as long as it lives; writes of all threads share one.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: set[sqlite3.Connection] = set()
        self._write_lock = threading.RLock()
        if create and not path.exists():
            _create_file(path)
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
        own: _OfOneThread | None = getattr(self._local, "own", None)
        if own is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            own = self._local.own = _OfOneThread(connection, self._opened)
        return own.connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state, however many statements it takes; keep it short."""
        with self.translated():
            connection = self.reader
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # some errors end it by themselves
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
                self._opened.discard(connection)
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
        except OverflowError as error:  # SQLite's integers, and so ids, have 64 bits
            raise NotFoundError("there is no item with so large an id") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._opened.add(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.text_factory = lenient_text
        connection.create_function("unicode_lower", 1, unicode_lower, deterministic=True)
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


def _create_file(path: Path) -> None:
    """Make an empty store beside `path` and move it there whole, unless another process was faster."""
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            schema.migrate(connection)
            connection.execute("COMMIT")
        _move_where_nothing_is(new, path)
    except sqlite3.DatabaseError as error:
        raise translate(error, path) from error
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def _move_where_nothing_is(new: Path, path: Path) -> None:
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return
    except OSError:  # a disk without hard links, such as a camera card
        if not path.exists():
            new.replace(path)


class _OfOneThread:
    """A thread's connection, closed when the thread ends."""

    def __init__(self, connection: sqlite3.Connection, opened: set[sqlite3.Connection]) -> None:
        self.connection = connection
        self._opened = opened

    def __del__(self) -> None:
        self._opened.discard(self.connection)
        self.connection.close()


def lenient_text(raw: bytes) -> str:
    """Let damaged text pass as text that no checksum takes for sound, instead of failing a whole query."""
    return raw.decode(errors="surrogateescape")


def check_header(path: Path) -> None:
    """Refuse a foreign or newer file by its header alone, before anything is written.

    An absent or empty file passes: it becomes a new collection. SQLite itself reads the header: to open and
    close the file in any other way would end the locks that this process holds on it (POSIX), and another
    process would take the log away from under an open collection.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if size == 0:
        return
    header = _read_header(path)
    if size < _SMALLEST_FILE:  # SQLite takes it for an empty one and would write over it
        raise DamagedError(f"{path} is damaged: it does not begin as a collection's store does")
    if header is None:
        return
    version, application_id = header
    if application_id != schema.APPLICATION_ID and (application_id, version) != (0, 0):
        raise NotACollectionError(f"{path} belongs to another program")
    check_format(version, path.parent)


def _read_header(path: Path) -> tuple[int, int] | None:
    """Return format and application id without a lock, a log or a write; None if that needs the log."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:  # someone was killed moving the log over
            return None
        raise translate(error, path) from error
    return int(version), int(application_id)


def check_format(version: int, folder: Path) -> None:
    """Refuse a collection of a format that this lookalike does not know."""
    if version > schema.FORMAT:
        raise NewerFormatError(
            f"{folder} was written by a newer lookalike (format {version}, this one knows {schema.FORMAT}); "
            "upgrade with: pip install --upgrade lookalike"
        )


def translate(error: sqlite3.DatabaseError, path: Path) -> CollectionError:
    """Say in one line what SQLite's error means and what to do."""
    if isinstance(error, sqlite3.ProgrammingError):
        return StorageError(f"{path.parent} was closed while it was in use")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _disk_is_full(path)):
        return StorageError(f"the disk that holds {path.parent} is full; what was committed before is kept")
    if code in _DAMAGE:
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
