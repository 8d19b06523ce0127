"""The bytes of a recorded file, handed out only while they are those that were read."""

from __future__ import annotations

import hashlib
import os

from lookalike.errors import NotFoundError
from lookalike.files import open_bytes
from lookalike.sources.uris import path_of

_MOST_BYTES = 1 << 28  # of a file that is read into memory as a whole


def read_recorded(uri: str, content_hash: bytes) -> bytes:
    """Return the content of a recorded file, whose sha256 is `content_hash`.

    Raises `NotFoundError` when it is gone, cannot be read, or holds something else now: whatever another
    program put in its place, a link to elsewhere too, is not handed out.
    """
    try:
        with open_bytes(path_of(uri)) as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_BYTES:
                raise NotFoundError(f"files above {_MOST_BYTES >> 20} MiB are not sent as a whole")
            content = file.read(size)
    except (OSError, ValueError) as error:
        raise NotFoundError(f"the file of this item cannot be read: {_reason(error)}") from error
    if hashlib.sha256(content).digest() != content_hash:
        raise NotFoundError(
            "the file of this item has changed since it was added; read it again with: lookalike add --afresh"
        )
    return content


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its name is not valid here"
