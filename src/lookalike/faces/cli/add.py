"""`lookalike add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import ListArgument, SourceArgument
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.options import (
    collection_option,
    device_option,
    emit,
    json_option,
    pooling_option,
)

if TYPE_CHECKING:
    from lookalike.reports import AddReport
    from lookalike.sources.remote.addresses import Source


@click.command()
@click.argument("paths", nargs=-1, type=SourceArgument())
@click.option(
    "--list",
    "list_file",
    type=ListArgument(),
    help="Read further paths from a file, or from standard input (-), one per line.",
)
@click.option("--column", help="Texts: the column of CSV, TSV, JSON and Parquet files that holds them.")
@click.option(
    "--encoding",
    metavar="NAME",
    help="Texts: how the files are encoded, where a guess is wrong; kept until another is named, or auto.",
)
@click.option(
    "--delimiter",
    metavar="SIGN",
    help="Texts: what parts the cells of a CSV file, as ';' or tab; kept, too.",
)
@click.option("--texts", is_flag=True, help="Look for texts in PATHS, though there may be photos, too.")
@click.option("--photos", is_flag=True, help="Look for photos in PATHS, though there may be texts, too.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what matches, in the manner of .gitignore: 'raw/', '*.png', '!keep.png'.",
)
@click.option("--afresh", is_flag=True, help="Read unchanged files again, too.")
@click.option(
    "--prune", is_flag=True, help="Remove items below PATHS whose files are gone, or are left out now."
)
@click.option("--model", help="The model for a new collection: see lookalike models.")
@pooling_option
@device_option
@json_option
@collection_option
def add(
    paths: tuple[Source, ...],
    list_file: Any,
    texts: bool,
    photos: bool,
    as_json: bool,
    folder: Path | None,
    **how: Any,
) -> None:
    """Bring photos in: files, and folders with all that lies below. Or texts: tables, .txt and .md files.

    PATHS may be addresses, too, such as s3://bucket/photos, gs://, hdfs:// and https://, whose credentials
    are taken from the environment; and tar shards and Parquet files with pictures in them.

    Run it again at any time: only what is new or changed is read. With --json, one line per file or text
    tells its outcome once that is on disk; the last line is the total. Left out is what
    .lookalikeignore files in the folders say, and hidden files, bins, snapshots and previews; but never a
    file that is named.
    """
    from lookalike.decode.tables import ReadAs
    from lookalike.faces.cli.printing import print_report
    from lookalike.faces.contract import committed_json, report_json
    from lookalike.faces.text import counted, extras_needed, printable
    from lookalike.install import install_line
    from lookalike.models.find import with_pooling
    from lookalike.progress import StepProgress
    from lookalike.sources.paths import read_list

    read_as = ReadAs(how.pop("encoding"), how.pop("delimiter"))
    wanted = [*paths, *(read_list(list_file, Path.cwd()) if list_file else [])]
    if texts and photos:
        raise UsageError("--photos and --texts exclude each other: a collection holds one or the other")
    if not wanted:
        raise UsageError("name at least one file or folder to add")
    model = with_pooling(how.pop("model"), how.pop("pooling"))
    collection = cli_options.open_collection(folder, model=model, device=how.pop("device"))
    with collection, StepProgress(quiet=as_json) as progress:
        report = collection.add(
            *wanted,
            kind="text" if texts else "photo" if photos else None,
            read_as=read_as,
            **how,
            on_step=progress.step,
            on_commit=(lambda each: emit(committed_json(each))) if as_json else None,
        )
        needed = extras_needed(each.reason for each in collection.skipped()) if report.skipped else {}
    if as_json:
        emit(report_json(report))
    else:
        print_report(report)
        if next_command := _next(collection.path, report):
            click.echo(here(next_command), err=True)
        for extra, count in needed.items():
            click.echo(f"{counted(count, 'file')} would be read with: {install_line(extra)}", err=True)
    if report.absent:
        missing = ", ".join(printable(str(path)) for path in report.absent)
        raise LookalikeError(f"absent or empty, so nothing of theirs was changed: {missing}")


def _next(place: object, report: AddReport) -> str:
    """Say where the collection is and what can be done with it; nothing where nothing came in."""
    from lookalike.faces.text import printable

    if report.found == report.skipped:
        return ""
    return f"the collection is {printable(str(place))}; next: lookalike search QUERY, or lookalike serve"
