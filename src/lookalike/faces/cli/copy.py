"""`lookalike copy`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import CollectionArgument
from lookalike.faces.cli.options import emit, json_option


@click.command()
@click.argument("source", metavar="FROM", type=CollectionArgument())
@click.argument("target", metavar="TO", type=CollectionArgument())
@json_option
def copy(source: Path | str, target: Path | str, as_json: bool) -> None:
    """Copy a collection to another place: a folder to Milvus, Milvus to a folder, or to another of its kind.

    Items with their ids, texts, the vectors of all models, votes, credits and decisions; no photo is read or
    embedded again. At the end numbers and checksums of both are compared. Run again after an interruption, it
    goes on.
    """
    from lookalike.faces.text import counted, printable
    from lookalike.progress import StepProgress

    with (
        cli_options.open_collection(source) as old,
        cli_options.open_collection(target) as new,
        StepProgress(quiet=as_json) as progress,
    ):
        report = old.copy_to(new, on_step=progress.step)
    if as_json:
        emit({"event": "copied", **asdict(report)})
        return
    known = f", {report.known:,} of them were there" if report.known else ""
    click.echo(f"{counted(report.items, 'item')} in {printable(str(target))}{known}")
    for name, count in report.vectors.items():
        click.echo(f"{printable(name)}: {counted(count, 'vector')}, the same to the last bit", err=True)
    given = {"vote": report.votes, "credit": report.credits, "decision": report.decisions}
    if any(given.values()):
        click.echo(", ".join(counted(count, name) for name, count in given.items()), err=True)
    for note in report.notes:
        click.echo(printable(note), err=True)
