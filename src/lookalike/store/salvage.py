"""Rescues what can still be read of a store whose file is broken, row by row, into a new file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lookalike.errors import StorageError
from lookalike.store.database import Database
from lookalike.store.rows import ITEM_COLUMNS, item_is_sound, vector_is_sound
from lookalike.store.schema import VECTORS_TABLE, run_script

_Row = tuple[Any, ...]


def salvage(path: Path) -> Path:
    """Replace the store at `path` by one with all its sound rows; returns where the broken file is kept.

    No other process may have the collection open. Rows that are damaged or unreachable are left out: the
    files they stand for are read again by the next `add`.
    """
    fresh = path.with_suffix(".salvage")
    fresh.unlink(missing_ok=True)
    source = sqlite3.connect(path, isolation_level=None)
    target = Database(fresh, create=True)
    try:
        with target.writing() as connection:
            _copy(source, connection)
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"{path} is too damaged to rescue anything ({error}); add the photos anew"
        ) from error
    finally:
        source.close()
        target.close()
    kept = path.with_suffix(".damaged")
    os.replace(path, kept)  # noqa: PTH105  # atomic, as pathlib's is not documented to be on Windows
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), kept.with_name(kept.name + suffix))  # noqa: PTH105
    os.replace(fresh, path)  # noqa: PTH105
    return kept


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    spaces = source.execute("SELECT id, name, model_id, dim, is_default FROM spaces").fetchall()
    (clock,) = source.execute("SELECT max(seq) FROM clock").fetchone()
    target.execute("UPDATE clock SET seq = ?", ((clock or 0) + 1,))
    last = _last_id(source)
    kept: set[int] = set()

    def keep_item(row: _Row) -> None:
        if item_is_sound(row):
            target.execute(f"INSERT OR IGNORE INTO items ({ITEM_COLUMNS}) VALUES (?,?,?,?,?,?,?)", row)
            kept.add(row[0])

    target.execute("INSERT INTO sqlite_sequence VALUES ('items', ?)", (last,))  # ids are never given twice
    _each(source, f"SELECT {ITEM_COLUMNS} FROM items NOT INDEXED", "id", last, keep_item)
    for space_id, name, model_id, dim, is_default in spaces:
        target.execute(
            "INSERT INTO spaces VALUES (?, ?, ?, ?, ?)", (space_id, name, model_id, dim, is_default)
        )
        run_script(target, VECTORS_TABLE.format(table=f"vectors_{space_id}"))

        def keep_vector(row: _Row, space_id: int = space_id, dim: int = dim) -> None:
            if row[0] in kept and vector_is_sound(row[2], row[3], dim):
                target.execute(f"INSERT OR IGNORE INTO vectors_{space_id} VALUES (?,?,?,?)", row)

        columns = "item_id, seq, checksum, vector"
        _each(source, f"SELECT {columns} FROM vectors_{space_id} NOT INDEXED", "item_id", last, keep_vector)


def _each(source: sqlite3.Connection, select: str, key: str, last: int, keep: Callable[[_Row], None]) -> None:
    """Feed every readable row to `keep`, reading on behind pages that cannot be read."""
    at, stride = 0, 1024
    while at <= last:
        try:
            sql = f"{select} WHERE {key} > ? AND {key} <= ? ORDER BY {key}"
            rows = source.execute(sql, (at, at + stride)).fetchall()
        except sqlite3.DatabaseError:
            if stride > 1:
                stride = max(1, stride // 8)
                continue
            rows = []
        for row in rows:
            keep(row)
        at += stride
        stride = min(1024, stride * 2)


def _last_id(source: sqlite3.Connection) -> int:
    for sql in (
        "SELECT seq FROM sqlite_sequence WHERE name = 'items'",
        "SELECT max(id) FROM items",
        "SELECT max(id) FROM items INDEXED BY items_by_size WHERE size >= 0",
    ):
        with suppress(sqlite3.DatabaseError):
            row = source.execute(sql).fetchone()
            if row and row[0]:
                return int(row[0])
    raise sqlite3.DatabaseError("the list of items cannot be read")
