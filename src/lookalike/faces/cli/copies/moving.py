"""Moving copies away and back, on the terminal: what would be done, what was done, and how to undo it."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.collection import Collection
from lookalike.copies.actions import RemovalReport, carry_out
from lookalike.copies.journaled import MovedFile
from lookalike.copies.moving import SYSTEM_TRASH
from lookalike.copies.planning import RemovalPlan, ToFolder, ToTrash, plan_removal
from lookalike.copies.removal import Chosen, journal_of, leaving
from lookalike.copies.undoing import undo
from lookalike.errors import LookalikeError
from lookalike.faces.cli.copies.table import best_in_words, how_in_words
from lookalike.faces.cli.hints import here
from lookalike.faces.text import counted, printable, sized
from lookalike.progress import StepProgress

_CANNOT_BE_UNDONE = (
    "the trash of this system does not tell where it puts files: only there can they be put back"
)


def move_away(collection: Collection, chosen: Chosen, folder: Path | None, *, do_it: bool) -> None:
    """Print what moving copies to a folder, or to the trash, would do; or do it and print what was done.

    Raises `LookalikeError` where something was to be moved and was not.
    """
    where_to = ToTrash() if folder is None else ToFolder(folder.absolute())
    plan = plan_removal(chosen.choices, where_to)
    if not do_it:
        _print_plan(plan, chosen)
        return
    report = _carried_out(collection, plan)
    _print_done(report, plan)
    if report.refused:
        raise LookalikeError(f"{counted(len(report.refused), 'file')} stayed where {_it_was(report.refused)}")


def _print_plan(plan: RemovalPlan, chosen: Chosen) -> None:
    how = {each.item.id: how_in_words(each) for choice in chosen.choices for each in choice.group.copies}
    why = {choice.group.best.id: best_in_words(choice.group) for choice in chosen.choices}
    kept = None
    for move in plan.moves:
        best = move.stays[0][0]
        if best is not kept:
            click.echo(f"keep {printable(best.uri)} ({why[best.id]})")
            kept = best
        target = "the trash" if move.target is None else printable(str(move.target))
        click.echo(f"  would move {printable(move.item.uri)} ({how[move.item.id]}) to {target}")
    for refusal in plan.refused:
        click.echo(f"would stay: {printable(refusal.item.uri)}: {printable(refusal.reason)}")
    if not plan.moves:
        click.echo("nothing would be moved")
        return
    refused = f", {counted(len(plan.refused), 'file')} would stay" if plan.refused else ""
    click.echo(f"would move {_files(len(plan.moves), plan.bytes_won)} to {_place(plan)}{refused}")
    if not plan.can_be_undone:
        click.echo(_CANNOT_BE_UNDONE, err=True)
    _tell_of_adding(plan)
    click.echo("nothing was moved yet: to do it, add --yes", err=True)


def _carried_out(collection: Collection, plan: RemovalPlan) -> RemovalReport:
    moved = list[MovedFile]()
    leave = leaving(collection.remove)

    def note(each: MovedFile) -> None:
        moved.append(each)
        leave(each)

    try:
        with StepProgress() as progress:
            return carry_out(plan, journal_of(collection.path), note, progress.step)
    except (LookalikeError, KeyboardInterrupt):
        if moved:
            click.echo(here("it ended midway; to put back what was moved: lookalike copies --undo"), err=True)
        raise


def _print_done(report: RemovalReport, plan: RemovalPlan) -> None:
    for each in report.settled:
        click.echo(f"a run that was stopped had moved {_way(each)}", err=True)
    for each in report.moved:
        click.echo(f"moved {_way(each)}")
    for refusal in report.refused:
        click.echo(f"stayed: {printable(refusal.item.uri)}: {printable(refusal.reason)}")
    if report.moved:
        click.echo(f"moved {_files(len(report.moved), report.bytes_won)} to {_place(plan)}: run {report.run}")
    else:
        click.echo("nothing was moved")
    for each_note in report.notes:
        click.echo(here(printable(each_note)), err=True)
    if report.moved:
        _tell_of_adding(plan)
    if report.moved and plan.can_be_undone:
        click.echo(here(f"to put them back: lookalike copies --undo {report.run}"), err=True)


def _tell_of_adding(plan: RemovalPlan) -> None:
    """Say how moved files stay out of the collection where they may lie in a folder that is added again."""
    if not isinstance(plan.where_to, ToFolder):
        return
    folder = plan.where_to.folder
    if any(move.source.is_relative_to(folder.parent) for move in plan.moves):
        shown = printable(str(folder))
        click.echo(
            f"to add a folder that holds {shown} brings them in again; a file .nomedia there keeps them out",
            err=True,
        )


def put_back(collection: Collection, run: str | None) -> None:
    """Put back what a run has moved, the last one unless named, and print what became of it.

    Raises `NotFoundError` where there is nothing to put back, and `LookalikeError` where something stayed.
    """
    with StepProgress() as progress:
        report = undo(journal_of(collection.path), leaving(collection.remove), run=run, on_step=progress.step)
    for each in report.restored:
        click.echo(f"moved back {_way(each)}")
    for refusal in report.refused:
        click.echo(f"stayed: {printable(str(refusal.source))}: {printable(refusal.reason)}")
    click.echo(f"put back {counted(len(report.restored), 'file')} of run {report.run}")
    for each_note in report.notes:
        click.echo(here(printable(each_note)), err=True)
    if report.refused:
        raise LookalikeError(f"{counted(len(report.refused), 'file')} stayed where {_it_was(report.refused)}")


def _way(moved: MovedFile) -> str:
    target = "the trash" if moved.target == SYSTEM_TRASH else printable(str(moved.target))
    return f"{printable(str(moved.source))} to {target}"


def _place(plan: RemovalPlan) -> str:
    return printable(str(plan.where_to.folder)) if isinstance(plan.where_to, ToFolder) else "the trash"


def _files(count: int, size: int) -> str:
    return f"{counted(count, 'file')} ({sized(size)})"


def _it_was(some: tuple[object, ...]) -> str:
    return "it was" if len(some) == 1 else "they were"
