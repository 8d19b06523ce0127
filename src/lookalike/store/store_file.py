"""The store's file before SQLite opens it: made whole, and refused where it is something else."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from lookalike.durable import sync_folder
from lookalike.errors import DamagedError, NewerFormatError, NotACollectionError, StorageError
from lookalike.store import schema
from lookalike.store.header import connect_untouched, is_another_format, is_nearly_ours
from lookalike.store.sqlite_errors import translate

_SMALLEST_FILE = 512  # bytes; one page


def create_file(path: Path) -> None:
    """Make an empty store beside `path` and move it there whole, unless another process was faster."""
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            schema.migrate(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        if has_content(new.with_name(f"{new.name}-wal")):  # a checkpoint that fails at the end is not said
            raise StorageError(f"cannot create {path}: not all of it could be written")
        _move_where_nothing_is(new, path)
        sync_folder(path.parent)
    except sqlite3.DatabaseError as error:
        raise translate(error, path) from error
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror}") from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):  # cleared away by who comes next
                new.with_name(f"{new.name}{suffix}").unlink(missing_ok=True)


def has_content(path: Path) -> bool:
    """Whether there is a file with anything in it."""
    return path.exists() and path.stat().st_size > 0


def _move_where_nothing_is(new: Path, path: Path) -> None:
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return
    except OSError:  # a disk without hard links, such as a camera card
        if not path.exists():
            new.replace(path)


def check_header(path: Path) -> None:
    """Refuse a foreign or newer file by its header alone, before anything is written.

    An absent or empty file passes: it becomes a new collection. SQLite itself reads the header: to open and
    close the file in any other way would end the locks that this process holds on it (POSIX), and another
    process would take the log away from under an open collection.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if size == 0:
        return
    header = _read_header(path)
    if size < _SMALLEST_FILE:  # SQLite takes it for an empty one and would write over it
        raise DamagedError(f"{path} is damaged: it does not begin as a collection's store does")
    if header is None:
        return
    version, application_id, is_wrong = header
    if application_id != schema.APPLICATION_ID and (application_id, version) != (0, 0):
        if is_nearly_ours(application_id):
            raise DamagedError(f"{path} is damaged in its first bytes; run: lookalike verify --repair")
        raise NotACollectionError(f"{path} belongs to another program")
    if is_wrong:
        raise DamagedError(f"{path.parent} is damaged in its first bytes; run: lookalike verify --repair")
    check_format(version, path.parent)


def is_writable(path: Path) -> bool:
    """Whether the disk and the rights would let a file be written to."""
    with suppress(OSError):  # it is gone
        is_frozen = hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        return not is_frozen and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return False


def _read_header(path: Path) -> tuple[int, int, bool] | None:
    """Return format, application id, and whether the tables are of another format, without touching a thing.

    It takes no lock, reads no log and writes nothing; None if it cannot do without the log.
    """
    try:
        with closing(connect_untouched(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            is_wrong = is_another_format(connection, version)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite3.SQLITE_CORRUPT:  # someone was killed moving the log over
            return None
        raise translate(error, path) from error
    return int(version), int(application_id), is_wrong


def check_format(version: int, folder: Path) -> None:
    """Refuse a collection of a format that this lookalike does not know."""
    if version > schema.FORMAT:
        raise NewerFormatError(
            f"{folder} was written by a newer lookalike (format {version}, this one knows {schema.FORMAT}); "
            "install that one to open it"
        )
