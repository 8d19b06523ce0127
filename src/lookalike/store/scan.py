"""One walk over the user's files, held against what the store knows; on disk, so it may be any size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lookalike.records import FileStamp, FoundFile, Skipped, Space
from lookalike.store.commit import SKIPPED_CHECKSUM
from lookalike.store.filters import at_or_below

_PAGE = 500
_LEFT_OUT = "left out"
_MOST_ALIKE = 64  # items of a file's size whose content it is compared with


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file to read: its uri, its stamp, and the content hashes of items that its size makes likely."""

    uri: str
    stamp: FileStamp
    known: tuple[bytes, ...]


class Scan:
    """The files one `add` found, in a temporary table of a connection of its own.

    `_table` is where the store knows files from, by id and uri.
    """

    _table = "items"

    def __init__(self, connection: sqlite3.Connection, space: Space, reader: str) -> None:
        self._connection = self.connection = connection
        self._space = space
        self._reader = reader
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute(
            "CREATE TEMP TABLE found (uri TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, problem TEXT, "
            "state TEXT) WITHOUT ROWID"
        )

    def record(self, files: Sequence[FoundFile]) -> None:
        """Note files that the walk came across; one that is reached twice counts once."""
        sql = f"""INSERT INTO temp.found VALUES (?, ?, ?, ?, ?) ON CONFLICT (uri) DO UPDATE
                  SET (size, mtime_ns, problem, state) =
                      (excluded.size, excluded.mtime_ns, excluded.problem, NULL)
                  WHERE found.state = '{_LEFT_OUT}' AND excluded.state IS NULL"""  # it was named, too
        self._connection.executemany(sql, map(_cells, files))

    def settle(self) -> None:
        """Tell unchanged and lastingly unreadable files from those to read."""
        self._connection.execute(
            f"""UPDATE temp.found SET state = 'unchanged' WHERE state IS NULL AND EXISTS (
                SELECT 1 FROM items JOIN vectors_{self._space.id} ON item_id = id
                WHERE items.uri = found.uri
                AND items.size = found.size AND items.mtime_ns = found.mtime_ns)"""
        )
        self._settle_skipped()

    def _settle_skipped(self) -> None:
        self._connection.execute(
            f"""UPDATE temp.found SET state = 'skipped' WHERE state IS NULL AND EXISTS (
                SELECT 1 FROM skipped WHERE skipped.uri = found.uri AND lasting AND reader = ?
                AND skipped.size = found.size AND skipped.mtime_ns = found.mtime_ns
                AND checksum = {SKIPPED_CHECKSUM})""",
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
        sql = "SELECT count(*) FROM temp.found WHERE state IS NOT ?"
        return int(self._connection.execute(sql, (_LEFT_OUT,)).fetchone()[0])

    def unreadable(self) -> Iterator[Skipped]:
        """Yield the files that the walk itself could not get at."""
        for uri, problem, _, _ in self._pages("state IS NULL AND problem IS NOT NULL"):
            yield Skipped(uri, problem, lasting=False)

    def to_read(self) -> Iterator[FileToRead]:
        """Yield the files to read, by uri."""
        for uri, _, size, mtime_ns in self._pages("state IS NULL AND problem IS NULL"):
            yield FileToRead(uri, FileStamp(size, mtime_ns), self.known(uri, size))

    def known(self, uri: str, size: int) -> tuple[bytes, ...]:
        """Return the content hashes of items that a file may hold, by its uri and size."""
        alike = f"SELECT content_hash FROM items JOIN vectors_{self._space.id} ON item_id = id WHERE"
        sql = f"{alike} uri = ? UNION SELECT * FROM ({alike} size = ? LIMIT {_MOST_ALIKE})"
        return tuple(row[0] for row in self._connection.execute(sql, (uri, size)))

    def vanished(self, root: str) -> list[tuple[int, str]]:
        """Return id and uri of items at or below `root` that the walk did not find."""
        place, range_ = at_or_below(root)
        sql = f"""SELECT id, uri FROM {self._table} AS known WHERE {place}
                  AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = known.uri)"""
        return self._connection.execute(sql, range_).fetchall()

    def has(self, uri: str) -> bool:
        """Whether the walk found a file of that uri, to be read."""
        sql = "SELECT EXISTS (SELECT 1 FROM temp.found WHERE uri = ? AND state IS NOT ?)"
        return bool(self._connection.execute(sql, (uri, _LEFT_OUT)).fetchone()[0])

    def left_out(self, root: str) -> list[tuple[int, str]]:
        """Return id and uri of items at or below what was left out below `root`."""
        place, range_ = at_or_below(root)
        sql = f"SELECT uri FROM temp.found WHERE state = ? AND {place}"
        items: dict[int, str] = {}
        for (uri,) in self._connection.execute(sql, (_LEFT_OUT, *range_)).fetchall():
            place, range_ = at_or_below(uri)
            known = f"SELECT id, uri FROM {self._table} WHERE {place}"
            items.update(row for row in self._connection.execute(known, range_) if not self.has(row[1]))
        return list(items.items())

    def below(self, roots: Sequence[str]) -> set[int]:
        """Return the ids of all items at or below any of `roots`."""
        ids: set[int] = set()
        for root in roots:
            place, range_ = at_or_below(root)
            rows = self._connection.execute(f"SELECT id FROM {self._table} WHERE {place}", range_)
            ids.update(row[0] for row in rows)
        return ids

    def refused(self, root: str) -> list[tuple[int, str, FileStamp]]:
        """Return id, uri and the file's stamp of items below `root` whose file lastingly holds no photo."""
        place, range_ = at_or_below(root)
        sql = f"""SELECT id, uri, found.size, found.mtime_ns
                  FROM (SELECT id, uri FROM {self._table} WHERE {place}) JOIN temp.found USING (uri)
                  JOIN skipped USING (uri)
                  WHERE lasting AND reader = ? AND state IS NOT 'unchanged'
                  AND skipped.size = found.size AND skipped.mtime_ns = found.mtime_ns
                  AND checksum = {SKIPPED_CHECKSUM}"""
        rows = self._connection.execute(sql, (*range_, self._reader))
        return [(item_id, uri, FileStamp(size, mtime_ns)) for item_id, uri, size, mtime_ns in rows]

    def outdated_skips(self, roots: Sequence[str]) -> list[str]:
        """Return the uris on record as skipped that are unchanged items again, or gone from below `roots`."""
        again = "SELECT uri FROM skipped JOIN temp.found USING (uri) WHERE state = 'unchanged'"
        uris = {row[0] for row in self._connection.execute(again)}
        for root in roots:
            place, range_ = at_or_below(root)
            sql = f"""SELECT uri FROM skipped WHERE {place}
                      AND NOT EXISTS (SELECT 1 FROM temp.found WHERE found.uri = skipped.uri
                                      AND state IS NOT '{_LEFT_OUT}')"""
            uris.update(row[0] for row in self._connection.execute(sql, range_))
        return sorted(uris)

    def found_below(self, root: str) -> bool:
        """Tell whether the walk found anything at or below `root`."""
        place, range_ = at_or_below(root)
        sql = f"SELECT EXISTS (SELECT 1 FROM temp.found WHERE {place})"
        return bool(self._connection.execute(sql, range_).fetchone()[0])

    def _pages(self, condition: str) -> Iterator[tuple[str, str, int, int]]:
        last = ""
        sql = f"""SELECT uri, problem, size, mtime_ns FROM temp.found WHERE uri > ? AND {condition}
                  ORDER BY uri LIMIT {_PAGE}"""
        while page := self._connection.execute(sql, (last,)).fetchall():
            yield from page
            last = page[-1][0]


def _cells(file: FoundFile) -> tuple[str, int | None, int | None, str | None, str | None]:
    size, mtime_ns = (file.stamp.size, file.stamp.mtime_ns) if file.stamp else (None, None)
    return file.uri, size, mtime_ns, file.problem, _LEFT_OUT if file.is_left_out else None
