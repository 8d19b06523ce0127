"""The columns that texts in Milvus come with, for conditions that nothing meets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from lookalike.store import text_columns
from lookalike.store.filters import Filter


def check_columns(pages: Iterable[list[dict[str, Any]]], filters: Sequence[Filter]) -> None:
    """Raise `UsageError` for a condition on a column that no text has, with those that there are."""
    connection = sqlite3.connect("")  # a temporary file: there may be many
    try:
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, metadata TEXT)")
        for page in pages:
            connection.executemany("INSERT INTO items VALUES (:id, :metadata)", page)
        text_columns.check_columns(connection, filters)
    finally:
        connection.close()
