"""Takes back a collection that was just made and has stayed empty."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from lookalike.store.acknowledged import ACKNOWLEDGED_FILE
from lookalike.store.copy_mark import COPY_FILE
from lookalike.store.lock import LOCK_FILE, CollectionLock

_FILES = ("store.sqlite-wal", "store.sqlite-shm", "store.sqlite", ACKNOWLEDGED_FILE, COPY_FILE, LOCK_FILE)


def discard_empty(folder: Path, *, with_folder: bool) -> None:
    """Remove a collection without items, and its folder where that was made for it.

    It stays where another process has it open, and where something cannot be removed.
    """
    lock = CollectionLock(folder)
    try:
        is_ours = lock.alone and not _holds_items(folder / "store.sqlite")
    finally:
        lock.close()
    if not is_ours:
        return
    with suppress(OSError):
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        if with_folder:
            folder.rmdir()


def _holds_items(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file)) as connection:
            return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM items)").fetchone()[0])
    except sqlite3.Error:
        return True
