"""Groups of copies made of small files, and looking at where these are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lookalike.copies.groups import Copy, CopyGroup
from lookalike.records import FileStamp, Item


def write(path: Path, content: bytes) -> Path:
    """Make a file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def item_of(path: Path, number: int) -> Item:
    """The item of a file as it is now."""
    content = path.read_bytes()
    stamp = FileStamp(len(content), path.stat().st_mtime_ns)
    return Item(number, str(path), hashlib.sha256(content).digest(), stamp, {})


def group_of(best: Item, *copies: Item) -> CopyGroup:
    """A group whose best member is the first."""
    return CopyGroup("photo", best, ("more pixels",), tuple(Copy(each, ("smaller",)) for each in copies))


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
