"""Rows of JSON: one object a line, or one array of them that is read a piece at a time."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lookalike.errors import QueryError

_PIECE = 256 << 10  # letters
_GAP = re.compile(r"[ \t\r\n]*(,?)[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class NoJson(Exception):  # noqa: N818  # a row of the table, no error of ours
    """A row that is no JSON, or longer than is read; says why."""


def values_of_lines(lines: Iterable[str], longest: int) -> Iterator[Any]:
    """Yield the value of each line that is not blank, or `NoJson`."""
    for line in lines:
        if not line.strip():
            continue
        if len(line) > longest:
            yield NoJson(f"longer than {longest >> 20} MiB")
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield NoJson("no JSON")


def begins_array(file: io.TextIOWrapper) -> bool:
    """Tell an array from lines by the first letter that is not blank; what was read is gone."""
    first = ""
    while not first and (piece := file.read(1024)):
        first = piece.lstrip(" \t\r\n\ufeff")[:1]
    return first == "["


def values_of_array(file: io.TextIOWrapper, longest: int) -> Iterator[Any]:
    """Yield the values of an array, of which none may be longer than `longest` letters.

    Raises `QueryError` where it is damaged: what follows cannot be told apart.
    """
    text = ""
    while not text and (piece := file.read(_PIECE)):
        text = piece.lstrip(" \t\r\n\ufeff")
    at, number, is_first = 1, 1, True  # after the [
    while True:
        while (gap := _GAP.match(text, at)) and gap.end() == len(text) and (more := file.read(_PIECE)):
            text, at = text[at:] + more, 0
        assert gap is not None  # it matches anything
        at = gap.end()
        if text[at : at + 1] == "]" and not gap[1]:
            return
        if at == len(text):
            raise QueryError(f"its array ends in the middle, after {number - 1:,} rows")
        if bool(gap[1]) == is_first:
            raise QueryError(f"its array is damaged after {number - 1:,} rows, at {text[at : at + 20]!r}")
        value, text, at = _next(file, text, at, longest, number)
        yield value
        number, is_first = number + 1, False


def _next(file: io.TextIOWrapper, text: str, at: int, longest: int, number: int) -> tuple[Any, str, int]:
    """Return the value at a place, and the text and place after it, reading on as far as it takes."""
    piece, problem = _PIECE, ""
    while True:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            end, problem = 0, str(error)  # the error itself would keep the text
        if 0 < end < len(text):
            return value, text, end
        more = file.read(piece)  # a number may go on, too
        if not more and end:
            return value, text, end
        if not more or len(text) - at > longest:
            reason = f"longer than {longest >> 20} MiB" if more else f"no JSON ({problem[:80]})"
            raise QueryError(f"row {number:,} of its array is {reason}: what follows cannot be read")
        text, at = text[at:] + more, 0
        piece = len(text)  # twice as much each time, so that a long one is not read over and over
