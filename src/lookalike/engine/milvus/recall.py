"""How much of the truth the engine's indexes find, as it was measured and is kept in the books."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np

from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.client import LOAD_SECONDS, MilvusConnection
from lookalike.records import Space

MEASURED_BY, MEASURED_K = 100, 10
"""Queries, and hits of each."""
FEW = 2_000
"""So few vectors are not worth measuring."""

_BOOK = "recall"
_KNOWN_SECONDS = 60.0


class Recalls:
    """What was measured of each space; may be used by several threads."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._known: dict[int, tuple[float, float | None]] = {}
        self._lock = threading.Lock()

    def of(self, space: Space) -> float | None:
        """Return the share of the true 10 nearest that is found; None where that was not measured."""
        with self._lock:
            at, recall = self._known.get(space.id, (-1e9, None))
            if time.monotonic() - at > _KNOWN_SECONDS:
                found = self._books.get(_BOOK, [str(space.id)])
                recall = float(found[0].data["recall"]) if found else None
                self._known[space.id] = (time.monotonic(), recall)
            return recall

    def is_due(self, space: Space, count: int) -> bool:
        """Whether so much has changed since the last time that it should be measured anew."""
        found = self._books.get(_BOOK, [str(space.id)])
        before = int(found[0].data["count"]) if found else 0
        return count > 0 and abs(count - before) > max(FEW // 2, count // 10)

    def note(self, space: Space, recall: float, count: int) -> None:
        """Keep what was measured among so many vectors."""
        self._books.put([Entry(_BOOK, str(space.id), {"recall": recall, "count": count})])
        with self._lock:
            self._known.pop(space.id, None)


def share_found(found: Sequence[set[int]], true: Sequence[set[int]]) -> float:
    """Return the mean share of what is true that was found."""
    return float(np.mean([len(some & right) / len(right) for some, right in zip(found, true, strict=True)]))


def wait_for_index(connection: MilvusConnection, name: str) -> None:
    """Return when all that is sealed is indexed, or after some minutes: it goes on by itself."""
    until = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < until:
        if not int(connection.index_of(name, "vector").get("pending_index_rows", 0)):
            return
        time.sleep(0.5)
