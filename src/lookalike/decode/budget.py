"""How long the photos of one request may keep the workers at it, all together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[DecodeBudget | None] = ContextVar("decode_budget", default=None)


class DecodeBudget:
    """Seconds of decoding, those of all workers added up; when they are spent, the workers are stopped."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left = seconds
        self._since = time.monotonic()
        self._stops: set[Callable[[], None]] = set()  # of the workers that decode now
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self._left <= 0

    @contextmanager
    def spending(self, stop: Callable[[], None]) -> Iterator[None]:
        """Count the time of the block, which `stop`, called from another thread, must bring to its end.

        Raises `TimeoutError` where nothing is left to begin with.
        """
        if self.is_spent:
            raise TimeoutError
        self._reckon(lambda: self._stops.add(stop))
        try:
            yield
        finally:
            self._reckon(lambda: self._stops.discard(stop))

    def _reckon(self, change: Callable[[], None]) -> None:
        """Take off what was spent since, let a worker come or go, and see how long the rest lasts."""
        with self._lock:
            now = time.monotonic()
            self._left -= (now - self._since) * len(self._stops)
            self._since = now
            change()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self.is_spent:
                for stop in self._stops:
                    stop()
            elif self._stops:
                self._timer = threading.Timer(self._left / len(self._stops), self._reckon, [lambda: None])
                self._timer.daemon = True
                self._timer.start()


@contextmanager
def decoding_at_most(seconds: float) -> Iterator[DecodeBudget]:
    """Have all that this block, in this thread, asks the workers for share one budget, which is given."""
    budget = DecodeBudget(seconds)
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def current_budget() -> DecodeBudget | None:
    """Return the budget of what this thread is doing; None where it has none."""
    return _current.get()
