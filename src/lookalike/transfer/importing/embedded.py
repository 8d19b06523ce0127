"""What `lookalike embed` wrote, opened and checked as a whole; its items and skipped inputs, each once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from lookalike.cluster.layout import (
    FACTS_FILE,
    EmbeddedSpace,
    Facts,
    Run,
    last_run,
    noted_files,
    read_facts,
    shard_names,
)
from lookalike.cluster.place import Place, address_of, is_remote, place_at
from lookalike.cluster.shards import COMPANION, VECTOR, items_of, read_shard, skipped_rows, vectors_of
from lookalike.embedders import EmbedderSpec
from lookalike.errors import DamagedError, NotFoundError
from lookalike.records import OnStep, Skipped, View
from lookalike.store.text_commit import TextFileRead
from lookalike.store.text_rows import file_of

_OF_ITEMS = ("uri", "sha256", "size", "mtime_ns", "metadata", "text", VECTOR, COMPANION)
_TOLERANCE = 1e-3  # of squared lengths, for what other machines round otherwise
_INDEX = """
    CREATE TABLE page (uri TEXT PRIMARY KEY, row INTEGER, is_skip INTEGER) WITHOUT ROWID;
    CREATE TABLE latest (uri TEXT, is_skip INTEGER, shard INTEGER, row INTEGER, PRIMARY KEY (uri, is_skip))
        WITHOUT ROWID;
    CREATE TABLE replaced (shard INTEGER, row INTEGER, PRIMARY KEY (shard, row)) WITHOUT ROWID;
