"""The bytes of remote objects: one, or many ahead of who uses them, bounded in number and in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from lookalike.errors import LookalikeError
from lookalike.records import FileStamp, Skipped
from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.patience import Patience, persist
from lookalike.sources.remote.stores import ObjectStore, store_of
from lookalike.sources.remote.troubles import RemoteError, TooLargeError, trouble_of

_T = TypeVar("_T")
_Asked = TypeVar("_Asked")
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
    patient = patience or Patience()

    def begin(request: ObjectRequest) -> tuple[int, Future[bytes]]:
        size = 0 if (request.size or 0) > most_bytes else request.size or _SUPPOSED
        return size, _started(request, most_bytes, patient)

    for request, future in _in_flight(requests, begin, ahead or Ahead()):
        yield _result(request, future)


def look_at_all(
    uris: Iterable[str], *, ahead: Ahead | None = None, patience: Patience | None = None
) -> Iterator[Listed | RemoteError]:
    """Yield for each uri, in order, the facts of the object or why they cannot be had."""
    patient = patience or Patience()

    def begin(uri: str) -> tuple[int, Future[Listed]]:
        return 0, _started_look(uri, patient)

    for _, future in _in_flight(uris, begin, ahead or Ahead()):
        try:
            yield _waited(future)
        except RemoteError as error:
            yield error


def _in_flight(
    asked: Iterable[_Asked], begin: Callable[[_Asked], tuple[int, Future[_T]]], ahead: Ahead
) -> Iterator[tuple[_Asked, Future[_T]]]:
    """Yield what was begun, in order, while what follows is under way."""
    waiting: deque[tuple[_Asked, int, Future[_T]]] = deque()
    remaining, held, ended = iter(asked), 0, False
    try:
        while True:
            while not ended and len(waiting) < ahead.objects and (not waiting or held < ahead.most_bytes):
                each = next(remaining, None)
                if each is None:
                    ended = True
                    break
                size, future = begin(each)
                waiting.append((each, size, future))
                held += size
            if not waiting:
                return
            each, size, future = waiting.popleft()
            yield each, future
            held -= size
    finally:
        for _, _, future in waiting:
            future.cancel()


def read_object(uri: str, *, most_bytes: int = MOST_BYTES, patience: Patience | None = None) -> bytes:
    """Return the bytes of one object; raises `RemoteError`, `MissingExtraError`."""
    return _waited(_started(ObjectRequest(uri), most_bytes, patience or Patience()))


def look_at(uri: str, *, patience: Patience | None = None) -> Listed:
    """Return the facts of one object, without reading it; raises as `read_object`."""
    return _waited(_started_look(uri, patience or Patience()))


def _started_look(uri: str, patience: Patience) -> Future[Listed]:
    return _begun(uri, lambda store: store.look(uri), patience)


def _started(request: ObjectRequest, most_bytes: int, patience: Patience) -> Future[bytes]:
    """Begin to read an object in the background."""
    size = request.size or 0
    if size > most_bytes:
        return _refused(TooLargeError(most_bytes))
    return _begun(request.uri, lambda store: store.fetch(request.uri, most_bytes), patience, size)


def _begun(
    uri: str, ask: Callable[[ObjectStore], Awaitable[_T]], patience: Patience, size: int = 0
) -> Future[_T]:
    try:
        store = _store(uri)
    except RemoteError as error:
        return _refused(error)
    from fsspec.asyn import get_loop  # an optional package, which is there by now

    return asyncio.run_coroutine_threadsafe(persist(lambda: ask(store), patience, size), get_loop())


def _result(request: ObjectRequest, future: Future[bytes]) -> bytes | Skipped:
    try:
        content = _waited(future)
    except RemoteError as error:
        return Skipped(request.uri, error.trouble.reason, request.stamp, lasting=error.trouble.is_lasting)
    if not content:
        return Skipped(request.uri, "empty file", request.stamp)
    return content


def _waited(future: Future[_T]) -> _T:
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _refused(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(RemoteError(trouble_of(error)))
    return future


def _store(uri: str) -> ObjectStore:
    try:
        return store_of(uri)
    except LookalikeError:
        raise
    except Exception as error:  # of any library that opens one
        raise RemoteError(trouble_of(error)) from None
