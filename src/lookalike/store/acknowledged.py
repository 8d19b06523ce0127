"""How many transactions have been acknowledged, noted beside the store once each is on disk.

The note is not synced: it never says more than is on disk, and after a kill it says exactly that much. A
store that shows fewer has lost what it was told to keep.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from lookalike.files import read_bytes
from lookalike.store.checksums import row_checksum
from lookalike.store.clock import Clock

if sys.platform != "win32":
    import fcntl

ACKNOWLEDGED_FILE = "store.acknowledged"
_RECORD = struct.Struct("<8s16sQI")
_MAGIC = b"lkalack1"


class Noted(NamedTuple):
    """How many transactions of which store have been acknowledged."""

    store_id: bytes
    commits: int


class Acknowledged:
    """The note of the store in `folder`, an aid that fails in silence; for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ACKNOWLEDGED_FILE
        self._handle: int | None = None
        self._lock = threading.Lock()

    def read(self) -> Noted | None:
        """Return what is noted; None where that is not known."""
        try:
            return _parsed(read_bytes(self._path))
        except OSError:  # also where it is no file
            return None

    def note(self, clock: Clock, *, lower: bool = False) -> None:
        """Note that so many are on disk; a lower number than is noted only where that is meant."""
        with self._lock:
            try:
                self._write(clock, lower)
            except OSError:  # a full disk, say: what is on disk is on disk
                return

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def _write(self, clock: Clock, lower: bool) -> None:
        if self._handle is None:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
            self._handle = os.open(self._path, flags, 0o666)
        handle = self._handle
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            os.lseek(handle, 0, os.SEEK_SET)
            noted = _parsed(os.read(handle, _RECORD.size))
            behind = noted is None or noted.store_id != clock.store_id or noted.commits < clock.commits
            if lower or behind:
                os.lseek(handle, 0, os.SEEK_SET)
                os.write(handle, _packed(clock))
        finally:
            if sys.platform != "win32":
                fcntl.flock(handle, fcntl.LOCK_UN)


def _packed(clock: Clock) -> bytes:
    checksum = row_checksum(_MAGIC, clock.store_id, clock.commits)
    return _RECORD.pack(_MAGIC, clock.store_id, clock.commits, checksum)


def _parsed(content: bytes) -> Noted | None:
    if len(content) != _RECORD.size:
        return None
    magic, store_id, commits, checksum = _RECORD.unpack(content)
    return Noted(store_id, commits) if checksum == row_checksum(magic, store_id, commits) else None
