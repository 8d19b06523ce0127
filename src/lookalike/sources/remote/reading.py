"""The bytes of remote objects: one, or many ahead of who uses them, bounded in number and in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from lookalike.errors import LookalikeError
from lookalike.records import FileStamp, Skipped
from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.patience import Patience, persist, run
from lookalike.sources.remote.stores import ObjectStore, store_of
from lookalike.sources.remote.troubles import RemoteError, TooLargeError, trouble_of

MOST_BYTES = 1 << 30  # of one object, as of one file
_SUPPOSED = 4 << 20  # bytes of an object that nothing tells the size of


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """One object to read: its uri, and the stamp that its listing gave it (None: it was not listed)."""

    uri: str
    stamp: FileStamp | None = None

    @property
    def size(self) -> int | None:
        """How many bytes it has, as far as that is known."""
        return self.stamp.size or None if self.stamp is not None else None


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far objects are read ahead: so many at a time, and so many bytes that nobody has taken yet.

    One object is read whatever its size.
    """

    objects: int = 32
    most_bytes: int = 128 << 20


def read_objects(
    requests: Iterable[ObjectRequest],
    *,
    most_bytes: int = MOST_BYTES,
    ahead: Ahead | None = None,
    patience: Patience | None = None,
) -> Iterator[bytes | Skipped]:
    """Yield for each request, in order, the object's bytes or why they cannot be had.

    An object above `most_bytes` is refused, by what was listed before anything is fetched. What may pass is
    tried again (`Patience`); a reason is lasting only if it stays while the object is the same. Raises
    `MissingExtraError`.
    """
    ahead, patience = ahead or Ahead(), patience or Patience()
    waiting: deque[tuple[ObjectRequest, int, Future[bytes]]] = deque()
    remaining = iter(requests)
    upcoming = next(remaining, None)
    held = 0
    try:
        while upcoming is not None or waiting:
            while upcoming is not None and len(waiting) < ahead.objects:
                size = min(upcoming.size or _SUPPOSED, most_bytes)
                if waiting and held + size > ahead.most_bytes:
                    break
                waiting.append((upcoming, size, _started(upcoming, most_bytes, patience)))
                held += size
                upcoming = next(remaining, None)
            request, size, future = waiting.popleft()
            yield _result(request, future)
            held -= size
    finally:
        for _, _, future in waiting:
            future.cancel()


def read_object(uri: str, *, most_bytes: int = MOST_BYTES, patience: Patience | None = None) -> bytes:
    """Return the bytes of one object; raises `RemoteError`, `MissingExtraError`."""
    return _waited(_started(ObjectRequest(uri), most_bytes, patience or Patience()))


def look_at(uri: str, *, patience: Patience | None = None) -> Listed:
    """Return the facts of one object, without reading it; raises as `read_object`."""
    store = _store(uri)
    return run(persist(lambda: store.look(uri), patience or Patience()))


def _started(request: ObjectRequest, most_bytes: int, patience: Patience) -> Future[bytes]:
    """Begin to read an object in the background."""
    if request.size is not None and request.size > most_bytes:
        return _refused(TooLargeError(most_bytes))
    try:
        store = _store(request.uri)
    except RemoteError as error:
        return _refused(error)
    from fsspec.asyn import get_loop  # an optional package, which is there by now

    asked = persist(lambda: store.fetch(request.uri, most_bytes), patience, request.size or 0)
    return asyncio.run_coroutine_threadsafe(asked, get_loop())


def _result(request: ObjectRequest, future: Future[bytes]) -> bytes | Skipped:
    try:
        content = _waited(future)
    except RemoteError as error:
        return Skipped(request.uri, error.trouble.reason, request.stamp, lasting=error.trouble.is_lasting)
    if not content:
        return Skipped(request.uri, "empty file", request.stamp)
    return content


def _waited(future: Future[bytes]) -> bytes:
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _refused(error: Exception) -> Future[bytes]:
    future: Future[bytes] = Future()
    future.set_exception(RemoteError(trouble_of(error)))
    return future


def _store(uri: str) -> ObjectStore:
    try:
        return store_of(uri)
    except LookalikeError:
        raise
    except Exception as error:  # of any library that opens one
        raise RemoteError(trouble_of(error)) from None
