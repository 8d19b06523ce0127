"""The decode workers seen from outside: files in, photos or reasons out; no file can crash the caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Self

import numpy as np
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from lookalike.decode.processes import CleanContext, cpu_count
from lookalike.decode.worker import Decoded, Refused, Request, prepare_worker, read_photos, read_thumbnail
from lookalike.records import FileStamp, Photo, Skipped

_CHUNK = (
    8  # files per task: few enough to lose little time when one kills its worker, enough to hide the pipe
)

_AHEAD = 6  # chunks in flight per worker: decoding goes on while a batch is embedded and committed


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: seconds of wall time, and bytes of address space of its worker."""

    seconds: float = 30.0
    memory_bytes: int = 2 << 30


class DecodePool:
    """Decodes photos in worker processes; a file that kills, hangs or bloats its worker is only skipped.

    Workers start on first use and stop with `close` or with the `with` block.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        self._workers = workers or cpu_count()
        self._limits = limits or Limits()
        self._pool: ProcessPool | None = None

    def start(self) -> None:
        """Start the workers now, so that the first file need not wait for them."""
        self._schedule(read_photos, ())

    def photos(self, requests: Iterable[Request]) -> Iterator[Photo | Skipped]:
        """Yield one result per request, in order, reading a bounded number of files ahead."""
        remaining = iter(requests)
        running: deque[tuple[tuple[Request, ...], ProcessFuture[Any]]] = deque()
        try:
            while True:
                while len(running) < _AHEAD * self._workers and (chunk := tuple(islice(remaining, _CHUNK))):
                    running.append((chunk, self._schedule(read_photos, chunk)))
                if not running:
                    return
                yield from self._results(*running.popleft())
        finally:
            for _, future in running:
                future.cancel()  # type: ignore[no-untyped-call]  # pebble

    def photo(self, request: Request) -> Photo | Skipped:
        """Read one file."""
        (result,) = self._results((request,), self._schedule(read_photos, (request,)))
        return result

    def thumbnail(self, path: str, longest: int) -> bytes | Skipped:
        """Return the upright picture at `path` as JPEG bytes, no side longer than `longest` pixels."""
        try:
            answer = self._schedule(read_thumbnail, path, longest).result()
        except (ProcessExpired, TimeoutError) as error:
            answer = self._blame(error)
        return answer if isinstance(answer, bytes) else Skipped(path, answer.reason, None, answer.lasting)

    def close(self) -> None:
        """Stop the workers, whatever they are doing."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]  # pebble
            self._pool.join()
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _schedule(self, function: Any, *arguments: Any) -> ProcessFuture[Any]:
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=prepare_worker,
                initargs=(self._limits.memory_bytes,),
                context=CleanContext(),
            )
        return self._pool.schedule(function, args=arguments, timeout=self._limits.seconds)

    def _results(self, chunk: tuple[Request, ...], future: ProcessFuture[Any]) -> Iterator[Photo | Skipped]:
        try:
            answers = future.result()
        except (ProcessExpired, TimeoutError) as error:
            if len(chunk) > 1:  # one of them did it: read each on its own
                for request in chunk:
                    yield self.photo(request)
                return
            answers = [self._blame(error)]
        for request, answer in zip(chunk, answers, strict=True):
            yield _as_record(request, answer)

    def _blame(self, error: BaseException) -> Refused:
        if isinstance(error, TimeoutError):
            return Refused(f"decoding took longer than {self._limits.seconds:g} s", lasting=False)
        return Refused("decoding it killed its worker process", lasting=False)


def _as_record(request: Request, answer: Decoded | Refused) -> Photo | Skipped:
    if isinstance(answer, Refused):
        return Skipped(request.uri, answer.reason, request.stamp, answer.lasting)
    pixels = None
    if answer.pixels is not None:
        side = request.view.size
        pixels = np.frombuffer(answer.pixels, np.uint8).reshape(side, side, 3)
    stamp = FileStamp(answer.size, answer.mtime_ns)
    return Photo(request.uri, stamp, answer.content_hash, pixels, answer.metadata)
