"""One batch of photos to disk: items, vectors and skipped inputs together, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.records import Committed, Photo, Skipped, Space
from lookalike.store.items import delete_item, tick
from lookalike.store.rows import encode_metadata, encode_vector, item_checksum


@dataclass(slots=True)
class Batch:
    """What one transaction writes. A photo whose content is known comes with None for its vector."""

    photos: list[tuple[Photo, npt.NDArray[np.float32] | None]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchWriter:
    """Writes batches into one space.

    `is_gone(uri)` tells that a file does not exist any more, so that its item may move to a new uri with the
    same content; `reader` names what decodes, to be kept with skipped inputs.
    """

    connection: sqlite3.Connection
    space: Space
    reader: str
    is_gone: Callable[[str], bool]

    def write(self, batch: Batch) -> list[Committed]:
        """Write a batch inside the caller's transaction; what it returns is true once that commits."""
        seq = tick(self.connection)
        done = [self._photo(photo, vector, seq) for photo, vector in batch.photos]
        return done + [self._skip(skipped, seq) for skipped in batch.skipped]

    def _photo(self, photo: Photo, vector: npt.NDArray[np.float32] | None, seq: int) -> Committed:
        own = self._one("SELECT id, content_hash FROM items WHERE uri = ?", photo.uri)
        twins = self._twins(photo.content_hash)
        if own and own[1] == photo.content_hash and own[0] in twins:
            self._place(own[0], photo)
            return Committed(photo.uri, "unchanged", own[0])
        row = encode_vector(vector) if vector is not None else self._copied(twins)
        if row is None:
            lost = "its known copy was removed meanwhile; add it again"
            return self._skip(Skipped(photo.uri, lost, photo.stamp, lasting=False), seq)
        if own:
            return self._update(own[0], photo, row, seq)
        moved = next((item_id for item_id, uri in twins.items() if self.is_gone(uri)), None)
        if moved is not None:
            self._place(moved, photo)
            return Committed(photo.uri, "moved", moved)
        item_id = self._insert(photo)
        self._put_vector(item_id, row, seq)
        return Committed(photo.uri, "added", item_id)

    def _skip(self, skipped: Skipped, seq: int) -> Committed:
        size, mtime_ns = (skipped.stamp.size, skipped.stamp.mtime_ns) if skipped.stamp else (None, None)
        own = self._one("SELECT id FROM items WHERE uri = ?", skipped.uri)
        if own and skipped.lasting:  # the file holds no photo any more, so its item has nothing to show
            delete_item(self.connection, own[0], seq)
        self.connection.execute(
            "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?, ?)",
            (skipped.uri, skipped.reason, size, mtime_ns, skipped.lasting, self.reader),
        )
        return Committed(skipped.uri, "skipped", reason=skipped.reason)

    def _twins(self, content_hash: bytes) -> dict[int, str]:
        """Return id and uri of the items with this content and a vector in this space."""
        table = f"vectors_{self.space.id}"
        sql = f"SELECT id, uri FROM items JOIN {table} ON item_id = id WHERE content_hash = ?"
        return dict(self.connection.execute(sql, (content_hash,)).fetchall())

    def _copied(self, twins: dict[int, str]) -> tuple[int, bytes] | None:
        if not twins:
            return None
        sql = f"SELECT checksum, vector FROM vectors_{self.space.id} WHERE item_id = ?"
        row: tuple[int, bytes] = self.connection.execute(sql, (next(iter(twins)),)).fetchone()
        return row

    def _insert(self, photo: Photo) -> int:
        metadata = encode_metadata(photo.metadata or self._known_metadata(photo.content_hash))
        checksum = item_checksum(photo.uri, photo.content_hash, photo.stamp, metadata)
        stamp = photo.stamp
        row = (photo.uri, photo.content_hash, stamp.size, stamp.mtime_ns, metadata, checksum)
        sql = "INSERT INTO items (uri, content_hash, size, mtime_ns, metadata, checksum) VALUES (?,?,?,?,?,?)"
        item_id = self.connection.execute(sql, row).lastrowid
        assert item_id is not None  # an INSERT always sets it
        self._forget_skip(photo.uri)
        return item_id

    def _place(self, item_id: int, photo: Photo) -> None:
        """Say where an item's unchanged content now lies and how its file is stamped."""
        (metadata,) = self._one("SELECT metadata FROM items WHERE id = ?", item_id)
        checksum = item_checksum(photo.uri, photo.content_hash, photo.stamp, metadata)
        self.connection.execute(
            "UPDATE items SET uri = ?, size = ?, mtime_ns = ?, checksum = ? WHERE id = ?",
            (photo.uri, photo.stamp.size, photo.stamp.mtime_ns, checksum, item_id),
        )
        self._forget_skip(photo.uri)

    def _update(self, item_id: int, photo: Photo, row: tuple[int, bytes], seq: int) -> Committed:
        metadata = encode_metadata(photo.metadata or self._known_metadata(photo.content_hash))
        self.connection.execute(
            "UPDATE items SET content_hash = ?, metadata = ? WHERE id = ?",
            (photo.content_hash, metadata, item_id),
        )
        for (space_id,) in self.connection.execute("SELECT id FROM spaces").fetchall():
            self.connection.execute(f"DELETE FROM vectors_{space_id} WHERE item_id = ?", (item_id,))
        self._place(item_id, photo)
        self._put_vector(item_id, row, seq)
        return Committed(photo.uri, "updated", item_id)

    def _put_vector(self, item_id: int, row: tuple[int, bytes], seq: int) -> None:
        self.connection.execute(
            f"INSERT OR REPLACE INTO vectors_{self.space.id} VALUES (?, ?, ?, ?)", (item_id, seq, *row)
        )

    def _known_metadata(self, content_hash: bytes) -> dict[str, str | int | float]:
        import json  # the copy of a known photo is rare

        row = self._one("SELECT metadata FROM items WHERE content_hash = ? LIMIT 1", content_hash)
        return dict(json.loads(row[0])) if row else {}

    def _forget_skip(self, uri: str) -> None:
        self.connection.execute("DELETE FROM skipped WHERE uri = ?", (uri,))

    def _one(self, sql: str, value: object) -> Any:
        return self.connection.execute(sql, (value,)).fetchone()
