"""What close looks have found, kept beside a collection: a cache, by content, that may be thrown away."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

from lookalike.copies.notes_file import RULE
from lookalike.errors import DamagedError, StorageError
from lookalike.matching.verify import Match
from lookalike.store.sqlite_errors import translate

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS photos (
    n INTEGER PRIMARY KEY,
    content BLOB NOT NULL UNIQUE,          -- sha256 of the file
    hash BLOB,                             -- where the item has none
    features BLOB,
    checksum INTEGER NOT NULL DEFAULT 0    -- CRC-32 of hash and features
);
CREATE TABLE IF NOT EXISTS parts (         -- vectors of parts of photos
    n INTEGER PRIMARY KEY,
    vectors BLOB NOT NULL,                 -- one byte a number
    checksum INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS compared (      -- photos whose likely copies were all looked at
    n INTEGER PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS hashed (        -- photos whose hash was held against those of all others here
    n INTEGER PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS near (          -- photos of hashes that are near
    first INTEGER NOT NULL,                -- n of photos, the smaller one first
    second INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    PRIMARY KEY (first, second)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairs (
    first INTEGER NOT NULL,
    second INTEGER NOT NULL,
    found TEXT,                            -- JSON of a Match, from the first to the second; NULL for none
    checksum INTEGER NOT NULL,             -- CRC-32 of it
    PRIMARY KEY (first, second)
) WITHOUT ROWID;
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PhotoNotes:
    """What is kept of one photo; each part may be missing."""

    hash: bytes | None = None
    features: bytes | None = None

    @property
    def checksum(self) -> int:
        """CRC-32 of all of it."""
        return zlib.crc32(b"\0".join((self.hash or b"", self.features or b"")))


@dataclass(frozen=True, slots=True)
class FoundMatch:
    """What comparing two photos has found; `frame` tells which of both is a frame around the other."""

    match: Match
    frame: Literal["", "first", "second"] = ""


class Notes:
    """The notes of one collection; may be used by several threads and processes.

    Photos go by numbers of their own here. What is damaged is as if it had never been noted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._left_behind: sqlite3.Connection | None = None

    def numbers(self, contents: Sequence[bytes]) -> dict[bytes, int]:
        """Return the numbers of contents; new ones get theirs."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO photos (content) VALUES (?)", [(each,) for each in contents]
            )
            return dict(connection.execute("SELECT content, n FROM photos"))

    def known_numbers(self) -> dict[bytes, int]:
        """Return the numbers of all contents that have one."""
        return dict(self._rows("SELECT content, n FROM photos"))

    def photo(self, number: int) -> PhotoNotes:
        """Return what is kept of a photo."""
        for *parts, checksum in self._rows(
            "SELECT hash, features, checksum FROM photos WHERE n = ?", (number,)
        ):
            notes = PhotoNotes(*parts)
            if notes.checksum == checksum:
                return notes
        return PhotoNotes()

    def hashes(self) -> dict[int, bytes]:
        """Return the hashes that are kept, by number."""
        return dict(self._rows("SELECT n, hash FROM photos WHERE length(hash) = 32"))

    def parts(self) -> list[tuple[int, bytes]]:
        """Return number and vectors of the parts of all photos that have them."""
        rows = self._rows("SELECT n, vectors, checksum FROM parts ORDER BY n")
        return [(n, vectors) for n, vectors, checksum in rows if zlib.crc32(vectors) == checksum]

    def parts_of(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return the vectors of the parts of some photos, of those that have them."""
        marks = ", ".join("?" * len(numbers))
        rows = self._rows(f"SELECT n, vectors, checksum FROM parts WHERE n IN ({marks})", numbers)
        return {n: vectors for n, vectors, checksum in rows if zlib.crc32(vectors) == checksum}

    def put_photos(self, notes: Mapping[int, PhotoNotes], parts: Mapping[int, bytes]) -> None:
        """Keep what was found of photos, and the vectors of their parts."""
        rows = [(*astuple(each), each.checksum, number) for number, each in notes.items()]
        vectors = [(number, each, zlib.crc32(each)) for number, each in parts.items()]
        with self._writing() as connection:
            connection.executemany("UPDATE photos SET hash = ?, features = ?, checksum = ? WHERE n = ?", rows)
            connection.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", vectors)

    def with_features(self) -> set[int]:
        """Return the numbers of the photos whose features are kept."""
        return {n for (n,) in self._rows("SELECT n FROM photos WHERE features IS NOT NULL")}

    def compared(self) -> set[int]:
        """Return the numbers of the photos whose likely copies were all looked at."""
        return {n for (n,) in self._rows("SELECT n FROM compared")}

    def hashed(self) -> set[int]:
        """Return the numbers of the photos whose hash was held against those of all others here."""
        return {n for (n,) in self._rows("SELECT n FROM hashed")}

    def near(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield pairs of photos of hashes that are near: both numbers, the turn and the bits that differ."""
        yield from self._rows("SELECT first, second, turn, bits FROM near")

    def put_near(self, near: Iterable[tuple[int, int, int, int]], hashed: Iterable[int]) -> None:
        """Keep pairs of near hashes, and whose hashes were held against all others."""
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO near VALUES (?, ?, ?, ?)", near)
            connection.executemany("INSERT OR IGNORE INTO hashed VALUES (?)", [(n,) for n in hashed])

    def pairs_of(self, number: int) -> set[int]:
        """Return the numbers of the photos that one was compared with."""
        sql = "SELECT second FROM pairs WHERE first = ?1 UNION SELECT first FROM pairs WHERE second = ?1"
        return {n for (n,) in self._rows(sql, (number,))}

    def was_compared(self, first: int, second: int) -> bool:
        """Whether two photos, the smaller number first, were compared."""
        return bool(self._rows("SELECT 1 FROM pairs WHERE first = ? AND second = ?", (first, second)))

    def match(self, first: int, second: int) -> FoundMatch | None:
        """Return what was found of two photos, the smaller number first; None for nothing."""
        sql = "SELECT found, checksum FROM pairs WHERE first = ? AND second = ? AND found IS NOT NULL"
        rows = self._rows(sql, (first, second))
        return _found(*rows[0]) if rows else None

    def matches(self) -> dict[tuple[int, int], FoundMatch]:
        """Return what was found, by both numbers, from the first to the second."""
        rows = self._rows("SELECT first, second, found, checksum FROM pairs WHERE found IS NOT NULL")
        return {
            (first, second): told
            for first, second, found, checksum in rows
            if (told := _found(found, checksum)) is not None
        }

    def put_pairs(
        self, pairs: Mapping[tuple[int, int], FoundMatch | None], compared: Iterable[int] = ()
    ) -> None:
        """Keep what came of comparing pairs, and whose likely copies were all looked at."""
        rows = []
        for (first, second), found in pairs.items():
            told = None if found is None else json.dumps(astuple(found), separators=(",", ":"))
            rows.append((first, second, told, zlib.crc32((told or "").encode())))
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR IGNORE INTO compared VALUES (?)", [(n,) for n in compared])

    def forget_damaged_pairs(self) -> None:
        """Forget pairs that are not what was noted, and that their photos were compared."""
        rows = self._rows("SELECT first, second, found, checksum FROM pairs")
        damaged = [pair for *pair, found, checksum in rows if zlib.crc32((found or "").encode()) != checksum]
        if damaged:
            with self._writing() as connection:
                connection.executemany("DELETE FROM pairs WHERE first = ? AND second = ?", damaged)
                connection.executemany("DELETE FROM compared WHERE n IN (?, ?)", damaged)

    def forget_photo(self, number: int) -> None:
        """Forget the features of a photo, and that it was compared."""
        with self._writing() as connection:
            connection.execute("UPDATE photos SET features = NULL, checksum = 0 WHERE n = ?", (number,))
            connection.execute("DELETE FROM compared WHERE n = ?", (number,))

    def keep_parts_of(self, model_id: str) -> None:
        """Forget the vectors of parts that another model made."""
        with self._writing() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = 'model'").fetchone()
            if row != (model_id,):
                connection.execute("DELETE FROM parts")
                connection.execute("INSERT OR REPLACE INTO facts VALUES ('model', ?)", (model_id,))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._opened().execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                self._mend(error)
                return []

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._opened()
            except sqlite3.DatabaseError as error:
                self._mend(error)
                connection = self._opened()
            try:
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except sqlite3.DatabaseError as error:
                self._mend(error)
                raise StorageError(f"{self._path} was damaged and is made anew; try again") from error

    def _opened(self) -> sqlite3.Connection:
        if self._process != os.getpid():  # forked: the connection is the parent's
            self._left_behind, self._connection, self._process = self._connection, None, os.getpid()
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=60, check_same_thread=False, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_TABLES)
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Forget what was found by another rule."""
        if connection.execute("SELECT value FROM facts WHERE name = 'rule'").fetchone() == (RULE,):
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in ("pairs", "compared", "near", "hashed"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("UPDATE photos SET hash = NULL, features = NULL, checksum = 0")
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('rule', ?)", (RULE,))

    def _mend(self, error: sqlite3.DatabaseError) -> None:
        """Throw away a file that is damaged; raises `StorageError` for other trouble, as of a full disk."""
        told = translate(error, self._path)
        self.close()
        if not isinstance(told, DamagedError):
            raise told from error
        _log.warning("%s is damaged (%s); what it held is found anew", self._path, error)
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).unlink()


def sound_found(told: str | None, checksum: int) -> tuple[bool, FoundMatch | None]:
    """Return whether what is noted of a pair is what was written, and what that is."""
    if zlib.crc32((told or "").encode()) != checksum:
        return False, None
    if told is None:
        return True, None
    (level, matrix, *others), frame = json.loads(told)
    return True, FoundMatch(Match(level, tuple(matrix), *others), frame)


def _found(told: str, checksum: int) -> FoundMatch | None:
    return sound_found(told, checksum)[1]
