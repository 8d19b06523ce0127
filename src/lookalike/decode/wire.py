"""Messages between this process and a decode worker: one line of JSON, then raw bytes.

Nothing is unpickled: what a worker says after it has read a hostile file cannot run code here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any


def write_message(stream: IO[bytes], value: Any, blobs: Sequence[bytes] = ()) -> None:
    """Send a JSON value and what goes with it as raw bytes."""
    line = json.dumps([value, [len(blob) for blob in blobs]])  # lone surrogates of odd names are escaped
    stream.write(line.encode() + b"\n")
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[Any, list[bytes]]:
    """Return what `write_message` sent; raises `EOFError` when the other side is gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    value, sizes = json.loads(line)
    blobs = [stream.read(size) for size in sizes]
    if [len(blob) for blob in blobs] != sizes:
        raise EOFError
    return value, blobs
