"""What the store holds of each file of texts, to be held against the file."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.store.database import Database
from lookalike.store.filters import in_file
from lookalike.store.rows import select


def text_files(database: Database) -> list[tuple[str, str | None, str]]:
    """Return uri, column and manner of the files that were read to their end."""
    sql = "SELECT uri, column_name, manner FROM text_files WHERE rows IS NOT NULL ORDER BY uri"
    return database.fetch(sql)


def count_in(database: Database, file: str) -> int:
    """How many places there are in a file."""
    where, values = in_file(file)
    return int(database.fetch(f"SELECT count(*) FROM places WHERE {where}", values)[0][0])


def contents_at(database: Database, uris: Sequence[str]) -> dict[str, bytes]:
    """Return the sha256 of the texts at those of the places that are known."""
    sql = "SELECT places.uri, content_hash FROM places JOIN items ON id = item_id WHERE places.uri IN"
    with database.reading() as connection:
        return dict(select(connection, sql, uris))


def count_skipped(database: Database, uris: Sequence[str]) -> int:
    """How many of the places are on record as skipped."""
    with database.reading() as connection:
        return len(select(connection, "SELECT uri FROM skipped WHERE uri IN", uris))
