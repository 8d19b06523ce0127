"""What a worker process runs: tasks in, answers out, until its parent is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from math import ceil
from queue import SimpleQueue
from typing import IO, Any

from lookalike.decode.refusal import Refused
from lookalike.decode.requests import PhotoRequest, ThumbnailRequest
from lookalike.decode.wire import read_message, write_message
from lookalike.decode.worker import Decoded, prepare_worker, read_photos, read_thumbnail
from lookalike.records import Box, Fit, View

_GRACE_SECONDS = 5


def main() -> None:
    """Answer tasks from standard input; started with a memory limit in bytes and a time limit in seconds."""
    memory_bytes, seconds = int(sys.argv[1]), float(sys.argv[2])
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)  # a library that prints must not garble the answers
    prepare_worker(memory_bytes)
    tasks: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(source, tasks), daemon=True).start()
    write_message(sink, "ready")
    while True:
        task, contents = tasks.get()
        _set_alarm(seconds + _GRACE_SECONDS)
        reply = _photos if "photos" in task else _thumbnail
        answer, blobs = reply(task, iter(contents), memory_bytes)
        _set_alarm(0)
        write_message(sink, answer, blobs)


def _listen(source: IO[bytes], tasks: SimpleQueue[Any]) -> None:
    """Take tasks; end this process, whatever it is decoding, as soon as its parent is gone."""
    try:
        while True:
            tasks.put(read_message(source))
    finally:
        os._exit(0)


def _set_alarm(seconds: float) -> None:
    """Let the kernel end this process, should both its parent and its threads be unable to."""
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(ceil(seconds))


def _photos(task: Any, contents: Iterator[bytes], memory_bytes: int) -> tuple[list[Any], list[bytes]]:
    requests = [
        PhotoRequest(
            "",
            each["path"],
            _view(*each["view"]),
            tuple(bytes.fromhex(digest) for digest in each["known"]),
            content=next(contents) if each["has_content"] else None,
            box=Box(*each["box"]) if each["box"] else None,
            max_pixels=each["max_pixels"],
            sidecars=tuple(each["sidecars"]),
        )
        for each in task["photos"]
    ]
    answers = read_photos(tuple(requests), memory_bytes)
    blobs = [answer.pixels for answer in answers if isinstance(answer, Decoded) and answer.pixels is not None]
    return [_as_json(answer) for answer in answers], blobs


def _view(size: int, fraction: float, resample: str, fit: Fit, short_side: int, below: list[Any]) -> View:
    return View(size, fraction, resample, fit, short_side, tuple(_view(*each) for each in below))


def _thumbnail(task: Any, contents: Iterator[bytes], memory_bytes: int) -> tuple[Any, list[bytes]]:
    digest = task["content_hash"]
    made = read_thumbnail(
        ThumbnailRequest(
            task["thumbnail"],
            task["longest"],
            content=next(contents) if task["has_content"] else None,
            content_hash=bytes.fromhex(digest) if digest else None,
            max_pixels=task["max_pixels"],
        ),
        memory_bytes,
    )
    return (_as_json(made), []) if isinstance(made, Refused) else (None, [made])


def _as_json(answer: Decoded | Refused) -> Any:
    if isinstance(answer, Refused):
        return {"refused": answer.reason, "lasting": answer.lasting}
    return {
        "sha256": answer.content_hash.hex(),
        "size": answer.size,
        "mtime_ns": answer.mtime_ns,
        "metadata": answer.metadata,
        "has_pixels": answer.pixels is not None,
    }
