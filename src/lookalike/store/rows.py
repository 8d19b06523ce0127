"""Items and vectors as rows: their encoding and checksums, in one place."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lookalike.records import FileStamp, Item, Metadata

_PAGE = 1000  # values of one statement
ITEM_COLUMNS = "id, uri, content_hash, size, mtime_ns, metadata, checksum"
_FLOAT = np.dtype("<f4")

ItemRow = tuple[int, str, bytes, int, int, str, int]


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table: an older format on a medium that cannot be written to lacks newer ones."""
    sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?)"
    return bool(connection.execute(sql, (name,)).fetchone()[0])


def encode_metadata(metadata: Metadata) -> str:
    """One canonical JSON text per metadata."""
    return json.dumps(dict(metadata), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def item_checksum(uri: str, content_hash: bytes, stamp: FileStamp, metadata: str) -> int:
    """CRC-32 over all that is stored of an item."""
    parts = (uri.encode(), content_hash, b"%d %d" % (stamp.size, stamp.mtime_ns), metadata.encode())
    return zlib.crc32(b"\0".join(parts))


def decode_item(row: ItemRow) -> Item:
    """Turn a row of `ITEM_COLUMNS` into an item; one that is not sound may lack its metadata."""
    item_id, uri, content_hash, size, mtime_ns, metadata, _ = row
    try:
        facts = msgspec.json.decode(metadata)  # every hit comes through here
    except (msgspec.DecodeError, ValueError, TypeError):
        facts = {}
    return Item(item_id, uri, content_hash, FileStamp(size, mtime_ns), facts)


def item_is_sound(row: Sequence[Any]) -> bool:
    """Tell whether a row of `ITEM_COLUMNS` is what was written."""
    try:
        _, uri, content_hash, size, mtime_ns, metadata, checksum = row
        return bool(item_checksum(uri, content_hash, FileStamp(size, mtime_ns), metadata) == checksum)
    except (TypeError, AttributeError, ValueError):  # damage changes types too
        return False


def encode_vector(vector: npt.NDArray[np.float32]) -> tuple[int, bytes]:
    """Return checksum and bytes of one vector."""
    content = np.ascontiguousarray(vector, _FLOAT).tobytes()
    return zlib.crc32(content), content


def vector_is_sound(checksum: object, content: object, dim: int) -> bool:
    """Tell whether a stored vector is what was written."""
    if not isinstance(content, bytes) or len(content) != dim * _FLOAT.itemsize:
        return False
    return zlib.crc32(content) == checksum


def decode_vectors(contents: list[bytes], dim: int) -> npt.NDArray[np.float32]:
    """Stack stored vectors to shape `(n, dim)`."""
    return (
        np.frombuffer(b"".join(contents), _FLOAT).reshape(len(contents), dim).astype(np.float32, copy=False)
    )


def marks(values: Sequence[object]) -> str:
    """As many SQL placeholders as there are values."""
    return ",".join("?" * len(values))


def select(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any], end: str = ""
) -> list[tuple[Any, ...]]:
    """Return the rows of a select that ends in IN, for any number of values."""
    rows: list[tuple[Any, ...]] = []
    for at in range(0, len(values), _PAGE):
        page = values[at : at + _PAGE]
        rows += connection.execute(f"{sql} ({marks(page)}){end}", page).fetchall()
    return rows
