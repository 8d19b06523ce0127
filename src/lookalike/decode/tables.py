"""Rows of CSV, TSV, JSON and Parquet files, one at a time, whatever their encoding and quirks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lookalike import files
from lookalike.decode.columns import SURROGATE, as_text, choose, facts_of, paths_of, too_many, value_at
from lookalike.decode.delimited import DelimitedReader, check_delimiter
from lookalike.decode.encodings import (
    DAMAGED,
    SAMPLE,
    Encoding,
    check_encoding,
    damage_of,
    find_encoding,
    guess_of,
    mend_line,
    open_text,
)
from lookalike.decode.json_rows import NoJson, begins_array, values_of_array, values_of_lines
from lookalike.decode.packed import LONGEST_LINE, plain_name
from lookalike.decode.parquet_rows import parquet_rows
from lookalike.decode.remarks import Remarks
from lookalike.errors import QueryError, UsageError
from lookalike.records import MetadataValue

HALF_A_LETTER = "halves of letters (surrogates without their pair), read as \ufffd"
MAX_FIELD = 16 << 20  # letters; longer ones are most likely a quote that was never closed
_Row = tuple[int, str, dict[str, MetadataValue]]
_MAGIC = (
    (b"PK\x03\x04", "an Excel file or another archive; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as CSV"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3\0", "a database"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)


_AUTO = "auto"


@dataclass(frozen=True, slots=True)
class ReadAs:
    """What is known beforehand of files of texts: their encoding, and what parts the cells of a table.

    Both are as users name them, "auto" for what is to be found out though it was said before; raises
    `UsageError` for what is neither.
    """

    encoding: str | None = None
    delimiter: str | None = None

    def __post_init__(self) -> None:
        if self.encoding not in (None, _AUTO):
            object.__setattr__(self, "encoding", check_encoding(self.encoding))
        if self.delimiter not in (None, _AUTO):
            object.__setattr__(self, "delimiter", check_delimiter(self.delimiter))

    @classmethod
    def noted_in(cls, note: str) -> ReadAs:
        """Return what `note` wrote down; nothing for anything else."""
        try:
            return cls(**json.loads(note))
        except (ValueError, TypeError, UsageError):
            return AS_FOUND

    def note(self) -> str:
        """Return it as a text to keep, empty where nothing is known."""
        known = {"encoding": self.encoding, "delimiter": self.delimiter}
        known = {name: said for name, said in known.items() if said not in (None, _AUTO)}
        return json.dumps(known) if known else ""

    def after(self, before: ReadAs) -> ReadAs:
        """Return what holds for a file of which `before` was said earlier: what is not said anew stays."""

        def chosen(now: str | None, then: str | None) -> str | None:
            return None if now == _AUTO else now or then

        return ReadAs(chosen(self.encoding, before.encoding), chosen(self.delimiter, before.delimiter))


AS_FOUND = ReadAs()
"""Nothing is known."""


@dataclass(slots=True)
class TableFile:
    """A file with rows; after `rows` was read, `damaged` tells the rows that could not be read.

    `remarks` has what else was noticed, at rows as `uri#12` (`uri` is the path where it is not given).
    """

    path: str
    column: str | None
    damaged: list[str] = field(default_factory=list)
    encoding: str = ""
    read_as: ReadAs = AS_FOUND
    uri: str = ""
    remarks: Remarks = field(default_factory=Remarks)
    _limit: int | None = None
    _marks: list[str] = field(default_factory=list)  # what was noticed in the lines of the row at hand

    def check_column(self) -> None:
        """Look for the column in the beginning of the file; raises what `rows` does."""
        beginning = replace(self, remarks=Remarks(), damaged=[], _marks=[], _limit=SAMPLE)
        next(iter(beginning.rows()), None)

    def rows(self) -> Iterator[_Row]:
        """Yield the number of each data row, from 1, its text, and its other columns.

        Raises `UsageError` where the column is not there, `QueryError` for what is no such file,
        `MissingExtraError`, `OSError`.
        """
        suffix = Path(plain_name(self.path)).suffix.lower()
        if suffix == ".parquet":
            return self._parquet()
        encoding = self._encoding()
        if suffix in (".jsonl", ".ndjson"):
            return self._json(encoding, is_array=False)
        if suffix == ".json":
            with open_text(self.path, encoding) as file:
                is_array = begins_array(file)
            return self._json(encoding, is_array=is_array)
        return self._delimited(encoding, "\t" if suffix == ".tsv" else None)

    def _delimited(self, encoding: Encoding, delimiter: str | None) -> Iterator[_Row]:
        with open_text(self.path, encoding, longest_line=LONGEST_LINE) as file:
            reader = DelimitedReader(
                file,
                self.column,
                self.read_as.delimiter or delimiter,
                (encoding.name, MAX_FIELD),
                lambda number, reason: self.damaged.append(f"row {number}: {reason}"),
                self._remark,
            )
            yield from reader.rows()

    def _json(self, encoding: Encoding, *, is_array: bool) -> Iterator[_Row]:
        with open_text(self.path, encoding, longest_line=None if is_array else LONGEST_LINE) as file:
            if is_array:
                values = values_of_array(file, MAX_FIELD)
            else:
                values = values_of_lines(self._watched(file), MAX_FIELD)
            for number, value in enumerate(values, 1):
                if isinstance(value, NoJson) and number == 1:
                    raise QueryError(f"no array of JSON, and not JSON lines: its first line is {value}")
                for what in self._marks:
                    self._remark(what, number)
                self._marks.clear()
                if isinstance(value, str) and self.column is None:
                    yield number, self._mended(value, number), {}
                elif isinstance(value, dict):
                    yield self._record(number, value)
                else:
                    problem = str(value) if isinstance(value, NoJson) else "no JSON object"
                    self.damaged.append(f"row {number}: {problem}")

    def _record(self, number: int, row: dict[str, Any]) -> _Row:
        if self.column is None or (number == 1 and value_at(row, self.column) is None):
            self.column = choose(list(row) if self.column is None else paths_of(row), self.column)
        if more := too_many(list(row)):
            self._remark(more, number)
        return number, self._mended(as_text(value_at(row, self.column)), number), facts_of(row, self.column)

    def _parquet(self) -> Iterator[_Row]:
        for number, (column, row) in enumerate(parquet_rows(self.path, self.column), 1):
            value = value_at(row, column)
            text = as_text(value)
            if isinstance(value, bytes) and "\ufffd" in text and "\ufffd".encode() not in value:
                self._remark(damage_of("utf-8"), number)
            if number == 1 and (more := too_many(list(row))):
                self._remark(more, None)
            yield number, text, facts_of(row, column)

    def _encoding(self) -> Encoding:
        """Find out how the file is encoded, and say so where it is a guess."""
        with files.open_bytes(self.path) as file:
            start = file.read(16)
        for magic, what in _MAGIC:
            if start.startswith(magic):
                raise QueryError(f"no table but {what}")
        encoding = find_encoding(self.path, self.read_as.encoding, limit=self._limit)
        self.encoding = encoding.name
        if encoding.is_guess:
            self._remark(guess_of(encoding.name), None)
        return encoding

    def _watched(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass lines on without zero bytes and unreadable ones, and keep what there was of them."""
        for line in lines:
            if "\0" in line or DAMAGED in line:
                yield mend_line(line, self.encoding, self._marks)
            else:
                yield line

    def _mended(self, text: str, number: int) -> str:
        """Return a text of JSON; in arrays, which are not read by lines, damage is seen only here."""
        if text.isascii() or not SURROGATE.search(text):
            return text
        self._remark(damage_of(self.encoding) if DAMAGED in text else HALF_A_LETTER, number)
        return SURROGATE.sub("\ufffd", text)

    def _remark(self, what: str, number: int | None) -> None:
        place = self.uri or self.path
        self.remarks.note(what, [place if number is None else f"{place}#{number}"])
