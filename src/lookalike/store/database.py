"""Connections to the one file: who may write, how long to wait, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

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
_TRY_SECONDS = 0.25  # SQLite's own waiting, during which Python hears no signal
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
    On a medium that cannot be written to, `read_only` is True and every write raises `StorageError`.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self.read_only = False
        self._query = "mode=rw"
        self._local = threading.local()
        self._opened: set[_Link] = set()
        self._closed = False
        self._gate = threading.Lock()  # of `_opened` and `_closed`
        if create and not path.exists():
            _create_file(path)
        check_header(path)
        with self.translated():
            try:
                self._writer = self._first_link(create)
            except BaseException:
                self.close()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state, however many statements it takes; keep it short."""
        with self.translated(), self._used(self._reader()) as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # some errors end it by themselves
                    connection.execute("COMMIT")

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return the rows of one statement, which needs no transaction of its own."""
        with self.translated(), self._used(self._reader()) as connection:
            return connection.execute(sql, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: on disk when the block ends, or nothing of it when it raises."""
        self.check_writable()
        with self.translated(), self._used(self._writer) as connection:
            self._patiently(connection, "BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def check_writable(self) -> None:
        """Raise `StorageError` where nothing can be written."""
        if self.read_only:
            raise StorageError(f"{self.path.parent} cannot be written to: its disk or folder is read-only")

    @contextmanager
    def scratch(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, for temporary tables that die with it; `close` leaves it alone."""
        with self.translated(), closing(self._connect()) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection, each when its statements in flight have ended; for good.

        The file is complete at any time, closed or not.
        """
        with self._gate:
            self._closed = True
            links = list(self._opened)
            self._opened.clear()
        for link in links:
            link.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise translate(error, self.path) from error
        except OverflowError as error:  # SQLite's integers, and so ids, have 64 bits
            raise NotFoundError("there is no item with so large an id") from error
        except UnicodeDecodeError as error:  # SQLite's message quotes the damage
            raise DamagedError(f"{self.path} is damaged; run: lookalike verify --repair") from error

    def _reader(self) -> _Link:
        """Return this thread's connection for reading."""
        own: _OfOneThread | None = getattr(self._local, "own", None)
        if own is None:
            link = self._link()
            with self._used(link) as connection:  # `close` may want it at this moment
                connection.execute("PRAGMA query_only = ON")
            own = self._local.own = _OfOneThread(link, self._opened)
        return own.link

    @contextmanager
    def _used(self, link: _Link) -> Iterator[sqlite3.Connection]:
        """Keep a connection from being closed while it is used."""
        with link.lock:
            self._check_open()
            yield link.connection

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"{self.path.parent} was closed while it was in use")

    def _link(self) -> _Link:
        with self._gate:
            self._check_open()
            link = _Link(self._connect())
            self._opened.add(link)
            return link

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{self._query}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_TRY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        connection.text_factory = lenient_text
        connection.create_function("unicode_lower", 1, unicode_lower, deterministic=True)
        return connection

    def _first_link(self, create: bool) -> _Link:
        """Open the file to write, or where that is not possible to read; bring it to this format."""
        for query in ("mode=rw", "mode=ro", "mode=ro&immutable=1"):
            self._query, self.read_only = query, query != "mode=rw"
            if "immutable" in query and _has_content(self.path.with_name(f"{self.path.name}-wal")):
                break  # it would be read without the last changes
            try:
                link = self._link()
                (version,) = self._patiently(link.connection, "PRAGMA user_version").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                    raise
                continue
            if self.read_only and 0 < version < schema.FORMAT:
                return link  # an older format lacks only what was added since
            if version != schema.FORMAT:
                self._prepare(link, version, create)
            return link
        raise StorageError(
            f"{self.path.parent} is on a read-only disk or in a read-only folder, and its last changes are "
            f"still in {self.path.name}-wal; copy it to another place and use it there"
        )

    def _prepare(self, link: _Link, version: int, create: bool) -> None:
        check_format(version, self.path.parent)
        (tables,) = link.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and (tables or not create):
            raise NotACollectionError(f"{self.path.parent} is not a lookalike collection")
        self._patiently(link.connection, "PRAGMA journal_mode = WAL")
        self._writer = link
        with self.writing() as connection:
            schema.migrate(connection)

    def _patiently(self, connection: sqlite3.Connection, sql: str) -> sqlite3.Cursor:
        """Execute what may have to wait for another process, in tries so short that Ctrl-C gets through."""
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return connection.execute(sql)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            self._check_open()


class _Link:
    """A connection, and the lock that whoever uses or closes it holds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.lock = threading.RLock()

    def close(self) -> None:
        """Close the connection when nobody uses it."""
        with self.lock:
            self.connection.close()


class _OfOneThread:
    """A thread's connection, closed when the thread ends."""

    def __init__(self, link: _Link, opened: set[_Link]) -> None:
        self.link = link
        self._opened = opened

    def __del__(self) -> None:
        self._opened.discard(self.link)
        self.link.close()


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


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _disk_is_full(path: Path) -> bool:
    if not hasattr(os, "statvfs"):
        return False
    return os.statvfs(path.parent).f_bavail < 64
