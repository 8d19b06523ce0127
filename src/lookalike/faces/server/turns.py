"""Which threads do what: calls take turns among their like, so that one kind never holds up another.

No call waits long for another program that writes to the collection: whoever asks is told to come again, and
no thread goes on waiting for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from lookalike.cores import cpu_count
from lookalike.errors import BusyError, LookalikeError
from lookalike.store.busy import waiting_at_most

WRITE_SECONDS = 4.0
"""How long a write waits for others that write, its turn included."""
MOST_WRITES = 64
"""Writes that wait or are under way; more are told to come again at once."""

CHECKED_SECONDS = 1.0
"""For which it is remembered whether the collection answers."""

_READ_SECONDS = 0.5  # what searches mend on their way (a damaged index of words) can as well be mended later

_T = TypeVar("_T")


class Turns:
    """The threads of one server, in sets of their own for what takes its time or waits in another way."""

    def __init__(self) -> None:
        cores = cpu_count()
        self._searches = CapacityLimiter(cores + 2)
        self._uploads = CapacityLimiter(cores + 2)
        self._pictures = CapacityLimiter(cores)
        self._reads = CapacityLimiter(4)
        self._reviews = CapacityLimiter(2)
        self._look_ups = CapacityLimiter(4)
        self._writes = CapacityLimiter(1)  # more would only wait for each other: a store has one writer
        self._writing = anyio.Semaphore(1)
        self._count = 0
        self._checks = CapacityLimiter(1)
        self._checking = anyio.Lock()
        self._checked_at = -1e9
        self._problem: str | None = None

    async def look_up(self, call: Callable[[], _T]) -> _T:
        """Look up one thing, which takes no time."""
        return await _run(call, self._look_ups, _READ_SECONDS)

    async def read(self, call: Callable[[], _T]) -> _T:
        """Go through what is there: among millions of items that takes its time."""
        return await _run(call, self._reads, _READ_SECONDS)

    async def review(self, call: Callable[[], _T]) -> _T:
        """Go through the groups of copies: where much has changed that takes seconds."""
        return await _run(call, self._reviews, _READ_SECONDS)

    async def search(self, call: Callable[[], _T]) -> _T:
        """Search for what is known already."""
        return await _run(call, self._searches, _READ_SECONDS)

    async def upload(self, call: Callable[[], _T]) -> _T:
        """Read photos that a client chose: they may take long."""
        return await _run(call, self._uploads, _READ_SECONDS)

    async def picture(self, call: Callable[[], _T]) -> _T:
        """Read or make a picture of an item."""
        return await _run(call, self._pictures, _READ_SECONDS)

    async def check(self, call: Callable[[], object]) -> str | None:
        """Return what hinders the collection from answering, as one line, or was found a moment ago."""
        if time.monotonic() - self._checked_at > CHECKED_SECONDS:
            async with self._checking:
                if time.monotonic() - self._checked_at > CHECKED_SECONDS:
                    self._problem = await _run(partial(_problem_of, call), self._checks, _READ_SECONDS)
                    self._checked_at = time.monotonic()
        return self._problem

    async def write(self, call: Callable[[], _T]) -> _T:
        """Have something kept; raises `BusyError` where that cannot be had soon."""
        if self._count >= MOST_WRITES:
            raise BusyError("too much waits to be written already; try again in a moment")
        end = time.monotonic() + WRITE_SECONDS
        self._count += 1
        try:
            with anyio.move_on_after(WRITE_SECONDS) as waiting:
                await self._writing.acquire()
            if waiting.cancelled_caught:
                raise BusyError("the collection is being written to; try again in a moment")
            try:
                return await _run(call, self._writes, max(0.0, end - time.monotonic()))
            finally:
                self._writing.release()
        finally:
            self._count -= 1


async def _run(call: Callable[[], _T], limiter: CapacityLimiter, seconds: float) -> _T:
    def limited() -> _T:
        with waiting_at_most(seconds):
            return call()

    return await to_thread.run_sync(limited, limiter=limiter)


def _problem_of(call: Callable[[], object]) -> str | None:
    """Return what a call raises, as one line."""
    try:
        call()
    except LookalikeError as error:
        return str(error)
    return None
