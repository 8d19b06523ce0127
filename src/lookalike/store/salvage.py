"""Rescues what can still be read of a store whose file is broken, row by row, into a new file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lookalike.durable import sync_folder
from lookalike.errors import DamagedError, StorageError
from lookalike.store.credits import COLUMNS as CREDIT_COLUMNS
from lookalike.store.credits import copy_credit, credit_is_sound
from lookalike.store.database import Database, lenient_text
from lookalike.store.places import mend_places
from lookalike.store.rows import ITEM_COLUMNS, item_is_sound, vector_is_sound
from lookalike.store.schema import VECTORS_TABLE, run_script
from lookalike.store.text_rows import place_is_sound, rebuild_words, text_is_sound
from lookalike.store.votes import COLUMNS as VOTE_COLUMNS
from lookalike.store.votes import copy_vote, vote_is_sound

_Row = tuple[Any, ...]
_UNBELIEVABLE = 1 << 53  # for an id or a clock


def salvage(path: Path) -> Path:
    """Replace the store at `path` by one with all its sound rows; returns where the broken file is kept.

    No other process may have the collection open. Rows that are damaged or unreachable are left out: the
    files they stand for are read again by the next `add`.
    """
    fresh = _fresh_name(path)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
    source = sqlite3.connect(path, isolation_level=None)
    source.text_factory = lenient_text
    source.execute("PRAGMA writable_schema = ON")  # passes over what it cannot read of the schema
    target = Database(fresh, create=True)
    try:
        with target.writing() as connection:
            _copy(source, connection)
    except BaseException as error:
        target.close()
        fresh.unlink()
        if not isinstance(error, DamagedError):
            raise
        raise DamagedError(
            f"{path} is too damaged to rescue anything; add the photos to a new collection"
        ) from error
    finally:
        source.close()
        target.close()
    kept = _free_name(path.with_suffix(".damaged"))
    # The log first: beside another file than its own it would do harm. `finish_salvage` goes on from there.
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{kept}{suffix}")  # noqa: PTH105  # atomic
    finish_salvage(path)
    return kept


def finish_salvage(path: Path) -> None:
    """Put a rescued store in the place of the broken one that was moved away; does nothing where one is."""
    if path.exists() or not _fresh_name(path).exists():
        return
    try:
        os.replace(_fresh_name(path), path)  # noqa: PTH105
    except FileNotFoundError:  # another process did it
        return
    except OSError as error:
        raise StorageError(f"cannot put the rescued {path} in its place: {error.strerror}") from error
    sync_folder(path.parent)


def _fresh_name(path: Path) -> Path:
    return path.with_suffix(".salvage")


def _free_name(path: Path) -> Path:
    """Return a path at which no broken store, or log of one, is kept yet."""
    name, number = path, 1
    while any(Path(f"{name}{suffix}").exists() for suffix in ("", "-wal", "-shm")):
        number += 1
        name = path.with_name(f"{path.name}-{number}")
    return name


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    spaces = source.execute("SELECT * FROM spaces ORDER BY id").fetchall()
    target.execute("UPDATE clock SET seq = ?", (_clock(source, [space[0] for space in spaces]) + 1,))
    last = _last_id(source)
    given = _first_readable(source, ["SELECT seq FROM sqlite_sequence WHERE name = 'items'"]) or 0
    kept: set[int] = set()

    def keep_item(row: _Row) -> None:
        if item_is_sound(row):
            target.execute(f"INSERT OR IGNORE INTO items ({ITEM_COLUMNS}) VALUES (?,?,?,?,?,?,?)", row)
            kept.add(row[0])

    target.execute(
        "INSERT INTO sqlite_sequence VALUES ('items', ?)", (max(last, given),)
    )  # ids are never given twice
    _each(source, f"SELECT {ITEM_COLUMNS} FROM items NOT INDEXED", "id", last, keep_item)
    for at, (space_id, name, model_id, dim, _, *newer) in enumerate(spaces):
        about = newer or ("photo", name, 0)
        row = (space_id, name, model_id, dim, at == 0, *about)
        target.execute("INSERT INTO spaces VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        run_script(target, VECTORS_TABLE.format(table=f"vectors_{space_id}"))

        def keep_vector(row: _Row, space_id: int = space_id, dim: int = dim) -> None:
            if row[0] in kept and vector_is_sound(row[2], row[3], dim):
                target.execute(f"INSERT OR IGNORE INTO vectors_{space_id} VALUES (?,?,?,?)", row)

        columns = "item_id, seq, checksum, vector"
        _each(source, f"SELECT {columns} FROM vectors_{space_id} NOT INDEXED", "item_id", last, keep_vector)
    _copy_texts(source, target, kept, last)
    _copy_given(source, target)


def _copy_texts(source: sqlite3.Connection, target: sqlite3.Connection, kept: set[int], last: int) -> None:
    """Copy texts and places of the items kept; their files are read anew next time, for what was lost."""
    if not _first_readable(source, ["SELECT count(*) FROM sqlite_master WHERE name = 'texts'"]):
        return  # an older format

    def keep_text(row: _Row) -> None:
        if row[0] in kept and text_is_sound(row[1], row[2]):
            target.execute("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", row)

    _each(source, "SELECT item_id, text, checksum FROM texts NOT INDEXED", "item_id", last, keep_text)
    if not target.execute("SELECT EXISTS (SELECT 1 FROM texts)").fetchone()[0]:
        return
    places = "SELECT uri, item_id, checksum FROM places WHERE item_id = ?"
    for item_id in kept:
        with suppress(sqlite3.DatabaseError):
            sound = [row for row in source.execute(places, (item_id,)) if place_is_sound(*row)]
            target.executemany("INSERT OR IGNORE INTO places VALUES (?, ?, ?)", sound)
    files = "SELECT uri, size, mtime_ns, column_name, manner, NULL FROM text_files"
    with suppress(sqlite3.DatabaseError):
        target.executemany(
            "INSERT OR IGNORE INTO text_files (uri, size, mtime_ns, column_name, manner, rows) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            source.execute(files),
        )
    rebuild_words(target)
    mend_places(target)


def _copy_given(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy what people gave: votes and credits."""
    for table, columns, is_sound, copy in (
        ("votes", VOTE_COLUMNS, vote_is_sound, copy_vote),
        ("credits", CREDIT_COLUMNS, credit_is_sound, copy_credit),
    ):
        given = f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"
        last = _first_readable(source, [f"SELECT max(id) FROM {table}", given]) or 0

        def keep(
            row: _Row,
            is_sound: Callable[[_Row], bool] = is_sound,
            copy: Callable[[sqlite3.Connection, _Row], None] = copy,
        ) -> None:
            if is_sound(row):
                copy(target, row)

        _each(source, f"SELECT {columns} FROM {table} NOT INDEXED", "id", last, keep)


