"""What batches of photos and of texts write alike; for use inside a transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.records import Committed, FileStamp, Skipped, Space
from lookalike.store.checksums import row_checksum
from lookalike.store.rows import (
    as_text,
    encode_vector,
    item_checksum,
    vector_checksum,
)

SKIPPED_CHECKSUM = (
    "row_checksum('skipped', skipped.uri, skipped.reason, skipped.size, skipped.mtime_ns, skipped.lasting, "
    "skipped.reader)"
)
"""What the checksum of a row of `skipped` has to be."""

T = TypeVar("T")
"""What a batch is made of."""


@dataclass(frozen=True, slots=True)
class FilledVector:
    """A vector for an item that had none in some space, made of content with that sha256."""

    item_id: int
    content_hash: bytes
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """What became of a batch.

    `lost` came without a vector, as content that is known, but is known no more, since another process has
    changed or removed it: it must be read and embedded, and written again.
    """

    committed: list[Committed]
    lost: list[T]


def insert_item(
    connection: sqlite3.Connection, uri: str, content_hash: bytes, stamp: FileStamp, metadata: str
) -> int:
    """Make an item and return its id; `metadata` comes encoded."""
    cells = (uri, content_hash, stamp.size, stamp.mtime_ns, metadata)
    sql = "INSERT INTO items VALUES (new_item_id(?1, ?2), ?1, ?2, ?3, ?4, ?5, 0)"
    item_id = connection.execute(sql, cells).lastrowid
    assert item_id is not None  # an INSERT always sets it
    checksum = item_checksum(item_id, uri, content_hash, stamp, metadata)
    connection.execute("UPDATE items SET checksum = ? WHERE id = ?", (checksum, item_id))
    return item_id


def put_skipped(connection: sqlite3.Connection, skipped: Skipped, reader: str) -> Committed:
    """Note a skipped input; an item of that uri stays, for its file may come back whole."""
    size, mtime_ns = (skipped.stamp.size, skipped.stamp.mtime_ns) if skipped.stamp else (None, None)
    reason = as_text(skipped.reason)  # it may quote what the file holds, or a name
    cells = (skipped.uri, reason, size, mtime_ns, int(skipped.lasting), reader)
    sql = "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?)"
    connection.execute(sql, (*cells, row_checksum("skipped", *cells)))
    return Committed(skipped.uri, "skipped", reason=reason)


def put_vector(connection: sqlite3.Connection, space: Space, item_id: int, seq: int, content: bytes) -> None:
    """Store the bytes of a vector, with the clock and its checksum."""
    row = (item_id, seq, vector_checksum(space.id, item_id, content), content)
    connection.execute(f"INSERT OR REPLACE INTO vectors_{space.id} VALUES (?, ?, ?, ?)", row)


def fill_vector(connection: sqlite3.Connection, space: Space, filled: FilledVector, seq: int) -> bool:
    """Store a vector unless its item has one by now, has changed or is gone; says whether it was stored."""
    content = encode_vector(filled.vector)
    checksum = vector_checksum(space.id, filled.item_id, content)
    sql = (
        f"INSERT OR IGNORE INTO vectors_{space.id} SELECT id, ?, ?, ? FROM items "
        "WHERE id = ? AND content_hash = ?"
    )
    values = (seq, checksum, content, filled.item_id, filled.content_hash)
    return connection.execute(sql, values).rowcount > 0
