"""What the commands of evaluation share: tables on the terminal, pictures, the report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lookalike import __version__
from lookalike.cores import cpu_count
from lookalike.evaluate.intervals import Interval
from lookalike.faces.report.blocks import Picture, PictureRow, Section, Table, shown
from lookalike.faces.text import printable
from lookalike.sources.uris import path_of

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.evaluate.truth import Truth
    from lookalike.faces.report.blocks import Mark

PICTURE = 160  # pixels
LONGEST_TEXT = 400  # letters that are shown of a text


def print_table(table: Table) -> None:
    """Print a table, its numbers to the right."""
    rows = [[shown(value) for value in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]
    numbers = [all(not isinstance(row[at], str) for row in table.rows) for at in range(len(table.columns))]
    for row in [list(table.columns), *rows]:
        cells = zip(row, widths, numbers, strict=True)
        click.echo(
            "  ".join(
                f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in cells
            ).rstrip()
        )
    if table.note:
        click.echo(table.note, err=True)


def print_problems(problems: Iterable[str]) -> None:
    """Say what was odd, a line each."""
    for each in problems:
        click.echo(printable(each), err=True)


def interval_json(interval: Interval) -> dict[str, float]:
    """A mean with its interval, rounded to what means something."""
    return {"mean": round(interval.mean, 6), "low": round(interval.low, 6), "high": round(interval.high, 6)}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


class PictureMaker:
    """Shows items of a collection in reports and contact sheets: photos as pictures, texts as they are.

    Below stands what an item's label is, or its name where nothing else is known of it.
    """

    def __init__(self, collection: Collection, truth: Truth | None) -> None:
        self._collection = collection
        self._truth = truth
        self._made: dict[int, Picture] = {}

    def query(self, item_id: int) -> Picture:
        """Return a query as a picture."""
        return self._picture(item_id, self._label(item_id), "query")

    def hit(self, query: int, item_id: int, score: float | None = None) -> Picture:
        """Return a query's hit as a picture, marked as right or wrong where that is known."""
        mark: Mark | None = None
        if self._truth is not None:
            mark = "right" if item_id in self._truth.relevant(query)[0] else "wrong"
        said = "" if score is None else f"{score:.3f}"
        return self._picture(item_id, f"{said} {self._label(item_id)}".strip(), mark)

    def _label(self, item_id: int) -> str:
        return (self._truth and self._truth.label(item_id)) or ""

    def _picture(self, item_id: int, caption: str, mark: Mark | None) -> Picture:
        if item_id not in self._made:
            item = self._collection.item(item_id)
            content = _cut(item.text) if item.text else self._collection.thumbnail(item_id, PICTURE)
            name = item.uri if item.text is not None else os.path.basename(path_of(item.uri))  # noqa: PTH119
            self._made[item_id] = Picture(content, printable(name))
        made = self._made[item_id]
        return Picture(made.content, printable(caption) or made.caption, mark)


def write_sheet(path: Path, rows: Sequence[PictureRow]) -> None:
    """Write rows of pictures as one picture file."""
    from lookalike.faces.sheet import Cell
    from lookalike.faces.sheet import write_sheet as write

    titles = {"query": "query", "right": "right", "wrong": "wrong", None: ""}
    write(
        path,
        [
            [
                Cell(
                    each.content if isinstance(each.content, bytes) else None,
                    titles[each.mark],
                    each.caption,
                    is_query=each.mark == "query",
                )
                for each in row.pictures
            ]
            for row in rows
        ],
    )
    click.echo(f"wrote {printable(str(path))}", err=True)


def write_report(
    path: Path, title: str, collection: Collection, summary: Sequence[str], sections: Sequence[Section]
) -> None:
    """Write the report of one evaluation."""
    from lookalike.faces.report.blocks import Report
    from lookalike.faces.report.html import write_report as write

    info = collection.info()
    facts = {
        "Collection": printable(collection.path.name),
        "Items": f"{info.items:,} {info.kind}s",
        "Models": ", ".join(f"{space.name} ({space.dim:,} numbers)" for space in info.spaces),
        "Made": f"{date.today().isoformat()}, lookalike {__version__}, {cpu_count()} processors",
    }
    write(path, Report(title, tuple(summary), facts, tuple(sections)))
    click.echo(f"wrote {printable(str(path))}", err=True)
