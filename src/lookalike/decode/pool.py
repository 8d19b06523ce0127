"""The decode workers seen from outside: files in, photos or reasons out; no file can crash the caller."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import astuple, dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from lookalike.cores import cpu_count
from lookalike.decode.budget import current_budget
from lookalike.decode.processes import Answer, WorkerDiedError, WorkerPool
from lookalike.decode.requests import MEMORY_BYTES, PhotoRequest, ThumbnailRequest
from lookalike.records import GREY_SIDE, FileStamp, Photo, Skipped

_CHUNK = (
    8  # files per task: few enough to lose little time when one kills its worker, enough to hide the pipe
)

_MOST_AHEAD = 256 << 20
"""Bytes of content in flight: photos that do not lie in files of their own are held until they are read."""

_MOST_IN_CHUNK = 32 << 20  # bytes of content

_AHEAD = 6  # chunks in flight per worker: decoding goes on while a batch is embedded and committed


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost: seconds of wall time, and bytes of address space of its worker."""

    seconds: float = 30.0
    memory_bytes: int = MEMORY_BYTES


class DecodePool:
    """Decodes photos in worker processes; a file that kills, hangs or bloats its worker is only skipped.

    Within `budget.decoding_at_most`, photos for which no time is left are skipped, too; they have workers of
    their own, so that they hold up no others.
    Workers start on first use and stop with `close` or with the `with` block.
    """

    def __init__(self, workers: int | None = None, limits: DecodeLimits | None = None) -> None:
        self._workers = workers or cpu_count()
        self._limits = limits or DecodeLimits()
        self._pools: dict[bool, WorkerPool] = {}  # for what has a budget, and for what has none
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._left_behind: list[dict[bool, WorkerPool]] = []

    def start(self) -> None:
        """Start the workers now, so that the first file need not wait for them."""
        for _ in range(self._workers):
            self._schedule(())

    def photos(self, requests: Iterable[PhotoRequest]) -> Iterator[Photo | Skipped]:
        """Yield one result per request, in order, reading a bounded number of files ahead."""
        remaining = iter(requests)
        running: deque[tuple[tuple[PhotoRequest, ...], Future[Answer]]] = deque()
        held = 0  # bytes of content
        try:
            while True:
                while len(running) < _AHEAD * self._workers and held < _MOST_AHEAD:
                    chunk = _chunk(remaining)
                    if not chunk:
                        break
                    running.append((chunk, self._schedule(chunk)))
                    held += _content_bytes(chunk)
                if not running:
                    return
                chunk, future = running.popleft()
                held -= _content_bytes(chunk)
                yield from self._results(chunk, future)
        finally:
            for _, future in running:
                future.cancel()

    def photo(self, request: PhotoRequest) -> Photo | Skipped:
        """Read one file."""
        (result,) = self._results((request,), self._schedule((request,)))
        return result

    def thumbnail(self, request: ThumbnailRequest) -> bytes | Skipped:
        """Return the upright picture as JPEG bytes."""
        task = {
            "thumbnail": os.path.abspath(request.path),  # noqa: PTH100  # not to follow links
            "longest": request.longest,
            "has_content": request.content is not None,
            "content_hash": request.content_hash.hex() if request.content_hash else None,
            "max_pixels": request.max_pixels,
        }
        contents = [] if request.content is None else [request.content]
        try:
            answer, blobs = self._submit(task, contents).result()
        except (TimeoutError, WorkerDiedError) as error:
            return Skipped(request.path, self._blame(error), lasting=False)
        return blobs[0] if blobs else Skipped(request.path, answer["refused"], lasting=answer["lasting"])

    def close(self) -> None:
        """Stop the workers, whatever they are doing."""
        with self._lock:
            crews, self._pools = self._pools, {}
        for crew in crews.values():
            crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _schedule(self, chunk: tuple[PhotoRequest, ...]) -> Future[Answer]:
        """Have a chunk read by the next worker that is free; `serve` understands the task."""
        wanted = [
            {
                "path": request.path,
                "view": astuple(request.view),
                "known": [digest.hex() for digest in request.known],
                "has_content": request.content is not None,
                "box": astuple(request.box) if request.box else None,
                "max_pixels": request.max_pixels,
                "sidecars": request.sidecars,
            }
            for request in chunk
        ]
        contents = [request.content for request in chunk if request.content is not None]
        return self._submit({"photos": wanted}, contents)

    def _submit(self, task: Any, contents: list[bytes]) -> Future[Answer]:
        if self._process != os.getpid():  # forked: the threads that mind the workers stayed behind
            self._left_behind.append(self._pools)
            self._pools, self._lock, self._process = {}, threading.Lock(), os.getpid()
        budget = current_budget()
        with self._lock:
            crew = self._pools.get(budget is not None)
            if crew is None:
                crew = WorkerPool(self._workers, self._limits.memory_bytes, self._limits.seconds)
                self._pools[budget is not None] = crew
            return crew.submit(task, contents, budget)

    def _results(self, chunk: tuple[PhotoRequest, ...], future: Future[Answer]) -> Iterator[Photo | Skipped]:
        try:
            answers, blobs = future.result()
        except (TimeoutError, WorkerDiedError) as error:
            if len(chunk) > 1:  # one of them did it: read each on its own
                for request in chunk:
                    yield self.photo(request)
            else:
                yield Skipped(chunk[0].uri, self._blame(error), chunk[0].stamp, lasting=False)
            return
        pixels = iter(blobs)
        for request, answer in zip(chunk, answers, strict=True):
            yield _as_record(request, answer, pixels)

    def _blame(self, error: BaseException) -> str:
        budget = current_budget()
        if budget is not None and budget.is_spent:
            return f"decoding what was asked for took longer than {budget.seconds:g} s in all"
        if isinstance(error, TimeoutError):
            return f"decoding it took longer than {self._limits.seconds:g} s"
        return "decoding it killed its worker process"


def _chunk(requests: Iterator[PhotoRequest]) -> tuple[PhotoRequest, ...]:
    """Take the requests of the next task: fewer of those whose bytes go with them, where they are large."""
    chunk: list[PhotoRequest] = []
    while len(chunk) < _CHUNK and _content_bytes(chunk) < _MOST_IN_CHUNK:
        if (request := next(requests, None)) is None:
            break
        chunk.append(request)
    return tuple(chunk)


def _content_bytes(chunk: Sequence[PhotoRequest]) -> int:
    """Return how many bytes a chunk holds, in memory or in copies on the disk, until it is read."""
    copied = sum(request.stamp.size for request in chunk if request.is_copy and request.stamp is not None)
    return copied + sum(len(request.content) for request in chunk if request.content is not None)


def _as_record(request: PhotoRequest, answer: Any, pixels: Iterator[bytes]) -> Photo | Skipped:
    if "refused" in answer:
        return Skipped(request.uri, answer["refused"], request.stamp, answer["lasting"])
    square = grey = None
    if answer["has_pixels"]:
        blob = np.frombuffer(next(pixels), np.uint8)
        square = blob[: -(GREY_SIDE**2)].reshape(*request.view.shape, 3)
        grey = blob[-(GREY_SIDE**2) :].reshape(GREY_SIDE, GREY_SIDE)
    stamp = FileStamp(answer["size"], answer["mtime_ns"])
    if (request.content is not None or request.is_copy) and request.stamp is not None:
        stamp = request.stamp  # bytes have no time of their own
    facts = {**request.facts, **answer["metadata"]}
    return Photo(request.uri, stamp, bytes.fromhex(answer["sha256"]), square, facts, grey)
