"""What batches of photos and of texts write alike; for use inside a transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.records import Committed, FileStamp, Skipped, Space
from lookalike.store.rows import (
    encode_vector,
    item_checksum,
)

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
    checksum = item_checksum(uri, content_hash, stamp, metadata)
    cells = (uri, content_hash, stamp.size, stamp.mtime_ns, metadata, checksum)
    sql = "INSERT INTO items (uri, content_hash, size, mtime_ns, metadata, checksum) VALUES (?,?,?,?,?,?)"
    item_id = connection.execute(sql, cells).lastrowid
    assert item_id is not None  # an INSERT always sets it
    return item_id


def put_skipped(connection: sqlite3.Connection, skipped: Skipped, reader: str) -> Committed:
    """Note a skipped input; an item of that uri stays, for its file may come back whole."""
    size, mtime_ns = (skipped.stamp.size, skipped.stamp.mtime_ns) if skipped.stamp else (None, None)
    connection.execute(
        "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?, ?)",
        (skipped.uri, skipped.reason, size, mtime_ns, skipped.lasting, reader),
    )
    return Committed(skipped.uri, "skipped", reason=skipped.reason)


def put_vector(
    connection: sqlite3.Connection, space: Space, item_id: int, row: tuple[int, int, bytes]
) -> None:
    """Store clock, checksum and bytes of a vector."""
    connection.execute(f"INSERT OR REPLACE INTO vectors_{space.id} VALUES (?, ?, ?, ?)", (item_id, *row))


def fill_vector(connection: sqlite3.Connection, space: Space, filled: FilledVector, seq: int) -> bool:
    """Store a vector unless its item has one by now, has changed or is gone; says whether it was stored."""
    stored = encode_vector(filled.vector)
    sql = (
        f"INSERT OR IGNORE INTO vectors_{space.id} SELECT id, ?, ?, ? FROM items "
        "WHERE id = ? AND content_hash = ?"
    )
    values = (seq, *stored, filled.item_id, filled.content_hash)
    return connection.execute(sql, values).rowcount > 0
