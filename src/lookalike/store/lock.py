"""Who has a collection open: every store holds a shared lock on it, a rescue needs it for itself.

The lock is on a file of its own, `store.lock`, since the store's file is replaced by a rescue. It ends with
the process that holds it, however that ends. On a medium that cannot be written to nothing is rescued, so
that nothing needs to be locked; on a disk that knows no locks everybody may open, and nobody may rescue.
"""

from __future__ import annotations

import errno
import os
import random
import sys
import time
from pathlib import Path

from lookalike.errors import StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = "store.lock"
_WAIT_SECONDS = 10.0  # for a rescue to end
_TRY_SECONDS = 0.02
_BYTES = 1 << 20  # on Windows, of which each holder locks one and a rescue all
_IN_USE = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class CollectionLock:
    """The lock of the collection in `folder`, from its making until `close`.

    As long as nobody else holds it, `alone` is True at first, for what must be done before others come; then
    `share` it. Raises `StorageError` where a rescue goes on for longer than one waits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle = _open(folder / LOCK_FILE)
        self._held = 0  # bytes, on Windows
        self.problem: OSError | None = None
        """Why nothing can be locked here; None where it can."""
        self.alone = self._take(alone=True)
        if not self.alone:
            self.share()

    def share(self) -> None:
        """Hold the collection together with others."""
        end = time.monotonic() + _WAIT_SECONDS
        while not self._take(alone=False) and self.problem is None and self._handle is not None:
            if time.monotonic() > end:
                raise StorageError(
                    f"{self._folder} is being repaired by another process; try again when that has ended"
                )
            time.sleep(_TRY_SECONDS)
        self.alone = False

    def close(self) -> None:
        """Let go of the collection."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _take(self, *, alone: bool) -> bool:
        if self._handle is None:
            return False
        try:
            self._lock(self._handle, alone)
        except OSError as error:
            if error.errno not in _IN_USE:
                self.problem = error
            return False
        return True

    def _lock(self, handle: int, alone: bool) -> None:
        if sys.platform != "win32":
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        else:
            if self._held:
                msvcrt.locking(handle, msvcrt.LK_UNLCK, self._held)
                self._held = 0
            os.lseek(handle, 1 + (0 if alone else random.randrange(_BYTES)), os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, _BYTES if alone else 1)
            self._held = _BYTES if alone else 1


def rescue_lock(folder: Path) -> CollectionLock:
    """Return a lock that nobody else holds, for a rescue; raises `StorageError` while others have it open."""
    lock = CollectionLock(folder)
    if lock.alone:
        return lock
    lock.close()
    if lock.problem is not None:
        raise StorageError(
            f"{folder} must be rescued, and its disk knows no locks ({lock.problem.strerror}): copy it to a "
            "local disk and repair it there"
        )
    raise StorageError(
        f"{folder} must be rescued, and that needs it for itself: end what else has it open "
        "(a server, an add, a notebook, another repair), then run it again"
    )


def _open(path: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError:  # a read-only medium
            continue
    return None
