"""What SQLite's errors mean, in one line with the way out."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from lookalike.errors import BusyError, CollectionError, DamagedError, StorageError

BUSY_SECONDS = 600.0
"""How long writers queue: another's batch takes milliseconds, its repair minutes."""

_DAMAGE = {  # what correct SQL meets only in a file that is not as it was written
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}


def translate(error: sqlite3.DatabaseError, path: Path) -> CollectionError:
    """Say in one line what SQLite's error means and what to do."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
        return DamagedError(f"{path} is damaged ({error}); run: lookalike verify --repair")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return BusyError(f"{path.parent} is kept locked by another process; try again when it has ended")
    return StorageError(_problem(error, path))


def _problem(error: sqlite3.DatabaseError, path: Path) -> str:
    name, code = getattr(error, "sqlite_errorname", ""), getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return _full(path.parent)
    if name.startswith(("SQLITE_IOERR_SHM", "SQLITE_IOERR_LOCK", "SQLITE_PROTOCOL")):
        return (
            f"{path.parent} is on a disk on which SQLite cannot share memory or lock files, as on some "
            "network and FUSE disks: keep the collection on a local disk"
        )
    if isinstance(error, sqlite3.ProgrammingError):
        return f"{path.parent} was closed while it was in use"
    if code == sqlite3.SQLITE_READONLY:
        return f"{path.parent} cannot be written to"
    return f"cannot use {path}: {error}" + (f" ({name})" if name else "")


def _full(folder: Path) -> str:
    """Tell a full disk from a full temporary folder, in which SQLite keeps what it sorts and walks."""
    temporary = Path(os.environ.get("SQLITE_TMPDIR") or tempfile.gettempdir())
    if not _is_full(folder) and _is_full(temporary):
        return f"the temporary folder {temporary} is full; make room there, or name another one with TMPDIR"
    return f"the disk that holds {folder} is full; what was committed before is kept"


def _is_full(folder: Path) -> bool:
    if not hasattr(os, "statvfs"):
        return False
    try:
        return os.statvfs(folder).f_bavail < 64
    except OSError:
        return False
