"""Groups of copies on the terminal, and in words what was found, what is not known, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from lookalike.copies.groups import CopiesReport, Copy, CopyGroup, Level
from lookalike.copies.removal import Chosen
from lookalike.faces.cli.hints import here
from lookalike.faces.text import counted, printable, sized, with_install_lines
from lookalike.install import install_line
from lookalike.matching.opencv import EXTRA, has_opencv
from lookalike.records import Item

_MOST_MEMBERS = 20  # of one group that are shown
_MOST_SKIPPED = 10
_WIDEST = 44  # letters of what is said of a copy, beyond which its row is moved to the right

_NOTHING: dict[Level, str] = {
    "file": "no file was found twice",
    "photo": "no copies were found",
    "scene": "no shots of one scene were found",
}


@dataclass(frozen=True, slots=True)
class FoundCopies:
    """What was found at a level, what of it may go, and whether it was asked to be quick."""

    report: CopiesReport
    chosen: Chosen
    level: Level
    is_quick: bool


def print_groups(report: CopiesReport) -> None:
    """Print groups, a photo on each line, the path last so that it is never cut."""
    groups = [list(_rows(number, group)) for number, group in enumerate(report.groups, 1)]
    if not groups:
        return
    rows = [
        ("group", "how it is a copy", "pixels", "size", "id", "photo"),
        *(row for each in groups for row in each),
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    widths[1] = min(widths[1], _WIDEST)
    for number, how, pixels, size, item_id, path in rows:
        click.echo(
            f"{number:<{widths[0]}}  {how:<{widths[1]}}  {pixels:>{widths[2]}}  {size:>{widths[3]}}  "
            f"{item_id:>{widths[4]}}  {path}"
        )


def _rows(number: int, group: CopyGroup) -> Iterator[tuple[str, ...]]:
    shown = group.copies[: _MOST_MEMBERS - 1]
    yield _row(str(number), best_in_words(group), group.best)
    for each in shown:
        yield _row("", how_in_words(each), each.item)
    if more := len(group.copies) - len(shown):
        yield ("", f"and {more:,} more", "", "", "", "all are in --csv and --json")


def _row(number: str, how: str, item: Item) -> tuple[str, ...]:
    return (number, how, pixels_of(item), sized(item.stamp.size), str(item.id), printable(item.uri))


def best_in_words(group: CopyGroup) -> str:
    """Say that a photo is the best of its group, and why."""
    why = ", ".join(group.why_best)
    return printable(f"best: {why}" if why else "best") + (" (decided)" if group.is_decided else "")


def how_in_words(copy: Copy) -> str:
    """Say how a photo is a copy."""
    return printable(", ".join(copy.how))


def pixels_of(item: Item) -> str:
    """Width and height of a photo; empty where they are not known."""
    known = "width" in item.metadata and "height" in item.metadata
    return f"{item.metadata['width']}×{item.metadata['height']}" if known else ""


def summary(found: FoundCopies) -> list[str]:
    """What was found, in sentences."""
    report, chosen = found.report, found.chosen
    among = f"among {counted(report.photos, 'photo')}"
    if not report.groups:
        return [f"{_NOTHING[found.level]} {among}"]
    best = {group.best.id for group in report.groups}
    count = len({item.id for group in report.groups for item in group.items} - best)
    groups = counted(len(report.groups), "group")
    if found.level == "scene":
        return [f"{groups} {among}, with {counted(count, 'further shot')} of what the best one shows"]
    copies = "1 copy" if count == 1 else f"{count:,} copies"
    going = chosen.going
    said = [f"{groups} with {copies} {among}; {sized(sum(item.stamp.size for item in going))} could be won"]
    if chosen.kept:
        stays = "1 copy stays" if len(chosen.kept) == 1 else f"{len(chosen.kept):,} copies stay"
        said.append(f"{stays}: it was decided to keep both")
    return said


def not_known(found: FoundCopies) -> list[str]:
    """What may have been missed and how that is found, in sentences; none where all was looked at."""
    report = found.report
    left = report.photos - report.looked_at - len(report.skipped)
    if found.level == "file" or left <= 0:
        return []
    said = (
        f"{left:,} of {counted(report.photos, 'photo')} were compared by bytes and hashes only: cropped or "
        "framed copies of them, for instance, may be missing"
    )
    if found.is_quick:
        return [f"{said}; to compare all closely, leave out --quick"]
    return [said if has_opencv() else f"{said}; to compare them closely: {install_line(EXTRA)}"]


def print_summary(found: FoundCopies, *, aside: bool) -> None:
    """Print what was found, `aside` on standard error, where what is not known is told anyway."""
    for line in summary(found):
        click.echo(line, err=aside)
    for line in not_known(found):
        click.echo(line, err=True)
    skipped = found.report.skipped
    if skipped:
        click.echo(f"{counted(len(skipped), 'photo')} could not be looked at:", err=True)
    for each in skipped[:_MOST_SKIPPED]:
        click.echo(f"  {printable(each.uri)}: {printable(with_install_lines(each.reason))}", err=True)
    if len(skipped) > _MOST_SKIPPED:
        click.echo(f"  and {len(skipped) - _MOST_SKIPPED:,} more, which --json names", err=True)


def print_next(found: FoundCopies) -> None:
    """Say what can be done about copies."""
    if found.chosen.going:
        click.echo(
            here("to see what would be moved: lookalike copies --trash, or --move-to FOLDER"), err=True
        )
        click.echo(here("to look at them and decide: lookalike serve, then the page /copies"), err=True)
