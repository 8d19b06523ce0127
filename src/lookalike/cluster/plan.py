"""What there is to do: files that were found, held against finished shards, cut into units; on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from types import TracebackType
from typing import Any, Self

from lookalike.records import FileStamp, FoundFile
from lookalike.sources.remote.addresses import is_container, split_member

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One file of a unit; with a `problem` there is nothing to read."""

    uri: str
    size: int
    mtime_ns: int
    problem: str | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class UnitText:
    """One text of a unit: where it stands, the moment it was read as of, and its facts as JSON.

    `version` is the moment of its file that the walk found.
    """

    uri: str
    text: str
    mtime_ns: int
    metadata: str
    version: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work that becomes one shard; `number` counts the units of one run.

    Of texts its files are only those that could not be read.
    """

    number: int
    files: tuple[UnitFile, ...] = ()
    texts: tuple[UnitText, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How what was found compares with what is done.

    `unchanged` counts what is in shards and tables, `to_do` and `found` count these themselves; `skipped` are
    those of a lasting reason that are unchanged. `gone` were found in an earlier run only: they stay.
    """

    found: int
    unchanged: int
    skipped: int
    to_do: int
    gone: int
    holders: bool = False
    """Whether there are shards or tables of pictures to do, which hold nobody knows how many."""


class Plan:
    """The found and the finished files, in a temporary database; use it as a context manager.

    `reader` is what decodes now: what another one could not read is tried again.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._connection = sqlite3.connect("")  # a file of its own that nobody sees, and which memory caches
        self._connection.create_function("holder_of", 1, _holder_of, deterministic=True)
        self._connection.executescript(
            """CREATE TABLE found (uri TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, problem TEXT)
                WITHOUT ROWID;
            CREATE TABLE done (uri TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, lasting INTEGER,
                reader TEXT, members INTEGER) WITHOUT ROWID;
            CREATE TABLE to_do (uri TEXT PRIMARY KEY) WITHOUT ROWID;"""
        )

    def record_done(self, about: Any) -> None:
        """Note what a shard holds, as a table of its columns `ABOUT`; later shards count instead."""
        columns = about.to_pydict()
        lasting = [
            None if reason is None else int(lasting)
            for reason, lasting in zip(columns["reason"], columns["lasting"], strict=True)
        ]
        rows = zip(
            *(columns[name] for name in ("uri", "size", "mtime_ns")),
            lasting,
            *(columns[name] for name in ("reader", "members")),
            strict=True,
        )
        self._connection.executemany("INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?, ?)", rows)

    def record_found(self, files: Iterator[FoundFile]) -> Iterator[int]:
        """Note the files of a walk, page by page; yields how many there are by now."""
        seen = 0
        while page := list(islice(files, _PAGE)):
            rows = [
                (each.uri, *((each.stamp.size, each.stamp.mtime_ns) if each.stamp else (0, 0)), each.problem)
                for each in page
                if not each.is_left_out
            ]
            self._connection.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?)", rows)
            seen += len(rows)
            yield seen

    def count_found(self) -> int:
        """How many files were found."""
        return self._count("found")

    def settle(self, *, afresh: bool = False) -> Counts:
        """Tell what is done from what is to do; `afresh` does all of it again."""
        same = "done.size = found.size AND done.mtime_ns = found.mtime_ns AND problem IS NULL"
        refused = f"{same} AND lasting AND reader = ?1"
        is_done = f"SELECT 1 FROM done WHERE done.uri = found.uri AND {same} AND lasting IS NULL"
        is_refused = f"SELECT 1 FROM done WHERE done.uri = found.uri AND {refused}"
        unchanged = (
            0
            if afresh
            else self._sum(
                "coalesce(members, 1)", f"done JOIN found USING (uri) WHERE {same} AND lasting IS NULL"
            )
        )
        skipped = 0 if afresh else self._count(f"found WHERE EXISTS ({is_refused})", self._reader)
        held = "" if afresh else f"WHERE NOT EXISTS ({is_done}) AND NOT EXISTS ({is_refused})"
        with self._connection:
            self._connection.execute("DELETE FROM to_do")
            sql = f"INSERT INTO to_do SELECT uri FROM found {held}"
            self._connection.execute(sql, () if afresh else (self._reader,))
        gone = self._count(
            "done WHERE lasting IS NULL AND members IS NULL AND uri NOT IN (SELECT uri FROM found) "
            "AND holder_of(uri) NOT IN (SELECT uri FROM found)"
        )
        holders = any(is_container(uri) for (uri,) in self._connection.execute("SELECT uri FROM to_do"))
        return Counts(self.count_found(), unchanged, skipped, self._count("to_do"), gone, holders)

    def units(self, size: int) -> Iterator[Unit]:
        """Yield what is to do, so many files a unit, by uri; a shard or table of pictures is one itself."""
        sql = "SELECT uri, size, mtime_ns, problem FROM to_do JOIN found USING (uri) ORDER BY uri"
        waiting: list[UnitFile] = []
        number = count()
        with closing(self._connection.cursor()) as cursor:
            for row in cursor.execute(sql):
                file = UnitFile(*row)
                if is_container(file.uri):
                    yield Unit(next(number), (file,))
                else:
                    waiting.append(file)
                if len(waiting) == size:
                    yield Unit(next(number), tuple(waiting))
                    waiting = []
        if waiting:
            yield Unit(next(number), tuple(waiting))

    def _sum(self, what: str, rows: str) -> int:
        return int(self._connection.execute(f"SELECT total({what}) FROM {rows}").fetchone()[0])

    def _count(self, what: str, *values: object) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {what}", values).fetchone()[0])

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holder_of(uri: str) -> str:
    """Return the shard or table that a uri is in; the uri where it is in none."""
    member = split_member(uri)
    return member[0] if member else uri


def stamp_of(file: UnitFile) -> FileStamp:
    """Return the stamp of a file of a unit."""
    return FileStamp(file.size, file.mtime_ns)


def unit_size(to_do: int, actors: int, most: int) -> int:
    """Return how many files a unit has: so few that all actors are busy to the end, and little is lost."""
    return max(_LEAST_UNIT, min(most, -(-to_do // max(1, actors * _UNITS_PER_ACTOR))))


_LEAST_UNIT = 32
_UNITS_PER_ACTOR = 8
