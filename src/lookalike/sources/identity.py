"""Which file or folder a path leads to, whatever way it takes: links, bind mounts, other spellings.

Inode numbers do not tell: some file systems give the same one to all folders (FAT and SMB on Windows, some
NFS and btrfs views). Paths without links do, on Linux together with the table of mounts.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path

from lookalike.files import read_bytes
from lookalike.sources.remote.addresses import is_address
from lookalike.sources.uris import path_of

_MOUNTS = Path("/proc/self/mountinfo")
_REMEMBERED = 4096  # folders


class Identities:
    """Tells what paths lead to, by the links and mounts of this moment; made anew for each run."""

    def __init__(self) -> None:
        self._mounts = _read_mounts()
        self._real_folder = lru_cache(_REMEMBERED)(os.path.realpath)

    def real(self, path: str) -> str:
        """Return the path without links to what a path leads to."""
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
        if not name or sys.platform == "win32" or os.path.islink(path):  # noqa: PTH114  # junctions are no links
            return os.path.realpath(path)
        return os.path.join(self._real_folder(folder), name)  # noqa: PTH118

    def of(self, path: str) -> str:
        """Return what is equal for all paths to one file or folder."""
        return self.of_real(self.real(path))

    def of_real(self, real: str) -> str:
        """Return the identity of a path without links."""
        if not self._mounts:
            return os.path.normcase(real)
        at = real
        while at not in self._mounts:
            above = os.path.dirname(at)  # noqa: PTH120
            if above == at:
                return real
            at = above
        device, root = self._mounts[at]
        return f"{device}:{root.rstrip('/')}/{real[len(at) :].strip('/')}".rstrip("/")

    def is_bound(self, real: str) -> bool:
        """Whether a folder without links in its path is a mount of a part of another place."""
        return self._mounts.get(real, ("", "/"))[1] != "/"

    def are_same(self, uri: str, other: str) -> bool:
        """Whether the files at two uris are one."""
        if is_address(uri) or is_address(other):
            return uri == other
        return self.of(path_of(uri)) == self.of(path_of(other))


def _read_mounts() -> dict[str, tuple[str, str]]:
    """Return device and root of each mount by its place (proc_pid_mountinfo(5)), as far as they are told."""
    try:
        lines = read_bytes(_MOUNTS).splitlines()
    except OSError:
        return {}
    mounts: dict[str, tuple[str, str]] = {}
    for line in lines:
        fields = [_plain(field) for field in line.split(b" ")]
        if len(fields) > 4:
            place = fields[4]
            below = place.rstrip("/") + "/"
            mounts = {at: mount for at, mount in mounts.items() if not at.startswith(below)}  # now hidden
            mounts[place] = fields[2], fields[3]
    return mounts


def _plain(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field))
