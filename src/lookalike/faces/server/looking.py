"""Comparing photos closely in the background of a server, which can take half an hour."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from lookalike.collection import Collection
from lookalike.copies.groups import Level
from lookalike.errors import LookalikeError

AGAIN_SECONDS = 60.0
"""After which what went wrong is tried again, when it is asked for."""

_END_SECONDS = 3.0  # that the server waits for it when it ends
_log = logging.getLogger(__name__)


class _StoppedError(BaseException):
    """Ends the comparing from within; no `Exception`, so that nobody takes it for a photo that fails."""


@dataclass(frozen=True, slots=True)
class LookingFacts:
    """Whether it goes on, how much is done of what there is to do (None: not known), what ended it."""

    is_looking: bool
    done: int | None
    total: int | None
    problem: str | None


class Looking:
    """Compares closely what is new, in a thread of its own: one at a time, until it is closed.

    What was compared is kept by the collection, so that it goes on where it ended.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked: dict[Level, object] = {}
        self._step: tuple[int | None, int | None] = None, None
        self._problem: str | None = None
        self._failed_at = 0.0
        self.rounds = 0
        """How many times it came to an end."""

    def want(self, level: Level, state: object) -> None:
        """Start, unless it goes on already or has looked at that level in this `state` of the collection."""
        with self._lock:
            is_new = self._looked.get(level) != state
            is_patient = self._problem is not None and time.monotonic() < self._failed_at + AGAIN_SECONDS
            if self._closing.is_set() or self._thread is not None or is_patient:
                return
            if not is_new and self._problem is None:
                return
            self._problem, self._step = None, (None, None)
            self._looked[level] = state
            self._thread = threading.Thread(target=self._run, args=(level,), name="looking", daemon=True)
            self._thread.start()

    def facts(self) -> LookingFacts:
        """Say how it goes."""
        with self._lock:
            done, total = self._step
            return LookingFacts(self._thread is not None, done, total, self._problem)

    def close(self) -> None:
        """Stop at the next step; what takes longer ends with the process."""
        self._closing.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(_END_SECONDS)

    def _run(self, level: Level) -> None:
        problem = None
        try:
            self._collection.copies(level, look=True, on_step=self._note)
        except _StoppedError:
            pass
        except LookalikeError as error:
            problem = str(error)
        except OSError as error:
            problem = f"something cannot be read: {error.strerror or error}"
        except Exception:
            _log.exception("comparing photos failed")
            problem = "something went wrong here; the server's log says what"
        with self._lock:
            self._thread, self._step = None, (None, None)
            self._problem, self._failed_at = problem, time.monotonic()
            self.rounds += 1

    def _note(self, _: str, done: int, total: int | None) -> None:
        if self._closing.is_set():
            raise _StoppedError
        with self._lock:
            self._step = done, total
