"""How much of a collection its engine serves just now: a node that comes back answers before it has its rows.

Milvus does not say so. For up to ten seconds after a query node has taken over a shard, searches that reach
it find nothing of what is in sealed segments, without an error, while the collection counts as loaded and its
segments as served. Two things tell: another node leads a shard than before, which shows before the first such
answer, and `count(*)`, which counts what the node that is asked has. So it is watched who leads, and rows are
counted after a change: until they have been whole for some seconds where replicas take turns to answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

CALL_SECONDS = 2.0
FRESH_SECONDS = 1.0
"""How long an answer is taken as it was."""
QUIET_SECONDS = 8.0
"""How long replicas must have been whole after a change; partial answers begin up to 3.2 s after it."""
PATIENCE_SECONDS = 60.0
"""After which fewer rows than before are taken as deleted ones."""
_ASKS_PER_REPLICA = 4  # the proxy takes turns between replicas, but not strictly
_ENOUGH = 0.5  # of the rows on disk, where nobody knows how many there are: deleted ones are among them
_WITHOUT_LEADER = {100, 101, 401, 901}  # not loaded; no node for a replica; no leader for a shard
_NOT_ALL = 0.999  # what is told where rows may be missing that were not missed

Leaders = frozenset[tuple[str, int]]
"""Which node leads each shard of each replica: (channel, id of the node); a restarted node has a new id."""


@dataclass(frozen=True, slots=True)
class Served:
    """`rows` is the fewest that one of several answers was made from; nobody leads while a node is missed."""

    rows: int
    expected: int
    leaders: Leaders

    @property
    def replicas(self) -> int:
        """How many nodes lead one shard."""
        return len(self.leaders) // max(len({channel for channel, _ in self.leaders}), 1)

    @property
    def share(self) -> float:
        """Of the expected rows, 0 to 1."""
        return min(self.rows / self.expected, 1.0) if self.expected else 1.0


def shard_leaders(client: Any, collection: str, timeout: float = CALL_SECONDS) -> Leaders:
    """Return who leads, none where the engine says that a shard or a replica has nobody. Some 4 ms."""
    from pymilvus.exceptions import MilvusException  # of the extra

    try:
        replicas = client.describe_replica(collection, timeout=timeout, retry_times=1)
    except MilvusException as error:
        if error.code in _WITHOUT_LEADER:
            return frozenset()
        raise
    return frozenset((shard.channel_name, shard.shard_leader) for each in replicas for shard in each.shards)


def rows_served(client: Any, collection: str, asks: int, timeout: float = CALL_SECONDS) -> int:
    """Return the fewest rows that one of some answers was made from."""
    counts = []
    for _ in range(asks):
        answer = client.query(
            collection,
            output_fields=["count(*)"],
            consistency_level="Eventually",
            timeout=timeout,
            retry_times=1,
        )
        counts.append(int(answer[0]["count(*)"]))
    return min(counts)


def rows_on_disk(client: Any, collection: str, timeout: float = CALL_SECONDS) -> int:
    """Return how many rows the sealed segments hold, deleted ones that are not yet compacted among them."""
    segments = client.list_persistent_segments(collection, timeout=timeout, retry_times=1)
    return sum(int(each.num_rows) for each in segments)


def served_share(client: Any, collection: str, expected: int | None = None) -> Served:
    """Ask how many of the `expected` rows are served, by every replica; of those on disk where nobody knows.

    Raises what pymilvus raises, `grpc.RpcError` where it does not answer in time among it.
    """
    leaders = shard_leaders(client, collection)
    wanted = rows_on_disk(client, collection) if expected is None else expected
    served = Served(0, wanted, leaders)
    asks = 1 if served.replicas == 1 else _ASKS_PER_REPLICA * max(served.replicas, 1)
    return replace(served, rows=rows_served(client, collection, asks))


class ServedWatch:
    """Whether a collection is served whole, asked at most once a second however many ask, from any thread.

    What is served after a change of leaders is held against the rows that were served before, or against what
    `expected` says where that is known (None: it is not).
    """

    def __init__(
        self,
        client: Any,
        collection: str,
        expected: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._collection = collection
        self._expected = expected
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = self._looked = float("-inf")
        self._last: Leaders = frozenset()
        self._trusted: Leaders = frozenset()
        self._seen: Leaders = frozenset()
        self._changed = self._partial = float("-inf")
        self._rows: int | None = None
        self._first: tuple[float, int] | None = None
        self._share = 0.0

    def share(self, *, now: bool = False) -> float:
        """Return the share that is served, 1.0 for all; `now` asks again. Raises as `served_share` does."""
        with self._lock:
            if now or self._is_due():
                self._share = self._ask()
                self._asked = self._clock()
            return self._share

    def share_of_answer(self) -> float:
        """Return the share that an answer made right before was made from, like `share`.

        Others lead before the first partial answer, so that it is enough to look who leads after each.
        """
        called = self._clock()
        with self._lock:
            if self._looked < called:  # not even who waited with this one
                looked = self._clock()
                if self._is_due() or shard_leaders(self._client, self._collection) != self._last:
                    self._share = self._ask()
                    self._asked = self._clock()
                self._looked = looked
            return self._share

    def _is_due(self) -> bool:
        return self._clock() - self._asked >= FRESH_SECONDS

    def _ask(self) -> float:
        leaders, now = shard_leaders(self._client, self._collection), self._clock()
        self._last = leaders
        if leaders and leaders == self._trusted:
            self._rows = rows_served(self._client, self._collection, 1)  # what others add and remove
            return 1.0
        first = self._rows is None
        if leaders != self._seen:
            self._seen, self._changed = leaders, now
        known = self._expected() if self._rows is None else self._rows
        if known is not None and now - self._changed > PATIENCE_SECONDS:
            known = None
        served = served_share(self._client, self._collection, known)
        if known is None and self._is_steady(served.rows, now):
            known = served.rows
            served = replace(served, expected=served.rows)
        if served.rows < served.expected * (_ENOUGH if known is None else 1.0):
            self._partial = now
            return min(served.share, _NOT_ALL)
        if not served.leaders:
            return 1.0  # of a node that is missed nobody asks; what comes in its place is another leader
        quiet = now - max(self._changed, self._partial)
        if quiet < QUIET_SECONDS and served.replicas > 1 and not first:
            return _NOT_ALL  # the replica that took over may not have been asked yet
        self._trusted, self._rows = served.leaders, served.rows
        return 1.0

    def _is_steady(self, rows: int, now: float) -> bool:
        """Whether so many rows have been served for a while: what else is on disk was deleted then."""
        if self._first is None or self._first[1] != rows:
            self._first = (now, rows)
        return now - max(self._first[0], self._changed) > PATIENCE_SECONDS
