"""What the store notes of itself beside items and vectors: clock, spaces, skipped inputs, files of texts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from lookalike.store.clock import clock_of, set_clock
from lookalike.store.commit import SKIPPED_CHECKSUM
from lookalike.store.database import Database
from lookalike.store.rows import vectors_table
from lookalike.store.spaces import mend_spaces, problems_of_spaces
from lookalike.store.text_rows import FORGET_END, TEXT_FILE_CELLS

_TEXT_FILE_DAMAGED = f"checksum != row_checksum('text_files', {TEXT_FILE_CELLS})"
_SKIPPED_DAMAGED = f"checksum != {SKIPPED_CHECKSUM}"


def damaged_books(database: Database) -> Iterator[tuple[str, str]]:
    """Yield what of it is not what was written: its name and why. Older formats have no checksums of it."""
    with database.reading() as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < 5:
            return
        if clock_of(connection.execute("SELECT * FROM clock").fetchall()) is None:
            yield "clock", "its row is not what was written"
        for problem in problems_of_spaces(connection):
            yield "spaces", problem
        for table, damaged in (("skipped", _SKIPPED_DAMAGED), ("text_files", _TEXT_FILE_DAMAGED)):
            for (uri,) in connection.execute(f"SELECT uri FROM {table} WHERE {damaged}").fetchall():
                yield f"note of {uri!r}", "its row is not what was written; the file is read again next time"


def mend_books(database: Database) -> None:
    """Put right what can be: notes of files are dropped, so that they are read again."""
    with database.writing(mending=True) as connection:
        mend_spaces(connection)
        if clock_of(connection.execute("SELECT * FROM clock").fetchall()) is None:
            set_clock(connection, _latest(connection) + 1, 1)
        connection.execute(f"DELETE FROM skipped WHERE {_SKIPPED_DAMAGED}")
        connection.execute(f"{FORGET_END} WHERE {_TEXT_FILE_DAMAGED}")


def _latest(connection: sqlite3.Connection) -> int:
    """Return the latest moment that the clock must have shown."""
    tables = ["removals"]
    for (space,) in connection.execute("SELECT id FROM spaces_twin UNION SELECT id FROM spaces").fetchall():
        if connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = ?", (vectors_table(space),)
        ).fetchone():
            tables.append(vectors_table(space))
    rows = [connection.execute(f"SELECT max(seq) FROM {table}").fetchone() for table in tables]
    return max((row[0] for row in rows if isinstance(row[0], int)), default=0)
