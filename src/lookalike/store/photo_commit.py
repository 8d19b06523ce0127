"""One batch of photos to disk: items, vectors and skipped inputs together, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.records import Committed, Photo, Skipped, Space
from lookalike.store.clock import tick
from lookalike.store.commit import Written, insert_item, put_skipped, put_vector
from lookalike.store.items import delete_vectors
from lookalike.store.rows import (
    ITEM_COLUMNS,
    encode_metadata,
    encode_vector,
    item_checksum,
    item_is_sound,
    of_content,
    renewed,
    vector_is_sound,
)
from lookalike.store.shards import ShardRead, note_shard


@dataclass(slots=True)
class PhotoBatch:
    """What one transaction writes. A photo whose content is known comes with None for its vector.

    `paired` has, by uri, the vectors of the space that is filled beside; `shards` ended with this batch.
    """

    photos: list[tuple[Photo, npt.NDArray[np.float32] | None]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    paired: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    shards: list[ShardRead] = field(default_factory=list)


_MOST_TWINS = 64  # looked at for one photo: thousands of files may be identical


def _never(_uri: str, _other: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RunMemory:
    """What one run knows of files with equal content.

    `are_same(uri, other)` tells that one file lies at both uris. `passed` remembers from batch to batch, by
    content, the last id of those items that were found in their place, so that none is looked for twice.
    """

    are_same: Callable[[str, str], bool] = _never
    passed: dict[bytes, int] = field(default_factory=dict)


_Known = tuple[str, bytes]
"""The metadata of a sound item, and the bytes of its sound vector."""


@dataclass(frozen=True, slots=True)
class PhotoWriter:
    """Writes batches into one space.

    `is_gone(uri)` tells that a file does not exist any more, so that its item may move to a new uri with the
    same content; `reader` names what decodes, to be kept with skipped inputs. `companion` is a second space
    that is filled beside.
    """

    connection: sqlite3.Connection
    space: Space
    reader: str
    is_gone: Callable[[str], bool]
    memory: RunMemory
    companion: Space | None = None

    def write(self, batch: PhotoBatch) -> Written[str]:
        """Write a batch inside the caller's transaction; what it returns is true once that commits.

        Lost are uris of files.
        """
        seq = tick(self.connection)
        written: Written[str] = Written([], [])
        for photo, vector in batch.photos:
            outcome = self._photo(photo, vector, seq)
            if outcome is None:
                written.lost.append(photo.uri)
            else:
                written.committed.append(outcome)
                self._pair(outcome, photo.content_hash, batch.paired.get(photo.uri), seq)
        written.committed.extend(put_skipped(self.connection, each, self.reader) for each in batch.skipped)
        for shard in batch.shards:
            note_shard(self.connection, shard)
        return written

    def _photo(self, photo: Photo, vector: npt.NDArray[np.float32] | None, seq: int) -> Committed | None:
        own = self._one("SELECT id, content_hash FROM items WHERE uri = ?", photo.uri)
        if own and own[1] == photo.content_hash and self._known(own[0]):
            return Committed(photo.uri, "updated" if self._place(own[0], photo) else "unchanged", own[0])
        moved = None if own else self._moved(photo.uri, photo.content_hash)
        if moved is not None:
            self._place(moved, photo)
            return Committed(photo.uri, "moved", moved)
        known = self._known_of(photo.content_hash)
        if known is not None:  # equal content has equal vectors, to the last bit
            metadata, content = renewed(of_content(known[0]), photo.metadata), known[1]
        elif vector is not None:
            metadata, content = encode_metadata(photo.metadata), encode_vector(vector)
        else:
            return None
        if own:
            return self._update(own, photo, metadata, seq, content)
        return self._insert(photo, metadata, seq, content)

    def _pair(
        self, outcome: Committed, content_hash: bytes, row: npt.NDArray[np.float32] | None, seq: int
    ) -> None:
        """Put the vector of the second space, too; one that is not at hand is left to be filled in later."""
        if self.companion is None or outcome.item_id is None or outcome.outcome not in ("added", "updated"):
            return
        if row is None and self._vector(outcome.item_id, self.companion) is not None:
            return
        stored = encode_vector(row) if row is not None else None
        if stored is None:
            twins = (self._vector(each, self.companion) for each, _ in self._twins(content_hash))
            stored = next((each for each in twins if each is not None), None)
        if stored is not None:
            put_vector(self.connection, self.companion, outcome.item_id, seq, stored)

    def _moved(self, uri: str, content_hash: bytes) -> int | None:
        """Return an item with this content and a sound vector whose file is gone, or is the one at `uri`."""
        for item_id, other in self._twins(content_hash):
            if self.memory.are_same(uri, other) and self._vector(item_id):
                return item_id
        passed = self.memory.passed
        for item_id, other in self._twins(content_hash, passed.get(content_hash, 0)):
            if self.is_gone(other) and self._vector(item_id):
                return item_id
            passed[content_hash] = item_id
        return None

    def _known_of(self, content_hash: bytes) -> _Known | None:
        """Return what is known of this content from some sound item."""
        return next((known for each, _ in self._twins(content_hash) if (known := self._known(each))), None)

    def _twins(self, content_hash: bytes, beyond: int = 0) -> list[tuple[int, str]]:
        """Return id and uri of some items with this content, by ascending id beyond one."""
        sql = f"SELECT id, uri FROM items WHERE content_hash = ? AND id > ? ORDER BY id LIMIT {_MOST_TWINS}"
        return self.connection.execute(sql, (content_hash, beyond)).fetchall()

    def _known(self, item_id: int) -> _Known | None:
        """Return what is stored of an item if its row and its vector in this space are sound."""
        item = self._one(f"SELECT {ITEM_COLUMNS} FROM items WHERE id = ?", item_id)
        vector = self._vector(item_id)
        return (item[-2], vector) if vector and item_is_sound(item) else None

    def _vector(self, item_id: int, space: Space | None = None) -> bytes | None:
        """Return the bytes of an item's vector, by default in the main space, if it is sound."""
        space = space or self.space
        row = self._one(f"SELECT checksum, vector FROM vectors_{space.id} WHERE item_id = ?", item_id)
        return row[1] if row is not None and vector_is_sound(space, item_id, *row) else None

    def _insert(self, photo: Photo, metadata: str, seq: int, content: bytes) -> Committed:
        item_id = insert_item(self.connection, photo.uri, photo.content_hash, photo.stamp, metadata)
        put_vector(self.connection, self.space, item_id, seq, content)
        self._forget_skip(photo.uri)
        return Committed(photo.uri, "added", item_id)

    def _place(self, item_id: int, photo: Photo) -> bool:
        """Say where an item's unchanged content lies now, its stamp and facts; whether the facts changed."""
        row = self._one(f"SELECT {ITEM_COLUMNS} FROM items WHERE id = ?", item_id)
        metadata, checksum = row[-2:]
        if item_is_sound(row):  # else the checksum stays, so that what is wrong stays known
            metadata = renewed(metadata, photo.metadata)
            checksum = item_checksum(item_id, photo.uri, photo.content_hash, photo.stamp, metadata)
        self.connection.execute(
            "UPDATE items SET uri = ?, size = ?, mtime_ns = ?, metadata = ?, checksum = ? WHERE id = ?",
            (photo.uri, photo.stamp.size, photo.stamp.mtime_ns, metadata, checksum, item_id),
        )
        self._forget_skip(photo.uri)
        return bool(metadata != row[-2])

    def _update(
        self, own: tuple[int, bytes], photo: Photo, metadata: str, seq: int, content: bytes
    ) -> Committed:
        item_id, old_content = own
        if old_content != photo.content_hash:  # in other spaces too, its vectors show what is no more
            delete_vectors(self.connection, item_id)
        checksum = item_checksum(item_id, photo.uri, photo.content_hash, photo.stamp, metadata)
        self.connection.execute(
            "UPDATE items SET content_hash=?, size=?, mtime_ns=?, metadata=?, checksum=? WHERE id=?",
            (photo.content_hash, photo.stamp.size, photo.stamp.mtime_ns, metadata, checksum, item_id),
        )
        put_vector(self.connection, self.space, item_id, seq, content)
        self._forget_skip(photo.uri)
        return Committed(photo.uri, "updated", item_id)

    def _forget_skip(self, uri: str) -> None:
        self.connection.execute("DELETE FROM skipped WHERE uri = ?", (uri,))

    def _one(self, sql: str, value: object) -> Any:
        return self.connection.execute(sql, (value,)).fetchone()
