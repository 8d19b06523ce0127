"""The bytes of a recorded file, handed out only while they are those that were read."""

from __future__ import annotations

import hashlib
import os

from lookalike.errors import NotFoundError
from lookalike.files import open_bytes
from lookalike.records import Item
from lookalike.sources.uris import is_fetched, path_of

_MOST_BYTES = 1 << 28  # of a file that is read into memory as a whole


def read_recorded(item: Item) -> bytes:
    """Return the content of the file or object of an item, while it is what was read.

    Raises `NotFoundError` when it is gone, cannot be read, or holds something else now: whatever another
    program put in its place, a link to elsewhere too, is not handed out.
    """
    try:
        content = _fetched(item) if is_fetched(item.uri) else _read(item.uri)
    except (OSError, ValueError) as error:
        raise NotFoundError(f"the file of this item cannot be read: {_reason(error)}") from error
    if hashlib.sha256(content).digest() != item.content_hash:
        raise NotFoundError(
            "the file of this item has changed since it was added; read it again with: lookalike add --afresh"
        )
    return content


def _read(uri: str) -> bytes:
    with open_bytes(path_of(uri)) as file:
        size = os.fstat(file.fileno()).st_size
        _check_size(size)
        return file.read(size)


def _fetched(item: Item) -> bytes:
    """Return what a store, shard or table holds, for someone who waits for it."""
    from lookalike.sources.remote.patience import IMPATIENT  # loads much that files do without
    from lookalike.sources.remote.reading import read_object
    from lookalike.sources.remote.troubles import RemoteError

    _check_size(item.stamp.size)
    if not item.stamp.size:  # an import brought no more than its name, which a stranger may have written
        raise NotFoundError("this item came without its file")
    try:
        return read_object(item.uri, item.stamp, most_bytes=_MOST_BYTES, patience=IMPATIENT)
    except RemoteError as error:
        raise NotFoundError(f"the file of this item cannot be read: {error}") from None


def _check_size(size: int) -> None:
    if size > _MOST_BYTES:
        raise NotFoundError(f"files above {_MOST_BYTES >> 20} MiB are not sent as a whole")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its name is not valid here"
