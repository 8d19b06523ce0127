"""Items and their vectors as rows of Milvus: encoded, decoded, and checked against their checksum."""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.engine.milvus.facts import facts_of
from lookalike.engine.milvus.layout import MOST_BYTES
from lookalike.records import FileStamp, Item, Kind
from lookalike.store.rows import item_checksum

ID_BITS = 52
"""Ids are whole numbers that JavaScript can hold, and leave a copy in a folder room for as many more."""

_LOW = 0xFFFFFFFF
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item as it is stored: `metadata` is canonical JSON, `text` empty for photos."""

    id: int
    uri: str
    content_hash: bytes
    stamp: FileStamp
    metadata: str
    text: str = ""
    places: int = 1

    def checksum(self) -> int:
        """CRC-32 of all that is stored of the item but its text, which its sha256 tells of."""
        places = zlib.crc32(b"%d" % self.places)
        return item_checksum(self.id, self.uri, self.content_hash, self.stamp, self.metadata) ^ places

    def too_long(self) -> str | None:
        """Say what of it is longer than Milvus takes."""
        for name in ("uri", "metadata", "text"):
            if len(getattr(self, name).encode()) > MOST_BYTES:
                return f"its {name} is longer than {MOST_BYTES:,} bytes, which Milvus does not take"
        return None


def item_id_of(uri: str, attempt: int = 0) -> int:
    """Return the id that an item of a uri is given: whoever adds it, at whatever time, gives the same one."""
    digest = hashlib.sha256(f"{attempt}\0{uri}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - ID_BITS) or 1


def encode(
    row: ItemRow, vector: npt.NDArray[np.float32], kind: Kind, terms: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a row of a space's Milvus collection."""
    content = np.ascontiguousarray(vector, _FLOAT)
    return {
        "id": row.id,
        "uri": row.uri,
        "sha256": row.content_hash.hex(),
        "size": row.stamp.size,
        "mtime_ns": row.stamp.mtime_ns,
        "metadata": row.metadata,
        "text": row.text,
        "places": row.places,
        "chance": secrets.randbits(31),
        "checksum": _as_signed((row.checksum() & _LOW) | zlib.crc32(content.tobytes()) << 32),
        "facts": facts_of(row.metadata, row.uri, kind, terms),
        "vector": content,
    }


def decode(found: dict[str, Any]) -> ItemRow:
    """Return the item of a row that was read with `ITEM_FIELDS`."""
    stamp = FileStamp(found["size"], found["mtime_ns"])
    content = bytes.fromhex(found["sha256"])
    return ItemRow(
        found["id"], found["uri"], content, stamp, found["metadata"], found["text"], found["places"]
    )


def item_of(row: ItemRow, kind: Kind) -> Item:
    """Return what callers are told of an item."""
    text = row.text if kind == "text" else None
    return Item(row.id, row.uri, row.content_hash, row.stamp, json.loads(row.metadata), text, row.places)


def is_sound(found: dict[str, Any], kind: Kind) -> bool:
    """Tell whether the item in a row is what was written."""
    try:
        row = decode(found)
        has_text = kind == "photo" or hashlib.sha256(row.text.encode()).digest() == row.content_hash
        return has_text and row.checksum() & _LOW == signed(found["checksum"]) & _LOW
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def vector_of(found: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Return the vector `(dim,)` of a row that was read with it."""
    return np.asarray(found["vector"], np.float32)


def vector_is_sound(found: dict[str, Any], vector: npt.NDArray[np.float32]) -> bool:
    """Tell whether the vector in a row is what was written."""
    content = np.ascontiguousarray(vector, _FLOAT).tobytes()
    return zlib.crc32(content) == signed(found["checksum"]) >> 32


def signed(checksum: int) -> int:
    """Return 64 bits as a number from 0 up, as they come out of a signed field."""
    return checksum & 0xFFFFFFFFFFFFFFFF


def _as_signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
