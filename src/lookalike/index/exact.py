"""Exact search over float32 vectors in memory: the yardstick, and all that a small collection needs."""

from __future__ import annotations

import numpy as np

from lookalike.records import Ids, Vectors


class ExactIndex:
    """All vectors in one array that grows by doubling."""

    recall = 1.0

    def __init__(self, dim: int) -> None:
        self._ids: Ids = np.empty(0, np.int64)
        self._rows: Vectors = np.empty((0, dim), np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Ids, rows: Vectors) -> None:
        """See `Index.add`."""
        end = self._count + len(ids)
        if end > len(self._ids):
            room = max(end, 2 * len(self._ids))
            self._ids = np.resize(self._ids, room) if self._count else np.empty(room, np.int64)
            grown = np.empty((room, self._rows.shape[1]), np.float32)
            grown[: self._count] = self._rows[: self._count]
            self._rows = grown
        self._ids[self._count : end] = ids
        self._rows[self._count : end] = rows
        self._count = end

    def remove(self, ids: Ids) -> None:
        """See `Index.remove`."""
        keep = np.flatnonzero(~np.isin(self._ids[: self._count], ids))
        if len(keep) < self._count:
            self._ids, self._rows, self._count = self._ids[keep], self._rows[keep], len(keep)

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None, reach: int = 0) -> list[Ids]:
        """See `Index.search`; the candidates are the nearest."""
        ids, rows = self._ids[: self._count], self._rows[: self._count]
        if allowed is not None:
            mask = np.isin(ids, allowed)
            ids, rows = ids[mask], rows[mask]
        return [top_ids(ids, scores, max(k, reach)) for scores in queries @ rows.T]


def top_ids(ids: Ids, scores: Vectors, k: int) -> Ids:
    """Return the ids of the k best scores `(n,)`, in no particular order."""
    if len(ids) <= k:
        return ids
    return ids[np.argpartition(-scores, k - 1)[:k]]


class TopK:
    """The k best of a stream of blocks, for each of several queries: exact search in steady memory."""

    def __init__(self, queries: Vectors, k: int) -> None:
        self._queries = queries
        self._k = k
        self._ids = np.empty((len(queries), 0), np.int64)
        self._scores = np.empty((len(queries), 0), np.float32)

    def see(self, ids: Ids, rows: Vectors) -> None:
        """Take in a block: `ids` `(n,)`, `rows` `(n, dim)`."""
        scores = np.hstack([self._scores, self._queries @ rows.T])
        ids = np.hstack([self._ids, np.broadcast_to(ids, (len(self._queries), len(ids)))])
        if scores.shape[1] > self._k:
            best = np.argpartition(-scores, self._k - 1, axis=1)[:, : self._k]
            scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
        self._scores, self._ids = scores, ids

    def ranked(self) -> tuple[Ids, Vectors]:
        """Return ids and scores, `(queries, ≤ k)` each, best first."""
        order = np.lexsort((self._ids, -self._scores), axis=1)
        return np.take_along_axis(self._ids, order, 1), np.take_along_axis(self._scores, order, 1)
