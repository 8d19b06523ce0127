"""The spaces of a store, kept twice, since without their rows no vector can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from lookalike.errors import DamagedError
from lookalike.records import Kind, Space
from lookalike.store.checksums import row_checksum

SPACE_CELLS = "id, name, model_id, dim, is_default, kind, reference, approximate"
_ROW = tuple[Any, ...]


def read_spaces(connection: sqlite3.Connection) -> list[Space]:
    """Return the spaces, the oldest first; raises `DamagedError` unless their rows are what was written."""
    rows = connection.execute("SELECT * FROM spaces ORDER BY id").fetchall()
    if rows and len(rows[0]) < len(SPACE_CELLS.split(", ")) + 1:
        return [space_of(row) for row in rows]  # a format before 5, on a medium that cannot be written to
    for problem in problems_of_spaces(connection, rows):
        raise DamagedError(f"the store is damaged: {problem}; run: lookalike verify --repair")
    return [space_of(row) for row in rows]


def problems_of_spaces(connection: sqlite3.Connection, rows: Sequence[_ROW] | None = None) -> list[str]:
    """Say what is wrong with the rows of the spaces and their twins."""
    if rows is None:
        rows = connection.execute("SELECT * FROM spaces ORDER BY id").fetchall()
    twins = connection.execute("SELECT * FROM spaces_twin ORDER BY id").fetchall()
    if list(rows) == twins and all(map(space_is_sound, rows)):
        return []
    wrong = {row[0] for row in (*rows, *twins) if not space_is_sound(row)}
    wrong |= {row[0] for row in {*rows} ^ {*twins}}
    return [f"the row of space {each} is not what was written" for each in sorted(wrong, key=str)]


def space_is_sound(row: _ROW) -> bool:
    """Tell whether a row of `SPACE_CELLS` and a checksum is what was written."""
    return len(row) == 9 and bool(row[8] == row_checksum("spaces", *row[:8]))


def seal_spaces(connection: sqlite3.Connection) -> None:
    """Give the rows of the spaces their checksums and twins, after they were changed."""
    connection.execute(f"UPDATE spaces SET checksum = row_checksum('spaces', {SPACE_CELLS})")
    connection.execute("DELETE FROM spaces_twin")
    connection.execute("INSERT INTO spaces_twin SELECT * FROM spaces")


def mended_spaces(rows: Sequence[_ROW], twins: Sequence[_ROW]) -> tuple[list[_ROW], list[Any]]:
    """Return the sound rows, each from where it is sound, and the ids of those that are sound nowhere.

    Where none of them is the default any more, the oldest one is.
    """
    whole = next((kept for kept in (rows, twins) if kept and all(map(space_is_sound, kept))), None)
    sound = {row[0]: row for row in whole or (*twins, *rows) if space_is_sound(row)}
    lost = set() if whole else {row[0] for row in (*rows, *twins)} - set(sound)
    mended = [sound[each] for each in sorted(sound)]
    if sum(bool(row[4]) for row in mended) != 1:
        mended = [(*row[:4], int(at == 0), *row[5:]) for at, row in enumerate(mended)]
    return mended, sorted(lost, key=str)


def mend_spaces(connection: sqlite3.Connection) -> None:
    """Restore rows of spaces from their twins, and twins from rows; what is lost in both stays damaged."""
    if not problems_of_spaces(connection):
        return
    rows = connection.execute("SELECT * FROM spaces ORDER BY id").fetchall()
    twins = connection.execute("SELECT * FROM spaces_twin ORDER BY id").fetchall()
    mended, lost = mended_spaces(rows, twins)
    if lost:
        return
    connection.execute("DELETE FROM spaces")
    for row in mended:
        connection.execute("INSERT INTO spaces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    seal_spaces(connection)


def space_of(row: _ROW) -> Space:
    """Turn a row of all columns of `spaces` into a space; one of an older format lacks the last ones."""
    space_id, name, model_id, dim, is_default, *newer = row
    kind, reference, approximate = newer[:3] or ("photo", name, False)
    of: Kind = "text" if kind == "text" else "photo"
    return Space(space_id, name, model_id, dim, bool(is_default), of, str(reference), bool(approximate))
