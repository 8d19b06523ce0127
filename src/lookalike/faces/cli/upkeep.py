"""The commands that look after a collection: remove, relocate, info and verify."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.errors import LookalikeError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import SourceArgument, TargetArgument
from lookalike.faces.cli.options import (
    collection_option,
    emit,
    json_option,
)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...", type=TargetArgument())
@collection_option
def remove(targets: tuple[Path | str | int, ...], folder: Path | None) -> None:
    """Remove items by id (12, or id:12), by path or by folder. The files themselves stay."""
    from lookalike.faces.text import counted

    with cli_options.open_collection(folder) as collection:
        removed = collection.remove(*targets)
    click.echo(f"removed {counted(removed, 'item')}")


@click.command()
@click.argument("old", type=SourceArgument())
@click.argument("new", type=SourceArgument())
@json_option
@collection_option
def relocate(old: Path | str, new: Path | str, as_json: bool, folder: Path | None) -> None:
    """Follow photos from OLD to NEW, where an empty folder stayed behind, so that `add` leaves them alone.

    An item goes there if the file at NEW has its size and content; the others stay, and are named.
    """
    from lookalike.faces.contract import relocate_json
    from lookalike.faces.text import counted, printable

    with cli_options.open_collection(folder) as collection:
        report = collection.relocate(old, new)
    if as_json:
        emit(relocate_json(report))
    else:
        for uri, reason in report.left:
            click.echo(f"left: {printable(uri)}: {printable(reason)}")
        click.echo(f"moved {counted(report.moved, 'item')}, left {len(report.left):,}")
    if report.left:
        where = "it was" if len(report.left) == 1 else "they were"
        raise LookalikeError(f"{counted(len(report.left), 'item')} left where {where}")


@click.command()
@click.option("--skipped", is_flag=True, help="List each skipped file with its reason.")
@json_option
@collection_option
def info(skipped: bool, as_json: bool, folder: Path | None) -> None:
    """Show what the collection holds and how well its index finds it."""
    from lookalike.faces.cli.printing import print_info
    from lookalike.faces.contract import info_json, skipped_json
    from lookalike.faces.text import printable, with_install_lines

    with cli_options.open_collection(folder) as collection:
        if not skipped:
            facts = collection.info()
            emit(info_json(facts)) if as_json else print_info(facts)
            return
        for each in collection.skipped():
            line = f"{printable(each.uri)}\t{printable(with_install_lines(each.reason))}"
            emit(skipped_json(each)) if as_json else click.echo(line)


@click.command()
@click.option("--repair", is_flag=True, help="Read damaged items' files again and rebuild the index.")
@click.option("--files", is_flag=True, help="Read the files of all items, too, and name those that differ.")
@json_option
@collection_option
def verify(repair: bool, files: bool, as_json: bool, folder: Path | None) -> None:
    """Check every item, vector and index, and name what is damaged."""
    from lookalike.faces.contract import verify_json
    from lookalike.faces.text import counted, printable

    with cli_options.open_collection(folder) as collection:
        report = collection.verify(repair=repair, files=files)
    if as_json:
        emit(verify_json(report))
    else:
        for each in report.repaired:
            click.echo(f"repaired: {printable(each.what)}: {printable(each.detail)}")
        for each in report.damage:
            where = f" ({printable(each.uri)})" if each.uri else ""
            click.echo(f"damaged: {printable(each.what)}: {printable(each.detail)}{where}")
        for each in report.files:
            click.echo(f"file: {printable(each.uri or '')}: {printable(each.detail)}")
    if not report.sound:
        way_out = "its photos are not where they were" if repair else "run: lookalike verify --repair"
        raise LookalikeError(f"{len(report.damage):,} damaged; {way_out}")
    if report.files:
        raise LookalikeError(f"{counted(len(report.files), 'file')} not what was read")
    if not as_json:
        click.echo(f"sound: {counted(report.items, 'item')}, {counted(report.vectors, 'vector')}")
