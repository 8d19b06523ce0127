"""One walk over the user's files of texts, held against what the store knows of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lookalike.records import FileStamp, Space
from lookalike.store.filters import at_or_below, in_file
from lookalike.store.scan import Scan
from lookalike.store.text_rows import file_of

_PAGE = 500


@dataclass(frozen=True, slots=True)
class TextFileToRead:
    """A file to read: its uri, its stamp, and in which column and manner it was read the last time."""

    uri: str
    stamp: FileStamp
    column: str | None
    manner: str


class TextScan(Scan):
    """The files of texts that one `add` found, and the places that were seen in the one being read."""

    _table = "text_files"

    def __init__(self, connection: sqlite3.Connection, space: Space, reader: str) -> None:
        super().__init__(connection, space, reader)
        connection.execute("CREATE TEMP TABLE seen (uri TEXT PRIMARY KEY) WITHOUT ROWID")

    def settle_files(self, manner: str, column: str | None, *, exactly: bool = False) -> None:
        """Tell files that were read whole in that manner, and lastingly unreadable ones, from the others.

        Unless `exactly` that manner, it may be followed by a blank and what else was noted; else those that
        could not be read are tried again.
        """
        self._connection.execute(
            """UPDATE temp.found SET state = 'unchanged' WHERE EXISTS (
                SELECT 1 FROM text_files WHERE text_files.uri = found.uri
                AND text_files.size = found.size AND text_files.mtime_ns = found.mtime_ns
                AND checksum = row_checksum('text_files', text_files.uri, text_files.size,
                                            text_files.mtime_ns, column_name, manner, rows)
                AND (manner = ?1 OR (NOT ?3 AND substr(manner, 1, length(?1) + 1) = ?1 || ' '))
                AND rows IS NOT NULL AND (?2 IS NULL OR column_name IS ?2))""",
            (manner, column, exactly),
        )
        if not exactly:
            self._settle_skipped()

    def count_skipped(self) -> int:
        """How many files were not read for a lasting reason, or rows in files that are unchanged."""
        state = "SELECT state FROM temp.found WHERE uri = ?"
        rows = (self._connection.execute(state, (file_of(uri),)).fetchone() for uri in self._skipped_rows())
        return self.count("skipped") + sum(1 for row in rows if row == ("unchanged",))

    def outdated_skips(self, roots: Sequence[str]) -> list[str]:
        """Return the uris on record as skipped that are unchanged again, or gone from below `roots`."""
        there = "SELECT EXISTS (SELECT 1 FROM temp.found WHERE uri = ?)"
        rows = {
            uri
            for uri in self._skipped_rows()
            if self._connection.execute(there, (file_of(uri),)).fetchone()[0]
        }
        return [uri for uri in super().outdated_skips(roots) if uri not in rows]

    def _skipped_rows(self) -> list[str]:
        """Return the uris of rows, not files, that are on record as skipped."""
        sql = "SELECT uri FROM skipped WHERE uri GLOB '*#[0-9]*'"
        uris = (row[0] for row in self._connection.execute(sql))
        return [uri for uri in uris if uri.rpartition("#")[2].isdigit()]

    def count_rows(self) -> int:
        """How many places there are in files that are unchanged."""
        sql = "SELECT total(rows) FROM text_files JOIN temp.found USING (uri) WHERE state = 'unchanged'"
        return int(self._connection.execute(sql).fetchone()[0])

    def files_to_read(self) -> Iterator[TextFileToRead]:
        """Yield the files to read, by uri."""
        sql = "SELECT column_name, manner FROM text_files WHERE uri = ?"
        for uri, _, size, mtime_ns in self._pages("state IS NULL AND problem IS NULL"):
            column, manner = self._connection.execute(sql, (uri,)).fetchone() or (None, "")
            manner = manner if isinstance(manner, str) else ""  # it is damaged
            yield TextFileToRead(uri, FileStamp(size, mtime_ns), column, manner)

    def see(self, uris: Sequence[str]) -> None:
        """Note places of the file that is being read."""
        self._connection.executemany("INSERT OR IGNORE INTO temp.seen VALUES (?)", ((uri,) for uri in uris))

    def stale(self, file: str) -> Iterator[list[str]]:
        """Yield, some at a time, the places that the store knows in a file but that were not seen."""
        where, values = in_file(file)
        sql = f"""SELECT uri FROM places WHERE uri > ? AND {where}
                  AND NOT EXISTS (SELECT 1 FROM temp.seen WHERE seen.uri = places.uri)
                  ORDER BY uri LIMIT {_PAGE}"""
        last = ""
        while page := [row[0] for row in self._connection.execute(sql, (last, *values))]:
            yield page
            if page[-1] <= last:  # their order is damaged
                break
            last = page[-1]
        self.forget_seen()

    def forget_seen(self) -> None:
        """Let go of the places of a file that is not read on."""
        self._connection.execute("DELETE FROM temp.seen")

    def has_places(self, file: str) -> bool:
        """Tell whether the store knows texts in a file."""
        where, values = in_file(file)
        sql = f"SELECT EXISTS (SELECT 1 FROM places WHERE {where})"
        return bool(self._connection.execute(sql, values).fetchone()[0])

    def count_copies(self, roots: Sequence[str]) -> int:
        """How many places at or below any of `roots` have a text that stands at another place first."""
        copies = 0
        for root in roots:
            below, ends = at_or_below(root)
            inside, bounds = in_file(root)
            sql = f"""SELECT count(*) FROM (
                          SELECT uri AS place, item_id FROM places WHERE {below} OR {inside}
                      ) JOIN items ON id = item_id WHERE uri != place"""
            copies += self._connection.execute(sql, (*ends, *bounds)).fetchone()[0]
        return copies
