"""What a store tells of an object: its size, and a stamp that changes with it; and its bytes, counted."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lookalike.records import FileStamp
from lookalike.sources.remote.troubles import CutShortError, TooLargeError

_BLOCK = 1 << 20
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "timeModified", "modificationTime", "created")
_TAGS = ("ETag", "etag", "md5Hash", "generation", "content_md5", "crc32c")


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as a listing tells of it; `size` is None where only reading it tells.

    `stamp` is None where the listing tells no more than that there is one.
    """

    uri: str
    size: int | None
    stamp: FileStamp | None
    is_folder: bool = False


def stamp_from(size: int | None, tag: object = None, moment: object = None) -> FileStamp:
    """Return the stamp of an object by its size and its entity tag, or else by its time.

    The tag stands for the content and becomes the number of `mtime_ns`: the first 62 bits of its sha256, so
    that two tags are told apart. A time is in whole seconds, in which a second version could hide. Where
    there is neither, the number is of this moment, so that such an object is read again every time.
    """
    if isinstance(tag, str | int | bytes) and tag not in ("", b""):
        text = tag if isinstance(tag, bytes) else str(tag).encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 2
    elif isinstance(moment, datetime):
        number = int(moment.timestamp() * 1_000_000_000)
    elif isinstance(moment, str) and moment:
        return stamp_from(size, tag=moment)
    elif isinstance(moment, int | float) and not isinstance(moment, bool):
        number = int(moment * 1_000_000_000)
    else:
        number = time.time_ns()
    return FileStamp(size or 0, number)


def tag_and_time(facts: dict[str, Any]) -> tuple[object, object]:
    """Return what tells of the content, and when it was changed, by the many names they have."""
    tag = next((facts[name] for name in _TAGS if facts.get(name)), None)
    return tag, next((facts[name] for name in _TIMES if facts.get(name)), None)


async def gathered(reader: Any, most_bytes: int, announced: int | None) -> bytes:
    """Return a body of which `read(n)` gives the next bytes; raises `TooLargeError`, `CutShortError`."""
    if announced is not None and announced > most_bytes:
        raise TooLargeError(most_bytes)
    blocks, size = [], 0
    while block := await reader.read(_BLOCK):
        size += len(block)
        if size > most_bytes:
            raise TooLargeError(most_bytes)
        blocks.append(block)
    if announced is not None and size != announced:
        raise CutShortError
    return b"".join(blocks)
