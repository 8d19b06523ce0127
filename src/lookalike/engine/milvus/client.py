"""The connection to a Milvus server: every call has a deadline, every failure is one readable line."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lookalike.engine.milvus.address import MilvusAddress, credentials
from lookalike.engine.milvus.served import ServedWatch
from lookalike.errors import (
    CollectionError,
    LookalikeError,
    MissingExtraError,
    StorageError,
    UnreachableError,
    UsageError,
)

CONNECT_SECONDS = 8.0
"""For the first call of a connection; a server that hangs holds it up for 5 at least."""
CALL_SECONDS = 10.0
"""After which a look-up or a search is given up."""
WRITE_SECONDS = 60.0
CHECK_SECONDS = 2.0
_AWAY_SECONDS = 1.0  # for which nothing is asked of a server that has just not answered
LOAD_SECONDS = 300.0
"""For what the engine works on longer: loading a collection, building an index."""

Row = dict[str, Any]

_AWAY = (
    "closed channel",
    "connection closed",
    "connection refused",
    "deadline",
    "fail connecting",
    "failed to connect",
    "illegal connection params",
    "node offline",
    "not ready",
    "retry run out",
    "should create connection first",
    "timed out",
    "timeout",
    "unavailable",
    "unimplemented",
)
"""What is in the messages of a server that is away, starts, or is none of Milvus."""


class MilvusConnection:
    """One server, for any number of threads; connected when it is first needed.

    What this process has written is seen by its next read of the same Milvus collection: that one waits until
    the engine has caught up (about 0.2 s), the others do not.
    """

    def __init__(self, address: MilvusAddress) -> None:
        self.address = address
        self._client: Any = None
        self._lock = threading.Lock()
        self._written: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._watches: dict[str, ServedWatch] = {}
        self._away_until = -1e9

    def query(  # all by keyword
        self,
        name: str,
        expression: str,
        fields: list[str],
        *,
        limit: int | None = None,
        strong: bool = False,
        at_once: bool = False,
    ) -> list[Row]:
        """Return the rows that meet an expression; with a `limit`, those of the lowest keys.

        `strong` sees all that anyone has written before, `at_once` perhaps not what was written a moment ago.
        """
        more = {} if limit is None else {"limit": limit}
        level, written = self._level(name, strong=strong, at_once=at_once)
        with self._call("read", name):
            found = self._open().query(
                name,
                filter=expression,
                output_fields=fields,
                timeout=CALL_SECONDS,
                consistency_level=level,
                **more,
            )
        self._saw(name, level, written)
        return list(found)

    def check(self, name: str, expression: str, field: str) -> None:
        """Raise what hinders a Milvus collection from being read, soon."""
        with self._call("read", name):
            self._open().query(
                name,
                filter=expression,
                output_fields=[field],
                timeout=CHECK_SECONDS,
                consistency_level="Eventually",
            )

    def share_served(self, name: str, *, answered: bool = False) -> float:
        """Return the share of a Milvus collection that is served just now, 0 to 1; see `served.py`.

        `answered`: of which an answer was just made.
        """
        with self._call("read", name):
            client = self._open()
            with self._lock:
                watch = self._watches.setdefault(name, ServedWatch(client, name))
            return watch.share_of_answer() if answered else watch.share()

    def count(self, name: str, expression: str = "", *, strong: bool = False) -> int:
        """Return how many rows meet an expression."""
        return int(self.query(name, expression, ["count(*)"], strong=strong)[0]["count(*)"])

    def search(  # all by keyword
        self, name: str, rows: Any, k: int, *, expression: str, fields: list[str], params: dict[str, Any]
    ) -> list[list[Row]]:
        """Return for each query the `k` best rows, as dicts with `id`, `distance` and `entity`."""
        level, written = self._level(name)
        with self._call("search", name):
            found = self._open().search(
                name,
                data=rows,
                limit=k,
                filter=expression,
                output_fields=fields,
                search_params={"metric_type": "IP", "params": params},
                timeout=CALL_SECONDS,
                consistency_level=level,
            )
        self._saw(name, level, written)
        return list(found)

    def upsert(self, name: str, rows: list[Row]) -> None:
        """Write rows in the place of those of their ids; when this returns they survive whatever happens.

        An insert would leave two rows of an id that is there, and Milvus 2.3 then hides others from queries.
        """
        if not rows:
            return
        with self._call("write to", name):
            self._open().upsert(name, rows, timeout=WRITE_SECONDS)
        self._wrote(name)

    def delete(self, name: str, expression: str) -> None:
        """Delete the rows that meet an expression."""
        with self._call("write to", name):
            self._open().delete(name, filter=expression, timeout=WRITE_SECONDS)
        self._wrote(name)

    def has(self, name: str) -> bool:
        """Whether there is a Milvus collection of that name, of whatever program."""
        with self._call("look for", name):
            return bool(self._open().has_collection(name, timeout=CALL_SECONDS))

    def describe(self, name: str) -> dict[str, Any]:
        """Return what the engine says of a Milvus collection."""
        with self._call("look at", name):
            return dict(self._open().describe_collection(name, timeout=CALL_SECONDS))

    def create(self, name: str, schema: Any, indexes: Any) -> None:
        """Make a Milvus collection, index and load it; what of it is there already stays."""
        is_there = self.has(name)
        with self._call("make", name):
            client = self._open()
            if not is_there:
                client.create_collection(
                    name, schema=schema, consistency_level="Bounded", timeout=LOAD_SECONDS
                )
            indexed = set(client.list_indexes(name, timeout=CALL_SECONDS)) if is_there else set()
            for index in indexes:  # each would be waited for half a second, though there is nothing to index
                if index.field_name in indexed:
                    continue
                parts = client.prepare_index_params()
                parts.append(index)
                client.create_index(name, parts, sync=False, timeout=CALL_SECONDS)
            client.load_collection(name, timeout=LOAD_SECONDS)

    def is_loaded(self, name: str) -> bool:
        """Whether a Milvus collection is loaded for reading, or is being loaded."""
        with self._call("look at", name):
            state = self._open().get_load_state(name, timeout=CALL_SECONDS)["state"]
            return getattr(state, "name", str(state)) != "NotLoad"

    def drop(self, name: str) -> None:
        """Delete a Milvus collection with all that is in it."""
        with self._call("drop", name):
            self._open().drop_collection(name, timeout=WRITE_SECONDS)
        with self._lock:
            self._watches.pop(name, None)

    def flush(self, name: str) -> None:
        """Have what was written sealed, so that it is indexed."""
        with self._call("flush", name):
            self._open().flush(name, timeout=LOAD_SECONDS)

    def index_of(self, name: str, field: str) -> dict[str, Any]:
        """Return kind, parameters and progress of an index."""
        with self._call("look at", name):
            return dict(self._open().describe_index(name, field, timeout=CALL_SECONDS) or {})

    def version(self) -> str:
        """Return the server's version."""
        with self._call("reach", ""):
            return str(self._open().get_server_version(timeout=CALL_SECONDS))

    def close(self) -> None:
        """Let go of the server; the next call connects anew."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client, self._watches = None, {}

    def _level(self, name: str, *, strong: bool = False, at_once: bool = False) -> tuple[str, int]:
        """Return how consistent a read is to be, and how many writes of this process it has to see."""
        with self._lock:
            written = self._written[name]
            waits = strong or (not at_once and written > self._seen[name])
        return "Strong" if waits else "Bounded", written

    def _saw(self, name: str, level: str, written: int) -> None:
        if level == "Strong":
            with self._lock:
                self._seen[name] = max(self._seen[name], written)

    def _wrote(self, name: str) -> None:
        with self._lock:
            self._written[name] += 1

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    self._client = _connect(self.address)
                except LookalikeError:
                    raise
                except Exception as error:
                    if not _listens(self.address):
                        raise
                    self._away_until = time.monotonic() + _AWAY_SECONDS
                    raise UnreachableError(
                        f"{self.address} does not answer as Milvus; is it one, and its token in MILVUS_TOKEN?"
                    ) from error
            return self._client

    @contextmanager
    def _call(self, verb: str, name: str) -> Iterator[None]:
        if time.monotonic() < self._away_until:  # else each caller would wait for the deadline in turn
            raise self._unreachable()
        try:
            yield
        except LookalikeError:
            raise
        except Exception as error:
            raise self._translated(verb, name, error) from error

    def _is_there(self) -> bool:
        """Whether the server answers at all."""
        try:
            self._client.get_server_version(timeout=CHECK_SECONDS)
        except Exception:  # whatever it is, it is no answer
            return False
        return True

    def _unreachable(self) -> UnreachableError:
        return UnreachableError(f"{self.address} does not answer; is Milvus running there?")

    def _translated(self, verb: str, name: str, error: Exception) -> LookalikeError:
        """Return the error that says in one line what went wrong."""
        text = " ".join(str(getattr(error, "message", "") or error).split())
        low = text.lower()
        if any(
            word in low for word in ("auth check failure", "unauthenticated", "permission deny", "privilege")
        ):
            return UsageError(f"{self.address} refuses the token of this machine; set MILVUS_TOKEN")
        if _is_absence(error, low):
            if "deadline" in low and self._is_there():
                return UnreachableError(f"{self.address} took too long to answer; try again later")
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return self._unreachable()
        if "quota" in low or "force deny" in low or "rate limit" in low:
            return UnreachableError(f"{self.address} takes no more for now ({text[:160]}); try again later")
        if "not loaded" in low or "no available shard" in low or "channel not available" in low:
            return UnreachableError(f"{self.address} is still loading; try again in a moment")
        return self._refusal(verb, name, text)

    def _refusal(self, verb: str, name: str, text: str) -> CollectionError:
        """Return what is told where the server says no."""
        if "not found" in text.lower() or "can't find collection" in text.lower():
            return CollectionError(f"{self.address}: it was dropped, or lacks a part ({text[:160]})")
        return StorageError(f"cannot {verb} {self.address}{f' ({name})' if name else ''}: {text[:200]}")


def _is_absence(error: Exception, text: str) -> bool:
    """Whether a server is away, hangs or is starting, rather than saying no."""
    import grpc  # came with pymilvus

    if isinstance(error, grpc.RpcError | grpc.FutureTimeoutError | ConnectionError | TimeoutError):
        return True
    return any(word in text for word in _AWAY)


def _listens(address: MilvusAddress) -> bool:
    """Whether anything takes connections at an address."""
    try:
        with socket.create_connection((address.host.strip("[]"), address.port), timeout=1):
            return True
    except OSError:
        return False


def _connect(address: MilvusAddress) -> Any:
    """Connect to a server; raises `MissingExtraError`, `UnreachableError`."""
    try:
        from pymilvus import MilvusClient  # an optional package, slow to import
    except ImportError:
        raise MissingExtraError("a collection in Milvus", "milvus") from None
    for name in ("pymilvus", "pymilvus.client", "pymilvus.decorators"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what fails is told by our own errors
    return MilvusClient(uri=address.uri, timeout=CONNECT_SECONDS, **credentials())
