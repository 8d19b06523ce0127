"""Asks remote stores in the background: for one thing, or for many ahead, bounded in number and in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.patience import Patience, persist
from lookalike.sources.remote.stores import ObjectStore, store_of
from lookalike.sources.remote.troubles import RemoteError, TooLargeError, trouble_of

_T = TypeVar("_T")
_Asked = TypeVar("_Asked")
MOST_BYTES = 1 << 30  # of one object, as of one file
SUPPOSED = 4 << 20  # bytes of an object that nothing tells the size of


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of an object: `length` bytes from `start` on, or with None all of it."""

    uri: str
    start: int = 0
    length: int | None = None
    size: int | None = None
    """How many bytes the object has, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far objects are read ahead: so many at a time, and so many bytes that nobody has taken yet.

    One object is read whatever its size.
    """

    objects: int = 32
    most_bytes: int = 128 << 20


def read_stretches(
    wanted: Iterable[Stretch], *, ahead: Ahead | None = None, patience: Patience | None = None
) -> Iterator[bytes]:
    """Yield stretches, in order, while the next ones are under way; raises `RemoteError`."""
    patient = patience or Patience()

    def begin(stretch: Stretch) -> tuple[int, Future[bytes]]:
        return stretch.length or SUPPOSED, fetch(stretch, MOST_BYTES, patient)

    for _, future in in_flight(wanted, begin, ahead or Ahead()):
        yield waited(future)


def read_stretch(stretch: Stretch, *, patience: Patience | None = None) -> bytes:
    """Return one stretch; raises `RemoteError`, `MissingExtraError`."""
    return waited(fetch(stretch, MOST_BYTES, patience or Patience()))


def look_at_all(
    uris: Iterable[str], *, ahead: Ahead | None = None, patience: Patience | None = None
) -> Iterator[Listed | RemoteError]:
    """Yield for each uri, in order, the facts of the object or why they cannot be had."""
    patient = patience or Patience()

    def begin(uri: str) -> tuple[int, Future[Listed]]:
        return 0, _started_look(uri, patient)

    for _, future in in_flight(uris, begin, ahead or Ahead()):
        try:
            yield waited(future)
        except RemoteError as error:
            yield error


def in_flight(
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


def look_at(uri: str, *, patience: Patience | None = None) -> Listed:
    """Return the facts of one object, without reading it; raises as `read_object`."""
    return waited(_started_look(uri, patience or Patience()))


def _started_look(uri: str, patience: Patience) -> Future[Listed]:
    return _begun(uri, lambda store: store.look(uri), patience)


def fetch(stretch: Stretch, most_bytes: int, patience: Patience) -> Future[bytes]:
    """Begin to read a stretch, which is refused above `most_bytes`."""
    length = stretch.length if stretch.length is not None else stretch.size
    if length is not None and length > most_bytes:
        return refused(TooLargeError(most_bytes))
    uri, start = stretch.uri, stretch.start
    return _begun(
        uri, lambda store: store.fetch(uri, most_bytes, start, stretch.length), patience, length or 0
    )


def _begun(
    uri: str, ask: Callable[[ObjectStore], Awaitable[_T]], patience: Patience, size: int = 0
) -> Future[_T]:
    try:
        store = store_of(uri)
    except RemoteError as error:
        return refused(error)
    from fsspec.asyn import get_loop  # an optional package, which is there by now

    return asyncio.run_coroutine_threadsafe(persist(lambda: ask(store), patience, size), get_loop())


def waited(future: Future[_T]) -> _T:
    """Return what was begun; what interrupts the wait ends it, too."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def refused(error: Exception) -> Future[Any]:
    """Return what was never begun."""
    future: Future[Any] = Future()
    future.set_exception(RemoteError(trouble_of(error)))
    return future
