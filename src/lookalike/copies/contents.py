"""The files of items as they lie on disk now, told by their content before anything is done to them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import NotFoundError
from lookalike.files import open_bytes

CHANGED = "its content is not the one that was added; read it again with: lookalike add --afresh"


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A regular file when its content was read: its sha256, and by what another one or a change is told."""

    sha256: bytes
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def is_at(self, path: Path) -> bool:
        """Whether this very file lies at a path, and was not written to since."""
        try:
            found = os.lstat(path)
        except OSError:
            return False
        known = (self.device, self.inode, self.size, self.mtime_ns)
        return known == (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def is_unchanged_at(self, path: Path) -> bool:
        """Whether this very file lies at a path, and nothing at all of it has changed, its names included."""
        return self.is_at(path) and os.lstat(path).st_ctime_ns == self.ctime_ns


def look_at(path: Path) -> SeenFile:
    """Read a regular file and return what it is; raises `OSError`, for a link, too."""
    before = lstat_of_file(path)
    with open_bytes(path) as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        after = os.fstat(file.fileno())
    facts = (after.st_dev, after.st_ino, after.st_size, after.st_mtime_ns, after.st_ctime_ns)
    if facts != (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns):
        raise OSError(errno.EBUSY, "it was written to while it was read", str(path))
    return SeenFile(digest, *facts)


def look_at_recorded(path: Path, sha256: bytes) -> SeenFile:
    """Read a file as `look_at` does; raises `NotFoundError` where its content is not the recorded one."""
    seen = look_at(path)
    if seen.sha256 != sha256:
        raise NotFoundError(CHANGED)
    return seen


def lstat_of_file(path: Path) -> os.stat_result:
    """Return the facts of what lies at a path itself; raises `OSError` unless it is a regular file."""
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        raise OSError(errno.ELOOP, "it is a link", str(path))
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return facts


def reason_of(error: OSError | NotFoundError) -> str:
    """Say in words why nothing was done to a file."""
    if isinstance(error, FileNotFoundError):
        return "its file is gone"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
