"""Making a rename survive a power cut, and files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.errors import StorageError


def sync_folder(folder: Path) -> None:
    """Put on disk which names a folder holds."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no such handle and journals renames itself
        return
    handle = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that a power cut does not take them again."""
    missing = [each for each in (folder, *folder.absolute().parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_folder(each.absolute().parent)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a new file to write beside `path`, and put it in its place once it is on disk.

    Whatever fails or is killed before leaves what was there; what fails leaves nothing beside it either.
    """
    new = path.with_name(f".new-{path.name}")
    try:
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.absolute().parent)


def remove_file(path: Path) -> None:
    """Remove a file that may not be there; raises `StorageError` where the disk does not let it."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error
