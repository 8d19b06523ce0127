"""Rescues what can still be read of a store whose file is broken, row by row, into a new file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lookalike.durable import sync_folder
from lookalike.errors import DamagedError, StorageError
from lookalike.records import FileStamp, Space
from lookalike.store.acknowledged import Acknowledged
from lookalike.store.checksums import row_checksum
from lookalike.store.clock import Clock, clock_of, set_clock
from lookalike.store.credits import COLUMNS as CREDIT_COLUMNS
from lookalike.store.credits import copy_credit, credit_is_sound
from lookalike.store.decisions import COLUMNS as DECISION_COLUMNS
from lookalike.store.decisions import copy_decision, decision_is_sound
from lookalike.store.header import is_damaged_header
from lookalike.store.lock import rescue_lock
from lookalike.store.log import log_of
from lookalike.store.opening import (
    RESCUED_FILE,
    clear_leftovers,
    finish_rescue,
    open_database,
)
from lookalike.store.places import mend_places
from lookalike.store.rescue_source import connect_to_read, rescue_source
from lookalike.store.rows import (
    ITEM_COLUMNS,
    item_checksum,
    item_is_sound,
    vector_checksum,
    vector_is_sound,
    vectors_table,
)
from lookalike.store.schema import VECTORS_TABLE, add_functions, migrate, run_script
from lookalike.store.spaces import mended_spaces, seal_spaces, space_of
from lookalike.store.sqlite_errors import translate
from lookalike.store.store_file import check_header, has_content
from lookalike.store.text_rows import FORGET_END, place_is_sound, rebuild_words, text_checksum, text_is_sound
from lookalike.store.votes import COLUMNS as VOTE_COLUMNS
from lookalike.store.votes import copy_vote, vote_is_sound

_SPACE_CELLS = 9
_SKIPPED_PAGE = "SELECT * FROM skipped WHERE uri > ? ORDER BY uri LIMIT 1000"
_Row = tuple[Any, ...]
_UNBELIEVABLE = 1 << 53  # for an id or a clock


def mend_file(path: Path) -> list[str]:
    """Put right what is wrong with the log of the store at `path`; returns what that was.

    Raises `StorageError` while others have the collection open, `DamagedError` where rows must be rescued.
    """
    check_header(path)
    lock = rescue_lock(path.parent)
    try:
        finish_rescue(path)
        clear_leftovers(path.parent)
        database, found = open_database(path, alone=True, mend=True)
        database.close()
        return found
    except OSError as error:
        raise StorageError(f"cannot repair {path}: {error.strerror}") from error
    finally:
        lock.close()


def rescue(path: Path, inode: int | None = None) -> list[str]:
    """Replace the store at `path` by one with all its sound rows, and keep the broken file beside it.

    It needs the collection for itself: raises `StorageError` while others have it open. Rows that are damaged
    or unreachable are left out: the files they stand for are read again by the next `add`. Nothing is done
    where the file is not the one with that `inode` any more: somebody else has rescued it. Returns what is
    lost as a whole, in words.
    """
    try:
        check_header(path)
    except DamagedError:
        if not is_damaged_header(path):  # which is put right
            raise
    lock = rescue_lock(path.parent)
    try:
        finish_rescue(path)
        clear_leftovers(path.parent)
        if inode is not None and path.stat().st_ino != inode:
            return []
        fresh = path.with_name("store.rescue.new")
        source, lost = rescue_source(path)
        _salvage(source, fresh, Acknowledged(path.parent))
        fresh.replace(path.with_name(RESCUED_FILE))  # from here on it will be the store
        sync_folder(path.parent)
        finish_rescue(path)
        clear_leftovers(path.parent)
    except OSError as error:
        raise StorageError(f"cannot rescue {path}: {error.strerror}") from error
    finally:
        lock.close()
    return [f"its table {name} could not be found: what it held is lost" for name in lost]


def _salvage(path: Path, fresh: Path, noted: Acknowledged) -> None:
    """Write all sound rows of the store at `path` into a new file, on disk as a whole."""
    try:
        fresh_file = closing(sqlite3.connect(fresh, isolation_level=None))
        with closing(connect_to_read(path)) as source, fresh_file as target:
            _fill(source, target, noted)
    except sqlite3.DatabaseError as error:
        translated = translate(error, path)
        if not isinstance(translated, DamagedError):
            raise translated from error
        raise DamagedError(
            f"{path} is too damaged to rescue anything; add the photos to a new collection"
        ) from error
    if has_content(log_of(fresh)):  # a checkpoint that fails at the end is not said
        raise StorageError(f"cannot rescue {path}: not all of it could be written")
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())


def _fill(source: sqlite3.Connection, target: sqlite3.Connection, noted: Acknowledged) -> None:
    add_functions(target)
    target.execute("PRAGMA synchronous = FULL")
    target.execute("BEGIN IMMEDIATE")
    migrate(target)
    _copy(source, target, noted)
    target.execute("COMMIT")
    target.execute("PRAGMA journal_mode = WAL")


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, noted: Acknowledged) -> None:
    spaces = _sound_spaces(source)
    _copy_clock(source, target, [space.id for space in spaces], noted)
    last = _last_id(source)
    given = _first_readable(source, ["SELECT seq FROM sqlite_sequence WHERE name = 'items'"]) or 0
    kept: set[int] = set()

    def keep_item(row: _Row) -> None:
        if item_is_sound(row):
            item_id, uri, content, size, mtime_ns, metadata, _ = row
            checksum = item_checksum(item_id, uri, content, FileStamp(size, mtime_ns), metadata)
            sql = f"INSERT OR IGNORE INTO items ({ITEM_COLUMNS}) VALUES (?,?,?,?,?,?,?)"
            target.execute(sql, (*row[:6], checksum))
            kept.add(item_id)

    target.execute(
        "INSERT INTO sqlite_sequence VALUES ('items', ?)", (max(last, given),)
    )  # ids are never given twice
    _each(source, f"SELECT {ITEM_COLUMNS} FROM items NOT INDEXED", "id", last, keep_item)
    for space in spaces:
        cells = (space.id, space.name, space.model_id, space.dim, int(space.is_default), space.kind)
        row = (*cells, space.reference, int(space.approximate), 0)
        target.execute("INSERT INTO spaces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        run_script(target, VECTORS_TABLE.format(table=vectors_table(space.id)))

        def keep_vector(row: _Row, space: Space = space) -> None:
            item_id, seq, checksum, vector = row
            if item_id in kept and vector_is_sound(space, item_id, checksum, vector):
                bound = (item_id, seq, vector_checksum(space.id, item_id, vector), vector)
                target.execute(f"INSERT OR IGNORE INTO {vectors_table(space.id)} VALUES (?,?,?,?)", bound)

        table = vectors_table(space.id)
        columns = "item_id, seq, checksum, vector"
        _each(source, f"SELECT {columns} FROM {table} NOT INDEXED", "item_id", last, keep_vector)
    seal_spaces(target)
    _copy_texts(source, target, kept, last)
    _copy_skipped(source, target)
    _copy_given(source, target)


def _copy_texts(source: sqlite3.Connection, target: sqlite3.Connection, kept: set[int], last: int) -> None:
    """Copy texts and places of the items kept; their files are read anew next time, for what was lost."""
    if not _first_readable(source, ["SELECT count(*) FROM sqlite_master WHERE name = 'texts'"]):
        return  # an older format

    def keep_text(row: _Row) -> None:
        item_id, text, checksum = row
        if item_id in kept and text_is_sound(item_id, text, checksum):
            bound = (item_id, text, text_checksum(item_id, text))
            target.execute("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", bound)

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
    target.execute(FORGET_END)
    rebuild_words(target)
    mend_places(target)


def _copy_skipped(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy the notes of inputs that were skipped; those of older formats have no checksum."""

    def keep(row: _Row) -> None:
        if len(row) == 6 or row[6] == row_checksum("skipped", *row[:6]):
            cells = (*row[:6], row_checksum("skipped", *row[:6]))
            target.execute("INSERT OR IGNORE INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?)", cells)

    last = ""
    with suppress(sqlite3.DatabaseError):
        while rows := source.execute(_SKIPPED_PAGE, (last,)).fetchall():
            for row in rows:
                keep(row)
            if not isinstance(rows[-1][0], str) or rows[-1][0] <= last:
                return
            last = rows[-1][0]


