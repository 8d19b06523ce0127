"""What people decided about copies: one decision for each pair of contents, kept until it is withdrawn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from lookalike.decisions import Decision, in_order
from lookalike.store.checksums import row_checksum
from lookalike.store.database import Database
from lookalike.store.rows import has_table

COLUMNS = "id, first, second, verdict, at, checksum"
_VALUES = "first, second, verdict, at, checksum"
_GIVEN = "SELECT seq FROM sqlite_sequence WHERE name = 'decisions'"


class Decisions:
    """The decisions of a collection. They are on contents: items may go, come back, move, or never be there.

    They hold nothing about who decided.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, decisions: Sequence[Decision]) -> None:
        """Keep decisions, each in the place of the former one on that pair, all or none; None withdraws.

        Of several on one pair the last one counts. Raises `UsageError` for what can be no decision.
        """
        ordered = [in_order(decision) for decision in decisions]
        if not ordered:
            return
        with self._database.writing() as connection:
            for each in ordered:
                pair = (each.first, each.second)
                connection.execute("DELETE FROM decisions WHERE first = ? AND second = ?", pair)
                if each.verdict is not None:
                    cells = astuple(each)
                    sql = f"INSERT INTO decisions ({_VALUES}) VALUES (?, ?, ?, ?, ?)"
                    connection.execute(sql, (*cells, decision_checksum(cells)))

    def all(self) -> Iterator[Decision]:
        """Yield all decisions in the order given; one that is not what was written is left out."""
        for row in self._rows():
            if decision_is_sound(row):
                yield Decision(*row[1:5])

    def seq(self) -> int:
        """Return a clock of the decisions alone, which stands still while none changes."""
        with self._database.reading() as connection:
            if not has_table(connection, "decisions"):
                return 0
            (given,) = connection.execute(_GIVEN).fetchone() or (0,)
            (count,) = connection.execute("SELECT count(*) FROM decisions").fetchone()
        return int(2 * given - count)  # grows with every one that is given, and every one that is withdrawn

    def damaged(self) -> list[int]:
        """Return the ids of the decisions that are not what was written."""
        return [row[0] for row in self._rows() if not decision_is_sound(row)]

    def drop_damaged(self) -> None:
        """Delete the decisions that are not what was written; nothing can restore them."""
        damaged = [(decision_id,) for decision_id in self.damaged()]
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM decisions WHERE id = ?", damaged)

    def _rows(self) -> list[Sequence[Any]]:
        with self._database.reading() as connection:
            if not has_table(connection, "decisions"):
                return []
            return connection.execute(f"SELECT {COLUMNS} FROM decisions ORDER BY id").fetchall()


def copy_decision(target: sqlite3.Connection, row: Sequence[Any]) -> None:
    """Put a row of `COLUMNS` into another store as it is."""
    target.execute(f"INSERT OR IGNORE INTO decisions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)


def decision_checksum(cells: Sequence[Any]) -> int:
    """CRC-32 over all that is stored of a decision: both contents, verdict, moment."""
    return row_checksum("decisions", *cells)


def decision_is_sound(row: Sequence[Any]) -> bool:
    """Tell whether a row of `COLUMNS` is what was written."""
    return bool(decision_checksum(row[1:5]) == row[5])
