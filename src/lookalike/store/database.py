"""Connections to the one file: who may write, how long to wait, and what was acknowledged."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.errors import DamagedError, NotACollectionError, NotFoundError, StorageError
from lookalike.records import Ids
from lookalike.store import busy, schema
from lookalike.store.acknowledged import Acknowledged
from lookalike.store.clock import Clock, clock_of, count_commit
from lookalike.store.filters import unicode_lower
from lookalike.store.sqlite_errors import BUSY_SECONDS, translate
from lookalike.store.store_file import check_format, check_header, create_file, has_content, is_writable
from lookalike.store.tables import lenient_text, listed_formats

_TRY_SECONDS = 0.25  # SQLite's own waiting, during which Python hears no signal
_CHECKPOINT_SECONDS = 60.0  # after which a single write takes the log over into the file


class Database:
    """One SQLite file in WAL mode: any number of readers that never wait, one writer at a time.

    Each thread reads over a connection of its own, as long as it lives; writes of all threads share one.
    On a medium that cannot be written to, `read_only` is True and every write raises `StorageError`.
    Raises `DamagedError` where the file lacks what was acknowledged; see `log.py` and `acknowledged.py`.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self.read_only = False
        self._query = "mode=rw"
        self._local = threading.local()
        self._opened: set[_Link] = set()
        self._closed = False
        self._gate = threading.Lock()  # of `_opened` and `_closed`
        self._acknowledged = Acknowledged(path.parent)
        self._checkpoint_at = time.monotonic() + _CHECKPOINT_SECONDS
        if create and not path.exists():
            create_file(path)
        check_header(path)
        with self.translated():
            try:
                self._writer = self._first_link(create)
                self._inode = path.stat().st_ino
            except BaseException:
                self.close()
                raise

    def lost_commits(self) -> int:
        """How many transactions that were acknowledged are not in the file; 0 where that is not known."""
        noted = self._acknowledged.read()  # first: others may be writing
        with self.reading() as connection:
            clock = clock_of(connection.execute("SELECT * FROM clock").fetchall())
        if clock is None or noted is None or noted.store_id != clock.store_id:
            return 0
        return max(0, noted.commits - clock.commits)

    def accept_loss(self) -> None:
        """Take what is in the file for all that was acknowledged."""
        with self.reading() as connection:
            clock = clock_of(connection.execute("SELECT * FROM clock").fetchall())
        if clock is not None:
            self._acknowledged.note(clock, lower=True)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state, however many statements it takes; keep it short."""
        with self.translated(), self._used(self._reader()) as connection:
            self._check_place()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # some errors end it by themselves
                    connection.execute("COMMIT")

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return the rows of one statement, which needs no transaction of its own."""
        with self.translated(), self._used(self._reader()) as connection:
            self._check_place()
            return connection.execute(sql, parameters).fetchall()

    @contextmanager
    def writing(self, *, mending: bool = False) -> Iterator[sqlite3.Connection]:
        """One write transaction: on disk when the block ends, or nothing of it when it raises.

        `mending` is for who puts the clock itself right.
        """
        self.check_writable()
        with self.translated(), self._used(self._writer) as connection:
            self._patiently(connection, "BEGIN IMMEDIATE")
            clock: Clock | None = None
            try:
                self._check_place()
                yield connection
                if not mending:
                    clock = count_commit(connection)
                self._check_place()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if clock is not None:
                self._acknowledged.note(clock)
            if time.monotonic() > self._checkpoint_at:
                self._checkpoint(connection)

    def checkpoint(self) -> None:
        """Take the log over into the file, at the end of a batch of writes; where others read, later."""
        if not self.read_only:
            with self.translated(), self._used(self._writer) as connection:
                self._checkpoint(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.OperationalError):  # it is not needed now: the log holds everything
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._checkpoint_at = time.monotonic() + _CHECKPOINT_SECONDS

    def _check_place(self) -> None:
        """Refuse to go on with a file that is not the collection's any more."""
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = -1
        except OSError:
            return
        if inode != self._inode:
            what = "removed" if inode == -1 else "replaced"
            raise StorageError(f"{self.path} was {what} while it was in use: open the collection anew")

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
        self._acknowledged.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._check_dropped(error)
            self._check_refusal(error)
            raise translate(error, self.path) from error
        except OverflowError as error:  # SQLite's integers, and so ids, have 64 bits
            raise NotFoundError("there is no item with so large an id") from error
        except UnicodeDecodeError as error:  # SQLite's message quotes the damage
            raise DamagedError(f"{self.path} is damaged; run: lookalike verify --repair") from error

    def check_order(self, ids: Sequence[int] | Ids, after: int) -> None:
        """Raise `DamagedError` where ids do not ascend beyond `after`, so that reading on would not end."""
        ids = np.asarray(ids)
        if len(ids) and (ids[0] <= after or (ids[1:] <= ids[:-1]).any()):
            raise DamagedError(
                f"{self.path} is damaged (rows are out of order); run: lookalike verify --repair"
            )

    def check_takes_writes(self) -> None:
        """Raise `DamagedError` where SQLite does not write because of a header that was never written so.

        Raises `BusyError` at once where another process writes.
        """
        if not self.read_only:
            with self.translated(), self._used(self._writer) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    connection.execute("UPDATE items SET id = id WHERE 0")  # BEGIN itself passes over it
                finally:
                    connection.execute("ROLLBACK")

    def lists_its_tables(self) -> bool:
        """Whether the file says of all its tables what its format says."""
        with self.reading() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            return version in listed_formats(connection)

    def _check_refusal(self, error: sqlite3.DatabaseError) -> None:
        """Tell a disk that cannot be written to from a header that says so, being damaged."""
        is_refused = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY
        if is_refused and not self.read_only and is_writable(self.path):  # to open it would end our locks
            raise DamagedError(
                f"{self.path} is damaged in its first bytes; run: lookalike verify --repair"
            ) from error

    def _check_dropped(self, error: sqlite3.DatabaseError) -> None:
        """Tell vectors that another process has dropped with their model from damage."""
        missing = re.search(r"no such table: (?:main\.)?vectors_(\d+)", str(error))
        if missing is None:
            return
        with suppress(sqlite3.DatabaseError), closing(self._connect()) as connection:
            sql = "SELECT EXISTS (SELECT 1 FROM spaces WHERE id = ?)"
            if not connection.execute(sql, (int(missing[1]),)).fetchone()[0]:
                raise NotFoundError(
                    "the model whose vectors these are was dropped from the collection meanwhile"
                ) from error

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
        with busy.held(link.lock, self.path.parent):
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
        schema.add_functions(connection)
        connection.create_function("unicode_lower", 1, unicode_lower, deterministic=True)
        return connection

    def _first_link(self, create: bool) -> _Link:
        """Open the file to write, or where that is not possible to read; bring it to this format."""
        for query in ("mode=rw", "mode=ro", "mode=ro&immutable=1"):
            self._query, self.read_only = query, query != "mode=rw"
            if "immutable" in query and has_content(self.path.with_name(f"{self.path.name}-wal")):
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
        with self._used(link) as connection:
            self._patiently(connection, "BEGIN IMMEDIATE")
            try:
                schema.migrate(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _patiently(self, connection: sqlite3.Connection, sql: str) -> sqlite3.Cursor:
        """Execute what may have to wait for another process, in tries so short that Ctrl-C gets through."""
        end = busy.waiting_ends(BUSY_SECONDS)
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
