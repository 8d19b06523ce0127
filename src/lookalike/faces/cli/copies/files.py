"""Groups of copies as files: CSV, a contact sheet, a report with pictures."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from lookalike.collection import Collection
from lookalike.copies.groups import CopyGroup, Level
from lookalike.durable import written_whole
from lookalike.errors import StorageError
from lookalike.faces.cli.copies.table import (
    FoundCopies,
    best_in_words,
    how_in_words,
    not_known,
    pixels_of,
    summary,
)
from lookalike.faces.text import counted, printable, sized
from lookalike.records import Item
from lookalike.sources.uris import path_of

if TYPE_CHECKING:
    from lookalike.faces.report.blocks import PictureRow

_COLUMNS = ("group", "level", "best", "how", "path", "bytes", "width", "height", "sha256", "taken")
_SIDE = 220  # pixels of a picture
_MOST_IN_REPORT, _MOST_IN_SHEET = 200, 50  # groups
_MOST_PICTURES = 10  # of one group
_MOST_SKIPPED = 200

_MEANING: dict[Level, str] = {
    "file": "Photos of one group have the same bytes.",
    "photo": "Photos of one group were made from one another: saved anew, resized, cropped, turned …",
    "scene": "Photos of one group are different shots of one moment or thing.",
}


def write_csv(path: Path, groups: Sequence[CopyGroup]) -> None:
    """Write a row for each member of each group, whole or not at all; raises `StorageError`."""
    try:
        with written_whole(path) as new, new.open("w", encoding="utf-8", newline="") as file:
            _write_rows(file, groups)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    _tell(path)


def print_csv(groups: Sequence[CopyGroup]) -> None:
    """Print the same; on a terminal with names that are safe to see."""
    _write_rows(sys.stdout, groups, on_terminal=sys.stdout.isatty())


def _write_rows(file: TextIO, groups: Sequence[CopyGroup], *, on_terminal: bool = False) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, group in enumerate(groups, 1):
        for item, how in ((group.best, group.why_best), *((each.item, each.how) for each in group.copies)):
            facts = item.metadata
            writer.writerow(
                (
                    *(number, group.level, "yes" if item is group.best else "no", "; ".join(how)),
                    *(printable(item.uri) if on_terminal else item.uri, item.stamp.size),
                    *(facts.get("width", ""), facts.get("height", "")),
                    *(item.content_hash.hex(), facts.get("taken", "")),
                )
            )


@dataclass(frozen=True, slots=True)
class Shown:
    """A member of a group as it is shown: JPEG bytes (None: cannot be read any more), and what it is."""

    picture: bytes | None
    item: Item
    how: str
    is_best: bool


class ItemPictures:
    """Makes the pictures of groups, each once."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._made = dict[int, bytes | None]()

    def of(self, group: CopyGroup) -> Iterator[Shown]:
        """Yield members of a group, the best first: not all of a large one."""
        yield Shown(self._picture(group.best), group.best, best_in_words(group), is_best=True)
        for each in group.copies[: _MOST_PICTURES - 1]:
            yield Shown(self._picture(each.item), each.item, how_in_words(each), is_best=False)

    def _picture(self, item: Item) -> bytes | None:
        if item.id not in self._made:
            self._made[item.id] = self._collection.thumbnail(item.id, _SIDE)
        return self._made[item.id]


def write_sheet(path: Path, groups: Sequence[CopyGroup], pictures: ItemPictures) -> None:
    """Write the first groups as one picture."""
    from lookalike.faces.sheet import Cell
    from lookalike.faces.sheet import write_sheet as write

    if not groups:
        click.echo("there is nothing to show on a sheet, and none was written", err=True)
        return
    rows = [
        [
            Cell(each.picture, each.how, f"{_facts(each.item)}  {_name(each.item)}", is_query=each.is_best)
            for each in pictures.of(group)
        ]
        for group in groups[:_MOST_IN_SHEET]
    ]
    write(path, rows)
    _tell(path, _how_many(groups, _MOST_IN_SHEET))


def write_report(path: Path, collection: Collection, found: FoundCopies, pictures: ItemPictures) -> None:
    """Write the first groups with pictures, and what was found in words, as one HTML file."""
    from lookalike.faces.cli.evaluate.reporting import write_report as write
    from lookalike.faces.report.blocks import Block, Pictures, Section, Table, Text

    groups = found.report.groups
    rows = [_row(number, group, pictures) for number, group in enumerate(groups[:_MOST_IN_REPORT], 1)]
    blocks: list[Block] = [Text(_MEANING[found.level])]
    if rows:
        blocks.append(Pictures(tuple(rows), _how_many(groups, _MOST_IN_REPORT)))
    sections = [Section("Groups", tuple(blocks))]
    if skipped := found.report.skipped:
        more = len(skipped) - _MOST_SKIPPED
        table = Table(
            ("photo", "reason"),
            tuple((each.uri, each.reason) for each in skipped[:_MOST_SKIPPED]),
            f"and {more:,} more" if more > 0 else "",
        )
        sections.append(Section("What could not be looked at", (table,)))
    said = [f"{line[:1].upper()}{line[1:]}." for line in (*summary(found), *not_known(found))]
    write(path, "Copies", collection, said, sections)


def _row(number: int, group: CopyGroup, pictures: ItemPictures) -> PictureRow:
    from lookalike.faces.report.blocks import Picture, PictureRow

    shown = [
        Picture(
            each.picture,
            f"{each.how.removeprefix('best: ')} · {_facts(each.item)} · {printable(each.item.uri)}",
            "best" if each.is_best else None,
        )
        for each in pictures.of(group)
    ]
    more = len(group.items) - len(shown)
    return PictureRow(
        f"{number:,}. {counted(len(group.items), 'photo')}" + (f", {more:,} not shown" if more else ""),
        tuple(shown),
    )


def _how_many(groups: Sequence[CopyGroup], most: int) -> str:
    return f"the first {most:,} of {len(groups):,} groups" if len(groups) > most else ""


def _facts(item: Item) -> str:
    return " ".join(filter(None, (pixels_of(item), sized(item.stamp.size))))


def _name(item: Item) -> str:
    return printable(os.path.basename(path_of(item.uri)))  # noqa: PTH119  # names may not be UTF-8


def _tell(path: Path, what: str = "") -> None:
    click.echo(f"wrote {printable(str(path))}" + (f": {what}" if what else ""), err=True)
