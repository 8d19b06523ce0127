"""What makes search fast: a cache of the store that may be thrown away at any time."""

from __future__ import annotations

from typing import Protocol

from lookalike.records import Ids, Vectors

EXACT_UP_TO = 5_000
"""Up to this many items an exact search takes about 2 ms and needs no index file (docs/benchmarks.md)."""


class Index(Protocol):
    """Finds candidates for the nearest neighbours; the store's vectors decide among them.

    `recall` is the share of the true 10 nearest that its candidates hold, measured when it was built.
    Not safe for use by several threads at once.
    """

    recall: float

    def __len__(self) -> int:
        """How many items it holds."""

    def add(self, ids: Ids, rows: Vectors) -> None:
        """Add items that it does not hold: `ids` `(n,)`, unit-length `rows` `(n, dim)`."""

    def remove(self, ids: Ids) -> None:
        """Forget those of the items that it holds."""

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None, reach: int = 0) -> list[Ids]:
        """Return for each of the queries `(n, dim)` at least k candidates, or all there are.

        Where `reach` is more, so many, those beyond the k nearest found less surely.
        Only items in `allowed`, ascending, are returned where it is given.
        """
