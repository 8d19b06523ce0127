"""A small file in a collection that is being copied: from where, so that a copy that was killed goes on."""

from __future__ import annotations

from pathlib import Path

from lookalike.durable import remove_file, sync_folder, written_whole
from lookalike.errors import StorageError
from lookalike.files import read_bytes

COPY_FILE = ".copied-from"


def read_copy_mark(folder: Path) -> str | None:
    """Return the place that is being copied into the collection in `folder`, or None."""
    try:
        return read_bytes(folder / COPY_FILE).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {folder / COPY_FILE}: {error.strerror}") from error


def write_copy_mark(folder: Path, place: str | None) -> None:
    """Note that place, or with None that nothing is being copied; on disk when this returns."""
    path = folder / COPY_FILE
    if place is None:
        if path.exists():
            remove_file(path)
            sync_folder(folder)
        return
    try:
        with written_whole(path) as new:
            new.write_bytes(place.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