"""


def is_embedded(path: Path) -> bool:
    """Whether a path, or an address that was made one, leads to what `lookalike embed` writes."""
    return is_remote(path) or (path / FACTS_FILE).is_file()


def open_embedded(out: Path | str, on_step: OnStep = lambda *_: None) -> Embedded:
    """Open what `lookalike embed` wrote in a folder or at an address, after reading and checking all of it.

    Raises `NotFoundError`, `DamagedError`, `StorageError`, `NewerFormatError`, `NotACollectionError`,
    `MissingExtraError`. `on_step("checking", done, total)` hears of shards.
    """
    place = place_at(address_of(out))
    facts = read_facts(place)
    if facts is None:
        raise NotFoundError(f"nothing that lookalike embed wrote lies at {place.address}")
    names = shard_names(place)
    files = noted_files(place) if facts.kind == "text" else {}
    embedded = Embedded(place, facts, tuple(names), _notes(place, len(names)), files)
    try:
        for done, name in enumerate(names):
            embedded.check(done, name)
            on_step("checking", done + 1, len(names))
    except BaseException:
        embedded.close()
        raise
    return embedded


def _notes(place: Place, shards: int) -> tuple[str, ...]:
    """Return what is to be said of how the last run ended; raises `DamagedError` where shards are missing."""
    found = last_run(place)
    if found is None or found[1].get("state") != "finished":
        return (f"the last lookalike embed into {place.address} did not end: run it again for the rest",)
    wanted = found[1].get("shards")
    if isinstance(wanted, int) and shards < wanted:
        raise DamagedError(
            f"{place.address} has {shards:,} of its {wanted:,} shards: run the same lookalike embed again"
        )
    return ()


@dataclass(slots=True)
class Embedded:
    """The items of an embedding as a stream of Arrow tables; use it as a context manager.

    Each photo or text comes once, as the last run that read it found it: columns `uri`, `sha256`, `size`,
    `mtime_ns`, `metadata` (canonical JSON), `text` where it is of texts, `vector` and, where `facts` have a
    second space, `companion` (which may be empty). Iterating again reads again.
    """

    place: Place
    facts: Facts
    shards: tuple[str, ...]
    notes: tuple[str, ...] = ()
    files: dict[str, tuple[TextFileRead, Run]] = field(default_factory=dict)
    """Of texts: the files that were read to their end, by uri, with the run that did."""
    _index: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect("", check_same_thread=False))

    def __post_init__(self) -> None:
        """Make the tables that tell which rows count."""
        self._index.executescript(_INDEX)

    def check(self, shard: int, name: str) -> None:
        """Read a shard whole, and note which rows of earlier ones do not count any more."""
        table = read_shard(self.place, name, self.facts)
        items = items_of(table)
        for column, space in ((VECTOR, self.facts.own), (COMPANION, self.facts.companion)):
            if space is not None:
                self._check_vectors(items, column, space, name)
        wanted = ["metadata", "sha256", "size", "mtime_ns", *["text"] * (self.facts.kind == "text")]
        for row in items.select(wanted).to_pylist():
            if not _is_sound(row):
                raise DamagedError(f"{self.place.address}/{name} holds an item whose facts do not fit it")
        reasons, uris, members = (table[name].to_pylist() for name in ("reason", "uri", "members"))
        outdated = self._outdated(table, name) if self.facts.kind == "text" else frozenset()
        with self._index:
            self._index.execute("DELETE FROM page")
            self._index.executemany(
                "INSERT INTO replaced VALUES (?, ?)", ((shard, row) for row in sorted(outdated))
            )
            rows = (
                (uri, row, reason is not None)
                for row, (uri, reason, holds) in enumerate(zip(uris, reasons, members, strict=True))
                if holds is None and row not in outdated
            )
            self._index.executemany("INSERT INTO page VALUES (?, ?, ?)", rows)
            known = "FROM latest JOIN page USING (uri) WHERE latest.is_skip OR NOT page.is_skip"
            self._index.execute(f"INSERT INTO replaced SELECT shard, latest.row {known}")
            self._index.execute(
                "DELETE FROM latest WHERE is_skip AND uri IN (SELECT uri FROM page WHERE NOT is_skip)"
            )
            sql = "INSERT OR REPLACE INTO latest SELECT uri, is_skip, ?, row FROM page"
            self._index.execute(sql, (shard,))

    def _outdated(self, table: Any, name: str) -> frozenset[int]:
        """Return the rows of texts whose file was read to its end in another state."""
        run, rows = Run.of(name), set()
        for row, (uri, version) in enumerate(
            zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True)
        ):
            noted = self.files.get(file_of(uri))
            if noted is None or version == noted[0].stamp.mtime_ns:
                continue
            if uri in self.files and run.name > noted[1].name:  # of a file that cannot be read any more
                continue
            rows.add(row)
        return frozenset(rows)

    def places_in(self, file: str) -> Iterator[str]:
        """Yield the places at which texts stand in a file."""
        sql = "SELECT uri FROM latest WHERE NOT is_skip AND uri > ? AND uri < ? ORDER BY uri"
        yield from (uri for (uri,) in self._index.execute(sql, (f"{file}#", f"{file}$")))

    def _check_vectors(self, items: Any, column: str, space: EmbeddedSpace, name: str) -> None:
        there = items.filter(items[column].is_valid())
        if column == VECTOR and len(there) != len(items):
            raise DamagedError(f"{self.place.address}/{name} holds an item without its vector")
        rows = vectors_of(there, column, space.dim)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", rows, rows)
        if not (np.abs(squares - 1) < _TOLERANCE).all():
            raise DamagedError(f"{self.place.address}/{name} holds a vector that is not of length 1")

    @property
    def items(self) -> int:
        """How many items there are."""
        return self._count("NOT is_skip")

    @property
    def skipped_count(self) -> int:
        """How many inputs were skipped."""
        return self._count("is_skip")

    def __iter__(self) -> Iterator[Any]:
        """Yield `pyarrow.Table`s of items, one for each shard that has any; raises as `open_embedded`."""
        for table in self.tables():
            items = items_of(table)
            if len(items):
                yield items.select([name for name in _OF_ITEMS if name in items.column_names])

    def tables(self) -> Iterator[Any]:
        """Yield the rows of shards that count, of items and of skipped inputs."""
        for shard, name in enumerate(self.shards):
            table = read_shard(self.place, name, self.facts)
            replaced = self._index.execute("SELECT row FROM replaced WHERE shard = ?", (shard,)).fetchall()
            if replaced:
                kept = np.ones(len(table), bool)
                kept[[row for (row,) in replaced]] = False
                table = table.take(np.flatnonzero(kept))
            yield table

    def skipped(self) -> Iterator[tuple[Skipped, str]]:
        """Yield what was skipped, with the version of what read it."""
        for table in self.tables():
            yield from skipped_rows(table)

    def spec(self) -> EmbedderSpec:
        """Return what made the vectors."""
        own = self.facts.own
        return EmbedderSpec(own.space, own.model_id, View(0), own.dim, self.facts.kind, own.model)

    def _count(self, condition: str) -> int:
        return int(self._index.execute(f"SELECT count(*) FROM latest WHERE {condition}").fetchone()[0])

    def close(self) -> None:
        """Let go of what tells which rows count."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_sound(row: dict[str, Any]) -> bool:
    """Whether a row of an item has all that an item has."""
    try:
        facts = json.loads(row["metadata"])
    except (TypeError, ValueError):
        return False
    if "text" in row and hashlib.sha256((row["text"] or "").encode()).digest() != row["sha256"]:
        return False
    return isinstance(facts, dict) and None not in (row["sha256"], row["size"], row["mtime_ns"])
