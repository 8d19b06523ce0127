"""The store's clock: how often items or vectors changed, and how many transactions were committed at all.

`seq` tells an index what it has yet to learn. `commits` counts every transaction and is held against what was
acknowledged (`acknowledged.py`). `store_id` tells one store from another. For use inside a transaction.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from lookalike.errors import DamagedError
from lookalike.store.checksums import row_checksum

_CELLS = "seq, commits, store_id, checksum"


class Clock(NamedTuple):
    """What the clock shows."""

    seq: int
    commits: int
    store_id: bytes


def clock_of(rows: Sequence[Sequence[Any]]) -> Clock | None:
    """Return what the rows of the table say; None unless they are what was written."""
    if len(rows) != 1:
        return None
    cells = tuple(rows[0])
    if len(cells) == 1 and isinstance(cells[0], int):  # a format before 5, on a medium that is not written to
        return Clock(cells[0], 0, b"")
    return Clock(*cells[:3]) if len(cells) == 4 and cells[3] == row_checksum("clock", *cells[:3]) else None


def read_clock(connection: sqlite3.Connection) -> Clock:
    """Return what the clock shows; raises `DamagedError`."""
    clock = clock_of(connection.execute("SELECT * FROM clock").fetchall())
    if clock is None:
        raise DamagedError(
            "the store is damaged: its clock is not what was written; run: lookalike verify --repair"
        )
    return clock


def tick(connection: sqlite3.Connection) -> int:
    """Advance the clock of items and vectors and return its new value."""
    clock = read_clock(connection)
    _write(connection, clock._replace(seq=clock.seq + 1))
    return clock.seq + 1


def count_commit(connection: sqlite3.Connection) -> Clock:
    """Count the transaction that is about to be committed."""
    clock = read_clock(connection)
    clock = clock._replace(commits=clock.commits + 1)
    _write(connection, clock)
    return clock


def set_clock(connection: sqlite3.Connection, seq: int, commits: int, store_id: bytes = b"") -> None:
    """Set the clock, whatever it shows; a store without an id gets one."""
    connection.execute("DELETE FROM clock")
    cells = (seq, commits, store_id or secrets.token_bytes(16))
    sql = f"INSERT INTO clock ({_CELLS}) VALUES (?, ?, ?, ?)"
    connection.execute(sql, (*cells, row_checksum("clock", *cells)))


def _write(connection: sqlite3.Connection, clock: Clock) -> None:
    connection.execute(
        "UPDATE clock SET seq = ?, commits = ?, checksum = ?",
        (clock.seq, clock.commits, row_checksum("clock", *clock)),
    )
