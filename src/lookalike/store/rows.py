"""Items and vectors as rows: their encoding and checksums, in one place."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lookalike.records import FACTS, PHASH, FileStamp, Item, Metadata, MetadataValue, Space
from lookalike.store.checksums import agreeing, agrees, place_key

_PAGE = 1000  # values of one statement
ITEM_COLUMNS = "id, uri, content_hash, size, mtime_ns, metadata, checksum"
_LONGEST_NUMBER = 10_000  # bits that Python writes in decimal without being asked to
_FLOAT = np.dtype("<f4")

ItemRow = tuple[int, str, bytes, int, int, str, int]


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table: an older format on a medium that cannot be written to lacks newer ones."""
    sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?)"
    return bool(connection.execute(sql, (name,)).fetchone()[0])


def encode_metadata(metadata: Metadata) -> str:
    """One canonical JSON text per metadata: whatever a file claims, it can be stored and read again.

    Numbers beyond 64 bits become text; what is no number (NaN, infinities) is left out; letters that are no
    text (lone surrogates) are replaced.
    """
    facts = {
        as_text(name): fact for name, value in metadata.items() if (fact := _storable(value)) is not None
    }
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def renewed(known: str, facts: Metadata) -> str:
    """Return stored metadata with a photo's facts as they are stated now; what an import brought stays.

    A file with the same content states no less than before, but sidecars may: where there is or was one, what
    is stated no more goes.
    """
    if not facts:
        return known
    before = json.loads(known)
    if "sidecar" in before or "sidecar" in facts:
        before = {name: value for name, value in before.items() if name not in FACTS}
    return encode_metadata({**before, **facts})


def of_content(known: str) -> str:
    """Return of stored metadata what every item of the same content has; the rest is of its own place alone.

    What a table, a shard or an import says stands for one item: a copy of its photo may be called otherwise.
    """
    facts = json.loads(known)
    return encode_metadata({name: fact for name, fact in facts.items() if name in FACTS or name == PHASH})


def as_text(text: str) -> str:
    """Return text as the store can hold it: lone surrogates become the replacement character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _storable(value: MetadataValue) -> MetadataValue | None:
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not -(2**63) <= value < 2**63:
        return (
            str(value)
            if value.bit_length() < _LONGEST_NUMBER
            else f"{'-' if value < 0 else ''}{abs(value):#x}"
        )
    return value


def item_checksum(item_id: int, uri: str, content_hash: bytes, stamp: FileStamp, metadata: str) -> int:
    """CRC-32 over all that is stored of an item, bound to its id."""
    return _item_crc(uri, content_hash, stamp, metadata) ^ place_key("items", item_id)


def _item_crc(uri: str, content_hash: bytes, stamp: FileStamp, metadata: str) -> int:
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
        item_id, uri, content_hash, size, mtime_ns, metadata, checksum = row
        crc = _item_crc(uri, content_hash, FileStamp(size, mtime_ns), metadata)
        return agrees(checksum, crc, "items", item_id)
    except (TypeError, AttributeError, ValueError):  # damage changes types too
        return False


def encode_vector(vector: npt.NDArray[np.float32]) -> bytes:
    """Return the bytes of one vector."""
    return np.ascontiguousarray(vector, _FLOAT).tobytes()


def vector_checksum(space_id: int, item_id: int, content: bytes) -> int:
    """CRC-32 of a vector's bytes, bound to its space and item."""
    return zlib.crc32(content) ^ place_key(vectors_table(space_id), item_id)


def vector_is_sound(space: Space, item_id: object, checksum: object, content: object) -> bool:
    """Tell whether a stored vector is what was written for that item in that space."""
    if not isinstance(content, bytes) or len(content) != space.dim * _FLOAT.itemsize:
        return False
    return isinstance(item_id, int) and agrees(
        checksum, zlib.crc32(content), vectors_table(space.id), item_id
    )


def sound_vectors(space: Space, rows: list[tuple[Any, Any, Any]]) -> list[tuple[int, int, bytes]]:
    """Return those rows of item, checksum and vector that `vector_is_sound` holds for.

    In one go: a search looks at hundreds.
    """
    size, agree = space.dim * _FLOAT.itemsize, agreeing(vectors_table(space.id))
    return [
        row
        for row in rows
        if isinstance(row[2], bytes)
        and len(row[2]) == size
        and isinstance(row[0], int)
        and agree(row[1], zlib.crc32(row[2]), row[0])
    ]


def has_direction(content: bytes) -> bool:
    """Tell whether a stored vector is finite and not of length 0."""
    length = float(np.linalg.norm(np.frombuffer(content, _FLOAT)))
    return math.isfinite(length) and length > 0


def vectors_table(space_id: int) -> str:
    """Return the name of the table of a space's vectors."""
    return f"vectors_{space_id}"


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