def _copy_given(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy what people gave: votes, credits and decisions."""
    for table, columns, is_sound, copy in (
        ("votes", VOTE_COLUMNS, vote_is_sound, copy_vote),
        ("credits", CREDIT_COLUMNS, credit_is_sound, copy_credit),
        ("decisions", DECISION_COLUMNS, decision_is_sound, copy_decision),
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


def _sound_spaces(source: sqlite3.Connection) -> list[Space]:
    """Return the spaces whose rows are what was written, from where they are kept twice."""
    rows: list[_Row] = []
    twins: list[_Row] = []
    for table, kept in (("spaces", rows), ("spaces_twin", twins)):
        with suppress(sqlite3.DatabaseError):
            kept[:] = source.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
    if rows and len(rows[0]) < _SPACE_CELLS:  # a format before 5 has neither checksums nor twins
        one = sum(bool(row[4]) for row in rows) == 1
        return [space_of(row) if one else replace(space_of(row), is_default=row is rows[0]) for row in rows]
    mended, _ = mended_spaces(rows, twins)
    return [space_of(row) for row in mended]


def _copy_clock(
    source: sqlite3.Connection, target: sqlite3.Connection, spaces: list[int], noted: Acknowledged
) -> None:
    """Set the clock beyond whatever it may have shown."""
    clock: Clock | None = None
    with suppress(sqlite3.DatabaseError):
        clock = clock_of(source.execute("SELECT * FROM clock").fetchall())
    tables = ("clock", "removals", *(f"vectors_{space_id}" for space_id in spaces))
    seq = max(_first_readable(source, [f"SELECT max(seq) FROM {table}"]) or 0 for table in tables)
    store_id = clock.store_id if clock is not None else b""
    known = noted.read()
    acknowledged = known.commits if known is not None and known.store_id == store_id else 0
    set_clock(target, seq + 1, max(acknowledged, clock.commits if clock else 0) + 1, store_id)


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
