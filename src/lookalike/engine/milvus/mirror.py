"""The texts of a whole collection, without their vectors, on this machine while files are read in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.items import pages_of
from lookalike.engine.milvus.layout import ITEM_FIELDS, books_name, vectors_name
from lookalike.engine.milvus.push import Pusher
from lookalike.engine.milvus.rows import decode, is_sound
from lookalike.engine.milvus.scratch import NOT_READ, Scratch
from lookalike.records import Space

_PAGE = 4_000
_MOST_IDS = 16_384
BOOKS = ("places", "text_files", "loose", "skipped")
"""The books that reading texts needs."""


class Mirror(Scratch):
    """Filled when it is made, kept in step by what is written to it.

    `is_astray` tells that something could not be put into Milvus, so that this is in step no more.
    """

    def __init__(self, engine: MilvusEngine, spaces: Sequence[Space], pusher: Pusher) -> None:
        super().__init__(spaces, "text", pusher.push)
        self.is_astray = False
        books = books_name(engine.address.name)
        # from here on, reads see all that was written
        engine.connection.query(books, 'key == ""', ["key"], strong=True)
        self.connection.execute("BEGIN")
        for space in spaces:
            self._fill(engine, space)
        for book in BOOKS:
            for page in engine.books.pages(book):
                for entry in page:
                    self.put_entry(entry)
        self.connection.execute("DELETE FROM changed")
        self.connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Change what is there; when the block ends, Milvus has it, or the block raises."""
        try:
            with super().writing() as connection:
                yield connection
        except BaseException:
            self.is_astray = True
            raise

    def forget_skips(self, uris: Sequence[str]) -> None:
        """Drop the record of inputs that were skipped, which Milvus has dropped already."""
        self.connection.executemany("DELETE FROM skipped WHERE uri = ?", ((uri,) for uri in uris))

    def _fill(self, engine: MilvusEngine, space: Space) -> None:
        name = vectors_name(engine.address.name, space.id)
        engine.connection.query(name, "id == 0", ["id"], strong=True)
        if space.is_default:
            for page in pages_of(engine.connection, name, "", ITEM_FIELDS, _PAGE):
                for row in page:
                    self.put_item(decode(row), {space.id: NOT_READ}, sound=is_sound(row, "text"))
            return
        for page in pages_of(engine.connection, name, "", ["id"], _MOST_IDS):
            sql = f"INSERT OR REPLACE INTO vectors_{space.id} VALUES (?, 0, 0, x'')"
            self.connection.executemany(sql, ((row["id"],) for row in page))
