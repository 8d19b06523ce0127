"""Opening the store's file: what a killed process left is finished or cleared away, and what is lost is said.

Whoever opens a collection that nobody else has open does this before SQLite reads a byte, since SQLite drops
for good what stands behind a damaged frame of its log.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from lookalike.durable import sync_folder
from lookalike.errors import DamagedError, StorageError
from lookalike.store.database import Database
from lookalike.store.log import log_of, mend_log, read_log

_LEFTOVERS = (
    "store.sqlite.*.new*",
    ".new-*",
    "store.rescue.new*",
    "store.salvage*",
    "index/*.new",
    "index/.new-*",
)
_WAY_OUT = (
    "what was added, removed or voted last may be missing; run: lookalike verify --repair, then add the "
    "folders again"
)


def open_database(
    path: Path, *, create: bool = False, alone: bool = False, mend: bool = False
) -> tuple[Database, list[str]]:
    """Open the store at `path`; with `mend`, put right what is wrong with its log and return what that was.

    `alone` tells that nobody else has it open, nor can until this returns. Raises `DamagedError` where what
    was acknowledged is missing, unless `mend` takes that as it is.
    """
    state = "sound"
    if alone:
        put_back_log(path)
        state = read_log(path)
    if state == "damaged" and not mend:
        raise DamagedError(f"{log_of(path)} is damaged: its end cannot be read; {_WAY_OUT}")
    found = []
    if state != "sound":
        keep_log(path)
    if state == "damaged":
        found.append("its log was damaged; the frame is taken as it is")
        mend_log(path)
    database = Database(path, create=create)
    lost = database.lost_commits()
    if lost and state == "unsure":
        database.close()
        put_back_log(path)
        if mend:
            found.append("its log was damaged in the last transaction; the frame is taken as it is")
            mend_log(path)
            database = Database(path, create=False)
            lost = database.lost_commits()
    if lost and not mend:
        database.close()
        raise DamagedError(f"{path} lacks the last {lost:,} changes that were acknowledged; {_WAY_OUT}")
    if lost:
        found.append(f"the last {lost:,} changes that were acknowledged are lost; add the folders again")
        database.accept_loss()
    _drop_kept_log(path, damaged=bool(found))
    return database, found


def clear_leftovers(folder: Path) -> None:
    """Remove the half-written files of killed processes; nobody else may have the collection open."""
    for pattern in _LEFTOVERS:
        for leftover in folder.glob(pattern):
            with suppress(OSError):
                leftover.unlink()


def finish_rescue(path: Path) -> None:
    """Put a rescued store in the place of the broken one, which is kept; nobody else may have it open.

    At every moment there is a whole file at `path`: the broken one or the rescued one.
    """
    rescued = path.with_name(RESCUED_FILE)
    if not rescued.exists():
        return
    try:
        _keep_broken(path)
        for suffix in ("-wal.kept", "-wal", "-shm"):  # beside another file than its own a log would do harm
            path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
        rescued.replace(path)
    except OSError as error:
        raise StorageError(f"cannot put the rescued {path} in its place: {error.strerror}") from error
    sync_folder(path.parent)


RESCUED_FILE = "store.rescued"
"""A whole rescued store that waits to be put in place; once it has that name it will be."""


def kept_name(path: Path) -> Path:
    """Return a name at which no broken store, or log of one, is kept yet."""
    name = kept = path.with_suffix(".damaged")
    number = 1
    while any(kept.with_name(f"{kept.name}{suffix}").exists() for suffix in ("", "-wal", "-shm")):
        number += 1
        kept = name.with_name(f"{name.name}-{number}")
    return kept


def _keep_broken(path: Path) -> None:
    """Keep the broken file and its log under other names, without copying where the disk knows links."""
    if any(same.samefile(path) for same in path.parent.glob(f"{path.stem}.damaged*") if path.exists()):
        return  # it was killed after this
    kept = kept_name(path)
    log = (
        _kept_log(path) if _kept_log(path).exists() else log_of(path)
    )  # as it was found, where it was mended
    for source, target in ((log, kept.with_name(f"{kept.name}-wal")), (path, kept)):
        if not source.exists():
            continue
        try:
            os.link(source, target)
        except OSError:  # a disk without hard links
            shutil.copyfile(source, target)


def _kept_log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal.kept")


def keep_log(path: Path) -> None:
    """Copy the log before SQLite cuts it short."""
    new = _kept_log(path).with_name(f".new-{path.name}-wal")
    shutil.copyfile(log_of(path), new)
    new.replace(_kept_log(path))
    sync_folder(path.parent)


def put_back_log(path: Path) -> bool:
    """Let the log be again what it was before SQLite cut it short, if it was; nothing was written since."""
    was_kept = _kept_log(path).exists()
    if was_kept:
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        shutil.copyfile(_kept_log(path), log_of(path))
    return was_kept


def _drop_kept_log(path: Path, *, damaged: bool) -> None:
    kept = _kept_log(path)
    if not kept.exists():
        return
    if damaged:
        target = kept_name(path)
        kept.replace(target.with_name(f"{target.name}-wal"))
    else:
        kept.unlink()
