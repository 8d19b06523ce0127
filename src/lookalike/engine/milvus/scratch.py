"""A store in memory with those rows of a collection in Milvus that are about to be changed.

What a batch does to items, texts and their places is decided by the code that writes local stores
(`store.photo_commit`, `store.text_commit`, `store.places`): it is run here, on the rows that the batch can
touch, and what it has changed is then put into Milvus. Triggers note what that is.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lookalike.engine.milvus.books import Entry
from lookalike.engine.milvus.rows import ItemRow, item_id_of
from lookalike.records import FileStamp, Ids, Kind, Space
from lookalike.store.checksums import row_checksum
from lookalike.store.filters import unicode_lower
from lookalike.store.rows import item_checksum, vector_checksum, vectors_table
from lookalike.store.schema import VECTORS_TABLE, migrate, run_script
from lookalike.store.spaces import seal_spaces
from lookalike.store.text_rows import put_places, put_texts

NOT_READ = b""
"""Stands for a vector that is in Milvus and was not read."""

_BOOKS = {
    "skipped": ("uri", "reason", "size", "mtime_ns", "lasting", "reader"),
    "places": ("uri", "item_id"),
    "text_files": ("uri", "size", "mtime_ns", "column_name", "manner", "rows"),
    "loose": ("item_id", "replaced"),
}
"""The tables that are books, with their cells; the first one is the key."""


@dataclass(slots=True)
class Changed:
    """What was changed: ids of items, and keys of rows of the books."""

    items: set[int] = field(default_factory=set)
    books: dict[str, set[Any]] = field(default_factory=lambda: {name: set() for name in _BOOKS})


class Scratch:
    """The rows, with the face of `store.database.Database`; `push(scratch, changed)` takes what changed."""

    read_only = False

    def __init__(self, spaces: Sequence[Space], kind: Kind, push: Callable[[Scratch, Changed], None]) -> None:
        self.spaces = tuple(spaces)
        self.held: set[int] = set()
        self.kind = kind
        self._push = push
        self._lock = threading.RLock()
        self.connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.connection.create_function("unicode_lower", 1, unicode_lower, deterministic=True)
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.execute("BEGIN")
        migrate(self.connection)
        for space in spaces:
            self._make_space(space)
        seal_spaces(self.connection)
        self._watch()
        self.connection.execute("COMMIT")
        self.connection.create_function("new_item_id", 2, self._new_id)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read what is there."""
        with self._lock:
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Change what is there; when the block ends, Milvus has it, or the block raises."""
        with self._lock:
            self.connection.execute("DELETE FROM changed")
            yield self.connection
            changed = self._changed()
            self._push(self, changed)
            self.held |= changed.items
            self.connection.execute("DELETE FROM changed")

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return the rows of one statement."""
        with self._lock:
            return self.connection.execute(sql, parameters).fetchall()

    def check_order(self, ids: Sequence[int] | Ids, after: int) -> None:
        """Rows that were put here a moment ago are in order."""

    def put_item(self, row: ItemRow, vectors: dict[int, bytes], *, sound: bool = True) -> None:
        """Take in an item as Milvus has it, with the bytes of its vectors by number of the space."""
        self.held.add(row.id)
        checksum = item_checksum(row.id, row.uri, row.content_hash, row.stamp, row.metadata) if sound else 0
        cells = (
            row.id,
            row.uri,
            row.content_hash,
            row.stamp.size,
            row.stamp.mtime_ns,
            row.metadata,
            checksum,
        )
        self.connection.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?)", cells)
        if self.kind == "text":
            put_texts(self.connection, [(row.id, row.text)])
        for space_id, content in vectors.items():
            checksum = vector_checksum(space_id, row.id, content)
            sql = f"INSERT OR REPLACE INTO {vectors_table(space_id)} VALUES (?, 0, ?, ?)"
            self.connection.execute(sql, (row.id, checksum, content))

    def put_entry(self, entry: Entry) -> None:
        """Take in a row of the books as Milvus has it."""
        table, cells = entry.book, tuple(entry.data[name] for name in _BOOKS[entry.book])
        if table == "places":
            put_places(self.connection, [cells])
            return
        if table != "loose":
            cells = (*cells, row_checksum(table, *cells))
        names = ", ".join((*_BOOKS[table], *(["checksum"] if table != "loose" else [])))
        marks = ", ".join("?" * len(cells))
        self.connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", cells)

    def entry(self, table: str, key: Any) -> tuple[Entry, bool]:
        """Return a row as the books have it, and whether it is there."""
        cells = _BOOKS[table]
        sql = f"SELECT {', '.join(cells)} FROM {table} WHERE {cells[0]} = ?"
        row = self.connection.execute(sql, (key,)).fetchone()
        data = dict(zip(cells, row, strict=True)) if row else {}
        uri, item = (str(key), data.get("item_id", 0)) if cells[0] == "uri" else ("", int(key))
        return Entry(table, str(key), data, uri=uri, item=item), row is not None

    def item(self, item_id: int) -> ItemRow | None:
        """Return an item as it is now; None where there is none."""
        sql = "SELECT id, uri, content_hash, size, mtime_ns, metadata FROM items WHERE id = ?"
        row = self.connection.execute(sql, (item_id,)).fetchone()
        if row is None:
            return None
        text, places = "", 1
        if self.kind == "text":
            found = self.connection.execute("SELECT text FROM texts WHERE item_id = ?", (item_id,)).fetchone()
            text = found[0] if found else ""
            sql = "SELECT count(*) FROM places WHERE item_id = ?"
            places = max(1, self.connection.execute(sql, (item_id,)).fetchone()[0])
        return ItemRow(row[0], row[1], row[2], FileStamp(row[3], row[4]), row[5], text, places)

    def vector(self, space: Space, item_id: int) -> bytes | None:
        """Return the bytes of a vector, `NOT_READ`, or None where there is none."""
        sql = f"SELECT vector FROM {vectors_table(space.id)} WHERE item_id = ?"
        row = self.connection.execute(sql, (item_id,)).fetchone()
        return row[0] if row else None

    def clear(self) -> None:
        """Forget all rows but those of the spaces."""
        tables = [
            "items",
            *_BOOKS,
            *(vectors_table(space.id) for space in self.spaces),
            "removals",
            "changed",
        ]
        with self._lock:
            self.held = set()
            for table in tables:
                self.connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Drop everything."""
        self.connection.close()

    def _make_space(self, space: Space) -> None:
        cells = (space.id, space.name, space.model_id, space.dim, space.is_default)
        more = (space.kind, space.reference, space.approximate, 0)
        self.connection.execute("INSERT INTO spaces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*cells, *more))
        run_script(self.connection, VECTORS_TABLE.format(table=vectors_table(space.id)))

    def _watch(self) -> None:
        self.connection.execute("CREATE TABLE changed (book TEXT, key)")
        watched = {"items": "id", "texts": "item_id", **{name: cells[0] for name, cells in _BOOKS.items()}}
        watched |= {vectors_table(space.id): "item_id" for space in self.spaces}
        for table, key in watched.items():
            book = table if table in _BOOKS else "items"
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                notes = f"INSERT INTO changed VALUES ('{book}', {row}.{key});"
                if table == "places":
                    notes += f"INSERT INTO changed VALUES ('items', {row}.item_id);"
                name = f"watch_{table}_{event}"
                self.connection.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {notes} END")

    def _changed(self) -> Changed:
        changed = Changed()
        for book, key in self.connection.execute("SELECT book, key FROM changed").fetchall():
            (changed.items if book == "items" else changed.books[book]).add(key)
        return changed

    def _new_id(self, uri: str, content_hash: bytes) -> int:
        """Return the id of a new item: that of its uri, or for a text of its content, unless it is taken."""
        name = uri if self.kind == "photo" else f"text:{content_hash.hex()}"
        attempt = 0
        while self.connection.execute(
            "SELECT 1 FROM items WHERE id = ?", (item_id_of(name, attempt),)
        ).fetchone():
            attempt += 1
        return item_id_of(name, attempt)
