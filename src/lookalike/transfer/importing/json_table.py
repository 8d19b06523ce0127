"""JSON files that hold one object with a table in it: columns, or a data set with its samples.

Arrays of records, and a record a line, are read as all tables are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lookalike.decode.columns import as_text, choose, facts_of
from lookalike.errors import UsageError
from lookalike.files import open_bytes, open_text
from lookalike.records import Kind
from lookalike.transfer.importing.names import Entry

_MOST_BYTES = 1 << 30  # such a file is read as a whole
_LONGEST_LINE = 64 << 20

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonRows:
    """A column of a JSON file; the plain values of the others become metadata."""

    path: Path
    column: str | None

    def entries(self, kind: Kind) -> Iterator[Entry]:  # noqa: ARG002  # texts and names look alike here
        """See `Entries`; raises `UsageError` where the file or the column is not there."""
        rows = json_rows(self.path)
        column = choose(columns_of(rows), self.column)
        for row in rows:
            value = row.get(column)
            yield Entry(None if value is None else as_text(value), facts_of(row, column))


def is_json_object(path: Path) -> bool:
    """Whether a file is one JSON object, neither an array nor a record a line."""
    if path.suffix.lower() != ".json":
        return False
    with open_text(path, "utf-8-sig", "replace") as file:
        first = file.readline(_LONGEST_LINE).strip()
        if not first.startswith("{"):
            return False
        try:
            json.loads(first)
        except (ValueError, RecursionError):
            return True
        return not file.read(_LONGEST_LINE).strip()


def json_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON file; raises `UsageError` for any other.

    That is an object of which one value is a list of objects, such as `{"samples": […]}`; or one of columns,
    each a list or an object by row, as pandas writes them.
    """
    facts = path.stat()
    if facts.st_size > _MOST_BYTES:
        raise UsageError(
            f"{path} has {facts.st_size:,} bytes; write so many as JSON lines (.jsonl) or Parquet"
        )
    return _read(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(1)  # it is read for its vectors, and for what they stand for
def _read(path: Path, _changed: int, _size: int) -> list[Row]:
    try:
        with open_bytes(path) as file:
            content = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {os.fspath(str(error))[:200]}") from error
    rows = _as_rows(content)
    if not rows:
        raise UsageError(f"{path} holds no table: expected a list of objects with their vectors")
    return rows


def columns_of(rows: list[Row]) -> list[str]:
    """Return the names of the columns of all rows, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _as_rows(content: Any) -> list[Row]:
    if isinstance(content, list) and all(isinstance(each, dict) for each in content):
        return content
    if not isinstance(content, dict):
        return []
    lists = [each for each in content.values() if isinstance(each, list) and each and _as_rows(each)]
    if len(lists) == 1:
        return _as_rows(lists[0])
    columns = {name: _as_column(each) for name, each in content.items()}
    sizes = {None if each is None else len(each) for each in columns.values()}
    if len(sizes) != 1 or sizes == {None}:
        return []
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _as_column(values: Any) -> list[Any] | None:
    if isinstance(values, dict) and all(key.isdecimal() for key in values):
        return list(values.values())
    return values if isinstance(values, list) else None
