"""Opens files that a user names or that lie where one was found, and nothing else that may lie there.

A pipe would be waited for, for ever, and some devices have no end. So whatever is opened for reading is
looked at first, opened without waiting, and looked at again; all of the package reads files by these calls.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from lookalike.errors import NotAFileError
from lookalike.records import FileStamp

AnyName = str | os.PathLike[str]

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
HAS_CHANGE_TIME = os.name == "posix"
"""Whether the system keeps when a file was last changed at all; on Windows that number is its creation."""

_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def stamp_of(facts: os.stat_result) -> FileStamp:
    """Return the stamp of a file by what the system says of it."""
    changed = facts.st_ctime_ns if HAS_CHANGE_TIME else facts.st_mtime_ns
    return FileStamp(facts.st_size, max(facts.st_mtime_ns, changed))


def stamp_with(stamp: FileStamp, sidecars: Iterable[str]) -> FileStamp:
    """Return the stamp of a photo that has these files beside it; what is not there does not count.

    Another one stands for every change of any of them: beyond the newest time it tells by some nanoseconds
    which there are, how large and from when.
    """
    newest, facts = stamp.mtime_ns, []
    for path in sidecars:
        with suppress(OSError):
            beside = stamp_of(os.stat(path))  # noqa: PTH116  # names may not be UTF-8
            facts.append((path, beside.size, beside.mtime_ns))
            newest = max(newest, beside.mtime_ns)
    return FileStamp(stamp.size, newest + zlib.crc32(repr(facts).encode())) if facts else stamp


def kind_of_file(mode: int) -> str:
    """Return what lies there by its `st_mode`, such as "a pipe"."""
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")


def check_file(path: AnyName) -> os.stat_result:
    """Return the facts of a regular file, for libraries that open it themselves.

    Raises `NotAFileError` for anything else, `OSError` where nothing is there.
    """
    facts = os.stat(path)  # noqa: PTH116  # names may not be UTF-8
    _check(path, facts.st_mode)
    return facts


def open_bytes(path: AnyName) -> BufferedReader:
    """Open a regular file for reading; raises `NotAFileError` for anything else, and `OSError`."""
    return open(path, "rb", opener=_opener)  # Path.open takes no opener


def open_text(
    path: AnyName, encoding: str = "utf-8", errors: str = "strict", newline: str | None = None
) -> TextIOWrapper:
    """Open a regular file of text for reading; raises `NotAFileError` for anything else, and `OSError`."""
    return open(path, encoding=encoding, errors=errors, newline=newline, opener=_opener)


def read_bytes(path: AnyName) -> bytes:
    """Return the content of a regular file; raises `NotAFileError` for anything else, and `OSError`."""
    with open_bytes(path) as file:
        return file.read()


def read_text(path: AnyName) -> str:
    """Return the content of a regular file in UTF-8; raises as `read_bytes`, and `UnicodeDecodeError`."""
    with open_text(path) as file:
        return file.read()


def _opener(path: str, flags: int) -> int:
    check_file(path)  # to open some devices does something already
    handle = os.open(path, flags | _WITHOUT_WAITING)
    try:
        _check(path, os.fstat(handle).st_mode)  # what was opened may be another one than what was looked at
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(handle, True)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check(path: AnyName, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotAFileError(Path(path), kind_of_file(mode))