def _each(source: sqlite3.Connection, select: str, key: str, last: int, keep: Callable[[_Row], None]) -> None:
    """Feed every readable row to `keep`, reading on behind pages that cannot be read."""
    at, count = 0, 1024
    sql = f"{select} WHERE {key} > ? ORDER BY {key} LIMIT ?"
    while True:
        try:
            rows = source.execute(sql, (at, count)).fetchall()
        except sqlite3.DatabaseError:
            if at >= last:
                return
            at += count == 1
            count = max(1, count // 8)
            continue
        if not rows or rows[-1][0] <= at:  # a broken order of keys leads in circles
            return
        for row in rows:
            keep(row)
        at = rows[-1][0]
        count = min(1024, count * 2)


def _clock(source: sqlite3.Connection, spaces: list[int]) -> int:
    """Return the clock, or where it cannot be read the latest moment that it must have shown."""
    tables = ("clock", "removals", *(f"vectors_{space_id}" for space_id in spaces))
    return max(_first_readable(source, [f"SELECT max(seq) FROM {table}"]) or 0 for table in tables)


def _last_id(source: sqlite3.Connection) -> int:
    last = _first_readable(
        source,
        [
            "SELECT max(id) FROM items",
            "SELECT max(id) FROM items INDEXED BY items_by_size WHERE size >= 0",
            "SELECT seq FROM sqlite_sequence WHERE name = 'items'",
        ],
    )
    if last is None:
        raise sqlite3.DatabaseError("the list of items cannot be read")
    return last


def _first_readable(source: sqlite3.Connection, selects: list[str]) -> int | None:
    """Return the number that the first of the selects gives that can be executed and finds one."""
    for select in selects:
        with suppress(sqlite3.DatabaseError):
            (number,) = source.execute(select).fetchone() or (None,)
            if isinstance(number, int) and 0 < number < _UNBELIEVABLE:
                return number
    return None
