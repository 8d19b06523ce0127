"""`lookalike copies`: what is asked for is checked here; `table`, `files` and `moving` show and do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lookalike.errors import UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import PathArgument, SourceArgument
from lookalike.faces.cli.hints import OPTION
from lookalike.faces.cli.options import collection_option, emit, json_option

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.copies.groups import CopiesReport
    from lookalike.copies.removal import Chosen
    from lookalike.faces.cli.copies.table import FoundCopies

_FILE = click.Path(path_type=Path, dir_okay=False)
_STDOUT = Path("-")
_MOVES = ("move_to", "trash")
_GO_ALONE = ("undo", "export_decisions", "import_decisions")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=SourceArgument())
@click.option(
    "--level",
    type=click.Choice(["file", "photo", "scene"]),
    default="photo",
    show_default=True,
    help="How much is the same; see above.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="FOLDER",
    type=SourceArgument(),
    help="Only copies of what lies in FOLDER, where nothing is moved.",
)
@click.option("--where", "-w", multiple=True, metavar="CONDITION", help="As in a search: camera='canon*'.")
@click.option(
    "--quick", is_flag=True, help="Compare bytes and hashes only: soon done, but cropped copies are missed."
)
@click.option(
    "--csv", metavar="FILE", type=PathArgument(), help="Write a row for each photo as CSV; - prints it."
)
@click.option("--report", type=_FILE, help="Write the groups with pictures as one HTML file.")
@click.option("--sheet", type=_FILE, help="Write the groups as one picture.")
@click.option(
    "--move-to",
    metavar="FOLDER",
    type=PathArgument(),
    help="Show which copies would be moved below FOLDER; with --yes, move them.",
)
@click.option("--trash", is_flag=True, help="Show which copies would go to the trash; with --yes, move them.")
@click.option("--yes", is_flag=True, help="Do what --move-to or --trash shows.")
@click.option(
    "--undo",
    is_flag=False,
    flag_value="",
    metavar="[RUN]",
    help="Put back what the last run has moved, or the one named.",
)
@click.option(
    "--export-decisions",
    metavar="FILE",
    type=_FILE,
    help="Write what was decided about copies as JSON lines.",
)
@click.option(
    "--import-decisions", metavar="FILE", type=PathArgument(), help="Take in what another collection decided."
)
@json_option
@collection_option
@click.pass_context
def copies(context: click.Context, /, folder: Path | None, as_json: bool, **asked: Any) -> None:
    r"""Find copies among the photos of the collection, or among those at PATH, files or folders.

    There are three levels of being the same, each with those before it:

    \b
      file   the same bytes
      photo  one was made from the other: saved anew, resized, recoloured, blurred,
             framed, written on, cropped, turned or mirrored
      scene  different photos of one moment or thing, such as a burst

    The best of each group comes first, with the reason. Nothing is moved unless you say --yes, and then the
    best one stays, and what you decided to keep. A file that has changed since it was added is not touched.
    """
    _check(context)
    with cli_options.open_collection(folder) as collection:
        if asked["undo"] is not None:
            from lookalike.faces.cli.copies.moving import put_back

            put_back(collection, asked["undo"] or None)
        elif asked["export_decisions"] is not None:
            _export(collection, asked["export_decisions"])
        elif asked["import_decisions"] is not None:
            _import(collection, asked["import_decisions"])
        else:
            _check_outputs(collection, asked)
            _show_and_move(collection, asked, as_json=as_json)


def _check(context: click.Context) -> None:
    """Refuse options that make no sense together."""
    given = {
        str(param.name): "PATH" if isinstance(param, click.Argument) else param.opts[0]
        for param in context.command.params
        if context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        and context.params[str(param.name)] != ()
    }
    actions = [name for name in (*_MOVES, *_GO_ALONE) if name in given]
    if len(actions) > 1:
        raise UsageError(f"{given[actions[0]]} and {given[actions[1]]} exclude each other")
    is_printed_as_csv = context.params["csv"] == _STDOUT
    if "as_json" in given and is_printed_as_csv:
        raise UsageError("--json and --csv - both print: name a file for the CSV")
    if not actions:
        if "yes" in given:
            raise UsageError("--yes is said to --move-to FOLDER or --trash: name one of them")
        return
    action = actions[0]
    if action in _GO_ALONE:
        fitting = {action, OPTION, *(["yes"] if action == "undo" else [])}
        if other := [option for name, option in given.items() if name not in fitting]:
            raise UsageError(f"{given[action]} goes alone, without {', '.join(other)}")
    elif "as_json" in given or is_printed_as_csv:
        printed = "--json" if "as_json" in given else "--csv -"
        raise UsageError(f"{printed} prints groups, and {given[action]} what is moved: ask for one of them")
    elif context.params["level"] == "scene":
        raise UsageError(
            f"{given[action]} does not go with --level scene: shots of one scene are different photos, none "
            "of which can stand for another"
        )


def _check_outputs(collection: Collection, asked: dict[str, Any]) -> None:
    """Refuse, before long work is done, what could not be written in the end."""
    cli_options.check_sheet(collection, asked["sheet"])
    for name in ("csv", "report", "sheet"):
        path = asked[name]
        if path is None or path == _STDOUT:
            continue
        if not path.absolute().parent.is_dir():
            raise UsageError(f"--{name} {path}: there is no folder {path.parent}")
        cli_options.check_not_an_item(collection, f"--{name}", path)
    if asked["report"] is not None:
        from lookalike.faces.report.html import check_report

        check_report()


def _show_and_move(collection: Collection, asked: dict[str, Any], *, as_json: bool) -> None:
    from lookalike.faces.cli.copies import table
    from lookalike.faces.contract import copies_json, copy_group_json

    is_printed_as_csv = asked["csv"] == _STDOUT
    is_moving = asked["move_to"] is not None or asked["trash"]
    report, chosen = _find(collection, asked, quiet=as_json or is_printed_as_csv)
    found = table.FoundCopies(report, chosen, asked["level"], is_quick=asked["quick"])
    if as_json:
        for group in report.groups:
            emit(copy_group_json(group))
        emit(copies_json(report, chosen))
    elif not is_printed_as_csv and not is_moving:
        table.print_groups(report)
    _write(collection, asked, found)
    if as_json:
        return
    table.print_summary(found, aside=is_printed_as_csv)
    if is_moving:
        from lookalike.faces.cli.copies.moving import move_away

        move_away(collection, chosen, asked["move_to"], do_it=asked["yes"])
    else:
        table.print_next(found)


def _find(collection: Collection, asked: dict[str, Any], *, quiet: bool) -> tuple[CopiesReport, Chosen]:
    """Return the groups, and what of them may go."""
    from lookalike.copies.removal import Chosen, choose
    from lookalike.progress import StepProgress
    from lookalike.search.arguments import ids_of_all

    with StepProgress(quiet=quiet) as progress:
        report = collection.copies(
            asked["level"],
            paths=asked["paths"],
            against=asked["against"],
            where=asked["where"],
            look=not asked["quick"],
            on_step=progress.step,
        )
    if asked["level"] == "scene":
        return report, Chosen((), ())
    spared = frozenset(ids_of_all(collection.engine.items, asked["against"]))
    return report, choose(report.groups, collection.decisions(), spared)


def _write(collection: Collection, asked: dict[str, Any], found: FoundCopies) -> None:
    """Write the files that were asked for."""
    from lookalike.faces.cli.copies import files

    if asked["csv"] == _STDOUT:
        files.print_csv(found.report.groups)
    elif asked["csv"] is not None:
        files.write_csv(asked["csv"], found.report.groups)
    if asked["report"] is None and asked["sheet"] is None:
        return
    pictures = files.ItemPictures(collection)
    if asked["report"] is not None:
        files.write_report(asked["report"], collection, found, pictures)
    if asked["sheet"] is not None:
        files.write_sheet(asked["sheet"], found.report.groups, pictures)


def _export(collection: Collection, path: Path) -> None:
    from lookalike.copies.exchange import write_decisions
    from lookalike.faces.text import counted, printable

    cli_options.check_not_an_item(collection, "--export-decisions", path)
    count = write_decisions(path, collection.decisions())
    click.echo(f"wrote {counted(count, 'decision')} to {printable(str(path))}")


def _import(collection: Collection, path: Path) -> None:
    from lookalike.copies.exchange import read_decisions
    from lookalike.faces.text import counted

    decisions = read_decisions(path)
    collection.decide(decisions)
    click.echo(f"took in {counted(len(decisions), 'decision')}")
