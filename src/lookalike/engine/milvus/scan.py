"""A walk over the user's files, held against what a collection in Milvus knows of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lookalike.engine.milvus.conditions import below, one_of, quoted
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.items import pages_of
from lookalike.engine.milvus.layout import vectors_name
from lookalike.engine.milvus.scratch import Changed, Scratch
from lookalike.records import FileStamp, FoundFile, Space
from lookalike.sources.remote.addresses import is_container
from lookalike.store.scan import Scan
from lookalike.store.text_scan import TextScan

_FIELDS = ["id", "uri", "sha256", "size", "mtime_ns"]
_PAGE = 8_000
_ASKED = 500


class MilvusScan(Scan):
    """Photos: what is known of the files that were found, and of all below folders that are asked about."""

    def __init__(self, engine: MilvusEngine, space: Space, reader: str) -> None:
        self._scratch = Scratch([space], "photo", _nothing)
        super().__init__(self._scratch.connection, space, reader)
        self._engine = engine
        self._name = vectors_name(engine.address.name, space.id)
        self._below: set[str] = set()
        engine.connection.query(
            self._name, "id == 0", ["id"], strong=True
        )  # from here on, all that was written

    def record(self, files: Sequence[FoundFile]) -> None:
        """Note files that the walk came across, and what is known of them."""
        super().record(files)
        uris = [file.uri for file in files if not file.is_left_out]
        for at in range(0, len(uris), _ASKED):
            some = one_of("uri", uris[at : at + _ASKED])
            self._put(self._engine.connection.query(self._name, some, _FIELDS))
            for entry in self._engine.books.by_uri("skipped", uris[at : at + _ASKED]):
                self._scratch.put_entry(entry)
        for uri in filter(is_container, uris):
            self._look_inside(uri)

    def vanished(self, root: str) -> list[tuple[int, str]]:
        """Return id and uri of items at or below `root` that the walk did not find."""
        self._look_below([root])
        return super().vanished(root)

    def left_out(self, root: str) -> list[tuple[int, str]]:
        """Return id and uri of items at or below what was left out below `root`."""
        self._look_below([root])
        return super().left_out(root)

    def below(self, roots: Sequence[str]) -> set[int]:
        """Return the ids of all items at or below any of `roots`."""
        self._look_below(roots)
        return super().below(roots)

    def refused(self, root: str) -> list[tuple[int, str, FileStamp]]:
        """Return those items below `root` whose file lastingly holds no photo."""
        self._look_below([root])
        return super().refused(root)

    def outdated_skips(self, roots: Sequence[str]) -> list[str]:
        """Return the uris on record as skipped that are unchanged items again, or gone from below `roots`."""
        for root in roots:
            for page in self._engine.books.pages("skipped", below(root)):
                for entry in page:
                    self._scratch.put_entry(entry)
        return super().outdated_skips(roots)

    def close(self) -> None:
        """Forget the walk."""
        self._scratch.close()

    def _look_inside(self, shard: str) -> None:
        """Bring in what is known of a shard and of what came of it."""
        inside = f"uri > {quoted(f'{shard}#')} and uri < {quoted(f'{shard}$')}"
        for page in pages_of(self._engine.connection, self._name, inside, _FIELDS, _PAGE):
            self._put(page)
        for entry in self._engine.books.by_uri("text_files", [shard]):
            self._scratch.put_entry(entry)
        for entries in self._engine.books.pages("skipped", inside):
            for entry in entries:
                self._scratch.put_entry(entry)

    def _look_below(self, roots: Iterable[str]) -> None:
        for root in roots:
            if root not in self._below:
                for page in pages_of(self._engine.connection, self._name, below(root), _FIELDS, _PAGE):
                    self._put(page)
                self._below.add(root)

    def _put(self, rows: Sequence[dict[str, object]]) -> None:
        cells = (
            (row["id"], row["uri"], bytes.fromhex(str(row["sha256"])), row["size"], row["mtime_ns"])
            for row in rows
        )
        self._connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, '{}', 0)", cells)
        sql = f"INSERT OR REPLACE INTO vectors_{self._space.id} VALUES (?, 0, 0, x'')"
        self._connection.executemany(sql, ((row["id"],) for row in rows))


class MilvusTextScan(TextScan):
    """Texts: held against the mirror of the run, whose connection is given back as it was."""

    def __init__(self, connection: sqlite3.Connection, space: Space, reader: str) -> None:
        _forget_walk(connection)
        super().__init__(connection, space, reader)

    def close(self) -> None:
        """Forget the walk."""
        _forget_walk(self._connection)


def _forget_walk(connection: sqlite3.Connection) -> None:
    for table in ("found", "seen"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _nothing(_: Scratch, __: Changed) -> None:
    """Take what is written to the scratch store of a walk: nothing is."""
