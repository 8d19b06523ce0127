"""Rows of CSV, TSV, JSONL and Parquet files, one at a time, whatever their encoding and quirks."""

from __future__ import annotations

import codecs
import csv
import difflib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from lookalike.errors import MissingExtraError, QueryError, UsageError
from lookalike.files import check_file, open_bytes, open_text
from lookalike.records import MetadataValue

MAX_FIELD = 16 << 20  # letters; longer ones are most likely a quote that was never closed
_MOST_COLUMNS = 32
_LONGEST_VALUE = 200
_SAMPLE = 64 << 10  # bytes that tell how a header is encoded
_RESERVED = {"id", "uri", "folder"}
_USUAL = ("text", "texts", "sentence", "content", "body", "title")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(slots=True)
class TableFile:
    """A file with rows; after `rows` was read, `damaged` tells the rows that could not be read.

    `encoding` is found out where it is not given.
    """

    path: str
    column: str | None
    damaged: list[str] = field(default_factory=list)
    encoding: str = ""

    def check_column(self) -> None:
        """Look for the column in the beginning of the file; raises what `rows` does."""
        beginning = replace(self, encoding=encoding_of(self.path, _SAMPLE))
        next(iter(beginning.rows()), None)

    def rows(self) -> Iterator[tuple[int, str, dict[str, MetadataValue]]]:
        """Yield the number of each data row, from 1, its text, and its other columns.

        Raises `UsageError` where the column is not there, `QueryError` for what is no such file,
        `MissingExtraError`, `OSError`.
        """
        suffix = Path(self.path).suffix.lower()
        if suffix == ".parquet":
            yield from self._parquet()
        elif suffix in (".jsonl", ".ndjson"):
            yield from self._json_lines()
        else:
            yield from self._delimited("\t" if suffix == ".tsv" else None)

    def _delimited(self, delimiter: str | None) -> Iterator[tuple[int, str, dict[str, MetadataValue]]]:
        with self._opened() as file:
            csv.field_size_limit(MAX_FIELD)
            lines = (line.replace("\0", "") for line in file)
            header_line = next((line for line in lines if line.strip()), None)
            if header_line is None:
                raise QueryError("an empty table: it has no header")
            delimiter = delimiter or _delimiter(header_line)
            read: list[str] = []  # the lines of one row
            reader = csv.reader(_kept(itertools.chain([header_line], lines), read), delimiter=delimiter)
            header = [name.strip() for name in next(reader)]
            wanted = _choose(header, self.column)
            at = header.index(wanted)
            names = _names(header)
            number = 0
            while True:
                number += 1
                read.clear()
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    self.damaged.append(f"row {number}: {error}")
                    continue
                if len(read) > 1 and _is_open(read, delimiter):
                    self.damaged.append(
                        f"row {number}: a quote that nothing closes, {len(read):,} lines long"
                    )
                    continue
                if not row:
                    number -= 1  # a blank line is no row
                    continue
                others: dict[str, MetadataValue] = {
                    names[i]: value[:_LONGEST_VALUE]
                    for i, value in enumerate(row[:_MOST_COLUMNS])
                    if i != at and i < len(names) and value
                }
                yield number, row[at] if at < len(row) else "", others

    def _json_lines(self) -> Iterator[tuple[int, str, dict[str, MetadataValue]]]:
        with self._opened() as file:
            number = 0
            for line in file:
                if not line.strip():
                    continue
                number += 1
                if len(line) > MAX_FIELD:
                    self.damaged.append(f"row {number}: longer than {MAX_FIELD >> 20} MiB")
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if number == 1:
                        raise QueryError(f"not JSON lines: the first line is no JSON ({error})") from error
                    self.damaged.append(f"row {number}: no JSON")
                    continue
                if isinstance(row, str) and self.column is None:
                    yield number, row, {}
                    continue
                if not isinstance(row, dict):
                    self.damaged.append(f"row {number}: no JSON object")
                    continue
                if self.column is None or (number == 1 and _deep(row, self.column) is None):
                    self.column = _choose(list(row), self.column)
                value = _deep(row, self.column)
                text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
                yield number, text, _others(row, self.column)

    def _parquet(self) -> Iterator[tuple[int, str, dict[str, MetadataValue]]]:
        try:
            from pyarrow import parquet  # an optional package
        except ImportError:
            raise MissingExtraError("reading Parquet files", "parquet") from None
        check_file(self.path)
        try:
            with parquet.ParquetFile(self.path) as file:
                wanted = _choose(file.schema_arrow.names, self.column)
                number = 0
                for batch in file.iter_batches(batch_size=1024):
                    for row in batch.to_pylist():
                        number += 1
                        value = row[wanted]
                        text = value if isinstance(value, str) else "" if value is None else str(value)
                        yield number, text, _others(row, wanted)
        except (OSError, UsageError):
            raise
        except Exception as error:  # Arrow has its own tree of errors
            raise QueryError(f"not a Parquet file that can be read: {str(error).splitlines()[0]}") from error

    def _opened(self) -> TextIO:
        self.encoding = self.encoding or encoding_of(self.path)
        return open_text(self.path, self.encoding, "replace", newline="")


def encoding_of(path: str, limit: int | None = None) -> str:
    """Return how a text file is encoded: by its byte-order mark; UTF-8 where all of it is; else cp1252.

    With `limit`, only so many bytes are looked at.
    """
    with open_bytes(path) as file:
        start = file.read(4)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            if limit is not None:
                decoder.decode(file.read(limit))
                return "utf-8"
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _kept(lines: Iterator[str], read: list[str]) -> Iterator[str]:
    """Pass lines on, and put them into `read`."""
    for line in lines:
        read.append(line)
        yield line


def _is_open(lines: list[str], delimiter: str) -> bool:
    """Return whether a row of several lines ends inside a quote."""
    try:
        next(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _delimiter(header: str) -> str:
    """Return the delimiter that a header has most of; a comma where it has none."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=outside.count)


def _choose(names: list[str], wanted: str | None) -> str:
    """Return the column that is wanted; raises `UsageError` where that is none of `names`."""
    shown = ", ".join(names[:20]) or "none"
    if wanted is None:
        usual = [name for name in _USUAL if name in names]
        if usual or len(names) == 1:
            return usual[0] if usual else names[0]
        raise UsageError(f"which column holds the texts? it has {shown}; say so with --column NAME")
    if wanted in names:
        return wanted
    alike = [name for name in names if name.lower() == wanted.lower()]
    alike = alike or difflib.get_close_matches(wanted, names, 1)
    hint = f"; did you mean {alike[0]}?" if alike else ""
    raise UsageError(f"no column {wanted!r}: it has {shown}{hint}")


def _names(header: list[str]) -> list[str]:
    """Return names for conditions: letters, digits and _, no two alike, none of an item's own."""
    made: list[str] = []
    for at, name in enumerate(header):
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or f"column_{at + 1}"
        while plain in _RESERVED or plain in made:
            plain += "_"
        made.append(plain)
    return made


def _deep(row: Mapping[str, Any], column: str) -> Any:
    """Return a value by its key, or by a path of keys with dots."""
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _others(row: Mapping[str, Any], column: str) -> dict[str, MetadataValue]:
    """Return the plain values of the other columns."""
    keys = list(row)[:_MOST_COLUMNS]
    found: dict[str, MetadataValue] = {}
    for key, name in zip(keys, _names([str(key) for key in keys]), strict=True):
        value = row[key]
        if key == column or value is None or isinstance(value, dict | list):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        is_number = isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 63)
        found[name] = value if is_number else str(value)[:_LONGEST_VALUE]
    return found
