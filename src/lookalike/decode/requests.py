"""What is asked of decode workers, for both sides of the pipe, without what decodes and is slow to load."""

from __future__ import annotations

from dataclasses import dataclass, field

from lookalike.records import Box, FileStamp, Metadata, View

MAX_PIXELS = 250_000_000

MEMORY_BYTES = 768 << 20
"""What a worker may use: 200 megapixels of a progressive JPEG, the largest that phones write, take 600 MB."""


@dataclass(frozen=True, slots=True)
class PhotoRequest:
    """One photo to read: the file at `path`, or the bytes in `content`.

    With `is_copy` that file is a copy of what lies at `uri`, which is of a moment of its own.

    Of content whose sha256 is in `known` only the facts are read. `stamp` returns with a refusal, and with
    what was given as `content` or as a copy. `sidecars` are files beside it that state facts, too; `facts`
    are known from elsewhere, and count less than what the photo states. With `box`, that part is read as if
    it had been cut out and were a photo of its own. More than `max_pixels` are refused.
    """

    uri: str
    path: str
    view: View
    known: tuple[bytes, ...] = ()
    stamp: FileStamp | None = None
    content: bytes | None = None
    box: Box | None = None
    max_pixels: int = MAX_PIXELS
    sidecars: tuple[str, ...] = ()
    facts: Metadata = field(default_factory=dict)
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class ThumbnailRequest:
    """A picture to make small: the file at `path`, or the bytes in `content`.

    No side of the result is longer than `longest` pixels. With `content_hash` (sha256), a file with any other
    content is refused. More than `max_pixels` are refused.
    """

    path: str
    longest: int
    content: bytes | None = None
    content_hash: bytes | None = None
    max_pixels: int = MAX_PIXELS
