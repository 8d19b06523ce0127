"""The columns that texts come with, for conditions that nothing meets."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Sequence

from lookalike.errors import UsageError
from lookalike.store.filters import Filter

_OF_ALL_TEXTS = {"id", "uri", "folder"}
_MOST_NAMED = 30
_FIRST_ITEMS = 10_000  # in which columns are looked for to be named


def check_columns(connection: sqlite3.Connection, filters: Sequence[Filter]) -> None:
    """Raise `UsageError` for a condition on a column that no text has, with those that there are."""
    each = "json_each(iif(json_valid(metadata), metadata, '{}'))"
    sql = f"SELECT EXISTS (SELECT 1 FROM items, {each} WHERE key = ?)"
    for condition in filters:
        name = condition.field
        if name in _OF_ALL_TEXTS or connection.execute(sql, (name.removeprefix("."),)).fetchone()[0]:
            continue
        there = _columns(connection)
        near = difflib.get_close_matches(name, there, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        shown = ", ".join([*sorted(_OF_ALL_TEXTS), *there[:_MOST_NAMED]])
        raise UsageError(f"no text has a column {name!r}{hint}; there are {shown}")


def _columns(connection: sqlite3.Connection) -> list[str]:
    sql = (
        "SELECT DISTINCT key FROM (SELECT metadata FROM items ORDER BY id LIMIT ?), "
        "json_each(iif(json_valid(metadata), metadata, '{}')) ORDER BY key"
    )
    return [key for (key,) in connection.execute(sql, (_FIRST_ITEMS,)) if isinstance(key, str)]
