"""How long to wait for whoever else is writing: minutes by default, or as long as the caller has time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from lookalike.errors import BusyError

_end: ContextVar[float | None] = ContextVar("waiting_ends", default=None)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Have all writes of this block, in this thread, wait for others no longer than so many seconds in all.

    Those that would have to raise `BusyError`, and nothing of them is written.
    """
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def waiting_ends(default_seconds: float) -> float:
    """Return when to give up waiting that begins now, by `time.monotonic`."""
    end = _end.get()
    return time.monotonic() + default_seconds if end is None else end


@contextmanager
def held(lock: threading.RLock, folder: Path) -> Iterator[None]:
    """Hold a lock of this process, however long it takes to get it where the caller sets no limit."""
    end = _end.get()
    if not lock.acquire(timeout=-1 if end is None else max(0.0, end - time.monotonic())):
        raise BusyError(f"{folder} is being written to; try again in a moment")
    try:
        yield
    finally:
        lock.release()
