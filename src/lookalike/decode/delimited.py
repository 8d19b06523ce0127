"""Rows of delimited lines, with the quirks of those who write them: quotes, escapes, cells too many."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from lookalike.decode.columns import LONGEST_VALUE, MOST_COLUMNS, choose, names_of, too_many
from lookalike.decode.encodings import DAMAGED, mend_line
from lookalike.errors import QueryError, UsageError
from lookalike.records import MetadataValue

DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_SAMPLED = 200  # lines that show whether \" stands for a quote
_LONGEST_SAMPLE = 64 << 10  # letters
_QUOTE = "\ue0ff"  # stands for an escaped quote, in a private area that nobody writes
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_MOST_REREAD = 64 << 20  # letters of lines that are read anew, after quotes that nothing closes
_NEEDS_QUOTES = "a cell with the delimiter in it needs quotes"
STRAY_QUOTE = "a quote that nothing closes, taken for a letter"
JOINED = "more cells than the header has, taken for one text with the delimiter in it"


@dataclass(slots=True)
class DelimitedReader:
    """Reads the rows of `lines`; `on_damage(row, reason)` hears of those left out.

    `on_remark(what, row)` hears of what is odd about others, row None standing for the header.

    `column` is where the texts are, `delimiter` what parts the cells (None: what the header has most of).
    `limits` has the encoding, to be named, and how many letters a cell may have.
    """

    lines: Iterable[str]
    column: str | None
    delimiter: str | None
    limits: tuple[str, int]
    on_damage: Callable[[int, str], None]
    on_remark: Callable[[str, int | None], None]
    _lines: Iterator[str] = field(default_factory=lambda: iter(()))
    _reader: Iterator[list[str]] = field(default_factory=lambda: iter(()))
    _read: list[str] = field(default_factory=list)  # the lines of the row at hand
    _marks: list[str] = field(default_factory=list)  # what was mended in them
    _escapes: bool = False
    _header: list[str] = field(default_factory=list)
    _at: int = 0
    _reread: int = 0

    def rows(self) -> Iterator[tuple[int, str, dict[str, MetadataValue]]]:
        """Yield number, text and other columns of each row; raises `QueryError`, `UsageError`."""
        csv.field_size_limit(self.limits[1])
        self._begin(iter(self.lines))
        others, width, at, number = self._others(), len(self._header), self._at, 0
        while True:
            number += 1
            self._read.clear()
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                row = self._unclosed(number, str(error))
            else:
                if not row:
                    number -= 1  # a blank line is no row
                    continue
                if len(row) != width or len(self._read) > 1 or "\\" in row[at]:
                    row = self._mended(row, number)
            for what in self._marks:
                self.on_remark(what, number)
            self._marks.clear()
            if not row:
                continue
            if self._escapes:
                row = [cell.replace(_QUOTE, '"') for cell in row]
            facts: dict[str, MetadataValue] = {
                name: row[place][:LONGEST_VALUE] for place, name in others if row[place]
            }
            yield number, row[at], facts

    def _begin(self, lines: Iterator[str]) -> None:
        """Read the header."""
        lines = self._sampled(lines)
        first = next((line for line in lines if line.strip("\ufeff \t\r\n")), None)
        told = None if first is None else re.fullmatch(r'"?sep=(.)"?[;,]*', first.strip("\ufeff\r\n"))
        if told:  # as Excel begins its tables
            self.delimiter = self.delimiter or told[1]
            first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise QueryError("an empty table: it has no header")
        first = first.lstrip("\ufeff")
        self.delimiter = self.delimiter or _delimiter(first)
        self._read_on(chain([first], lines))
        self._header = [name.strip().replace(_QUOTE, '"') for name in next(self._reader)]
        while len(self._header) > 1 and not self._header[-1]:  # as Excel writes empty columns
            self._header.pop()
        self._at = self._header.index(choose(self._header, self.column))
        for what in filter(None, (too_many(self._header), *self._marks)):
            self.on_remark(what, None)
        self._marks.clear()

    def _others(self) -> list[tuple[int, str]]:
        """Return place and name of the columns that are kept beside the text."""
        names = enumerate(names_of(tuple(self._header)))
        return [each for each in islice(names, MOST_COLUMNS) if each[0] != self._at]

    def _sampled(self, lines: Iterator[str]) -> Iterator[str]:
        """Look whether a backslash makes a quote a letter in the first lines, and return all lines."""
        sample: list[str] = []
        size = 0
        try:
            while (
                size < _LONGEST_SAMPLE and len(sample) < _SAMPLED and (line := next(lines, None)) is not None
            ):
                sample.append(line)
                size += len(line)
        except QueryError as error:  # it must not cost the rows before it
            lines = _raising(error)
        ends = re.escape(self.delimiter or ",;|")
        self._escapes = re.search(rf'\\"[^"\s{ends}]', "".join(sample)) is not None
        return chain(sample, lines)

    def _kept(self, lines: Iterator[str]) -> Iterator[str]:
        """Pass lines on, and keep those of a row."""
        read, escapes = self._read, self._escapes
        for line in lines:
            if "\0" in line or DAMAGED in line:
                line = mend_line(line, self.limits[0], self._marks)  # noqa: PLW2901
            read.append(line)
            yield _escaped(line) if escapes and "\\" in line else line

    def _read_on(self, lines: Iterator[str]) -> None:
        self._lines, self._read = lines, []
        self._reader = csv.reader(self._kept(lines), delimiter=self.delimiter or ",")

    def _mended(self, row: list[str], number: int) -> list[str]:
        """Return a row with a cell for each column, or nothing where it is damaged."""
        read, width = self._read, len(self._header)
        if not self._escapes and any('\\"' in line for line in read):
            cells, problem = self._strict(map(_escaped, read))
            if not problem and len(cells) == width and (len(row) != width or self._strict(read)[1]):
                return [cell.replace(_QUOTE, '"') for cell in cells]
        if len(read) > 1:
            problem = self._strict(_escaped(line) if self._escapes else line for line in read)[1]
            if "unexpected end" in problem:
                return self._unclosed(number, f"a quote that nothing closes, {len(read):,} lines long")
            if problem and all(len(self._cells(line)) == width for line in read[1:]):
                return self._unclosed(number, f"a quote that another row closes, {len(read):,} lines on")
        if len(row) > width and any(map(str.strip, row[width:])):
            if self._at < width - 1:
                self.on_damage(number, f"{len(row):,} cells where the header has {width:,}; {_NEEDS_QUOTES}")
                return []
            self.on_remark(JOINED, number)
            return [*row[: self._at], (self.delimiter or ",").join(row[self._at :])]
        return (row + [""] * (width - len(row)))[:width]

    def _unclosed(self, number: int, problem: str) -> list[str]:
        """Return the row of a first line, if its quote may be a letter; what that swallowed is read anew."""
        read, delimiter = self._read, self.delimiter or ","
        self._reread += sum(map(len, read[1:]))
        if len(read) < 2 or self._reread > _MOST_REREAD:
            self.on_damage(number, problem)
            return []
        plain = next(csv.reader(read[:1], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
        if len(plain) == len(self._header):
            self.on_remark(STRAY_QUOTE, number)
        else:
            self.on_damage(number, problem)
            plain = []
        self._read_on(chain(read[1:], self._lines))
        return plain

    def _cells(self, line: str) -> list[str]:
        """Return the cells of one line."""
        return next(csv.reader([line], delimiter=self.delimiter or ","), [])

    def _strict(self, lines: Iterable[str]) -> tuple[list[str], str]:
        """Return the cells of a row, and what is wrong with it by the letter."""
        try:
            return next(csv.reader(lines, delimiter=self.delimiter or ",", strict=True), []), ""
        except csv.Error as error:
            return [], str(error)


def _raising(error: QueryError) -> Iterator[str]:
    yield from ()
    raise error


def check_delimiter(text: str) -> str:
    """Return the letter that parts cells, given as such or by its name; raises `UsageError`."""
    letter = DELIMITERS.get(text.lower(), text)
    if len(letter) != 1 or letter in '"\r\n\0' or letter.isalnum():
        names = ", ".join(name for name in DELIMITERS if name.isalpha())
        raise UsageError(f"a delimiter is one sign such as ; or one of {names}; got {text!r}")
    return letter


def _escaped(line: str) -> str:
    return _BACKSLASH.sub(lambda pair: _QUOTE if pair[1] == '"' else pair[0], line)


def _delimiter(header: str) -> str:
    """Return the delimiter that a header has most of; a comma where it has none."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=outside.count)
