"""How long a remote place is waited for, and how often it is asked again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from lookalike.sources.remote.troubles import RemoteError, Trouble, trouble_of

_T = TypeVar("_T")
_UNREACHABLE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How patiently something is asked for.

    Each of `attempts` may take `seconds`, and as many more as its bytes need at `bytes_per_second`. Before
    the second one pass up to `first_wait` seconds, which double each time up to `longest_wait`; how much of
    them is left to chance, so that many who failed together do not come back together.
    """

    attempts: int = 5
    seconds: float = 30.0
    first_wait: float = 0.25
    longest_wait: float = 8.0
    bytes_per_second: int = 256 << 10

    def deadline(self, size: int) -> float:
        """Return the seconds that one attempt to read so many bytes may take."""
        return self.seconds + size / self.bytes_per_second

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt, counted from 1."""
        most = min(self.first_wait * 2 ** (attempt - 1), self.longest_wait)
        return random.uniform(most / 2, most)


IMPATIENT = Patience(attempts=2, seconds=5.0, bytes_per_second=8 << 20)
"""For someone who waits for a page to be shown."""


async def persist(ask: Callable[[], Awaitable[_T]], patience: Patience, size: int = 0) -> _T:
    """Return what `ask` returns, asked again while what hinders it may pass; raises `RemoteError`."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return await asyncio.wait_for(ask(), patience.deadline(size))
        except Exception as error:
            trouble = trouble_of(error)
            most = (
                min(patience.attempts, _UNREACHABLE_ATTEMPTS) if trouble.is_unreachable else patience.attempts
            )
            if not trouble.is_passing or attempt >= most:
                raise RemoteError(_told(trouble, attempt)) from None  # its text may hold a key
        await asyncio.sleep(patience.wait(attempt))


def _told(trouble: Trouble, attempts: int) -> Trouble:
    if attempts == 1 or not trouble.is_passing:
        return trouble
    times = f"{trouble.reason}, {attempts} times in a row"
    return Trouble(times, trouble.is_passing, trouble.is_gone, trouble.is_lasting, trouble.is_unreachable)


def run(asked: Coroutine[Any, Any, _T]) -> _T:
    """Run something in fsspec's event loop and return what it returns; an interruption ends it."""
    from fsspec.asyn import get_loop  # an optional package

    future = asyncio.run_coroutine_threadsafe(asked, get_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
