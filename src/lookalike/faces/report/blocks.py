"""What a report is made of: texts, tables, plots and pictures, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lookalike.evaluate.intervals import Interval
from lookalike.faces.text import printable

Value = str | int | float | Interval | None
Mark = Literal["query", "right", "wrong", "best"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a row has a value for every column, numbers stand to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a `Scatter`; `size` is what its area shows, `is_best` joins it to the frontier."""

    x: float
    y: float
    size: float
    label: str
    group: str
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points of several groups, the best ones joined by a line; `alt` says what is to be seen."""

    title: str
    x_label: str
    y_label: str
    size_label: str
    points: tuple[Point, ...]
    alt: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Means with their intervals, one below the other; `zero` draws the line of no difference."""

    title: str
    x_label: str
    values: tuple[tuple[str, Interval], ...]
    alt: str
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo as JPEG bytes, or a text, with a caption, and what it is marked as."""

    content: bytes | str | None
    caption: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A query and its hits."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Rows of pictures."""

    rows: tuple[PictureRow, ...]
    note: str = ""


Block = Text | Table | Scatter | Bars | Pictures


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a title of its own."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: what was found, in a few sentences; what it is about, by name; and the sections."""

    title: str
    summary: tuple[str, ...]
    facts: Mapping[str, str]
    sections: tuple[Section, ...]


def shown(value: Value) -> str:
    """Return a value for people: 3 digits or so, an interval as "0.812 (0.790–0.833)", a name on one line."""
    if value is None:
        return "–"
    if isinstance(value, Interval):
        mean, low, high = (_number(each, 3) for each in (value.mean, value.low, value.high))
        return f"{mean} ({low}{' to ' if value.low < 0 else '–'}{high})"
    if isinstance(value, float):
        size = abs(value)
        return _number(value, 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3)
    return f"{value:,}" if isinstance(value, int) else printable(value)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "−")
