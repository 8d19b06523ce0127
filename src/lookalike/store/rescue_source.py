"""The file to rescue rows from: the broken store, or a copy of which SQLite can read the list of tables."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from lookalike.store.header import copy_with_header, is_damaged_header
from lookalike.store.log import log_of, mend_log, read_log
from lookalike.store.opening import keep_log, put_back_log
from lookalike.store.schema_pages import rebuild_list
from lookalike.store.store_file import check_header
from lookalike.store.tables import lenient_text, listed_formats


def rescue_source(path: Path) -> tuple[Path, list[str]]:
    """Return the file to rescue rows from, and the names of tables that cannot be found in it.

    It is the store with its log mended, or a copy with a sound header and list of tables.
    """
    was_kept, state = put_back_log(path), read_log(path)
    if state == "damaged" or (was_kept and state == "unsure"):
        keep_log(path)
        mend_log(path)
    if not is_damaged_header(path):
        check_header(path)
        if _lists_its_tables(path):
            return path, []
    copy = path.with_name("store.rescue.new-source")
    copy_with_header(path, copy)
    if log_of(path).exists():
        shutil.copyfile(log_of(path), log_of(copy))
    if _lists_its_tables(copy):
        return copy, []
    _take_over_log(copy)
    try:
        return copy, rebuild_list(copy)
    except sqlite3.DatabaseError:  # more is damaged: what can be read is read
        return copy, []


def _lists_its_tables(path: Path) -> bool:
    """Whether a file's list of tables is that of a format, whatever number it bears."""
    try:
        with closing(connect_to_read(path)) as connection:
            return bool(listed_formats(connection))
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # SQLite's messages quote the damage
        return False


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect to a damaged file; what cannot be read of its list of tables is passed over."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = lenient_text
    with suppress(sqlite3.DatabaseError):
        connection.execute("PRAGMA writable_schema = ON")
    return connection


def _take_over_log(path: Path) -> None:
    """Put into a file what stands in its log, whatever its tables are."""
    unreadable = suppress(sqlite3.DatabaseError, UnicodeDecodeError)
    with unreadable, closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
