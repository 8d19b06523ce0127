"""The commands that move what others made in, and what the collection holds out: import, export, datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import PathArgument
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.options import collection_option, device_option, emit, json_option

if TYPE_CHECKING:
    from lookalike.transfer.transfer import ExportReport, ImportReport


@click.command("import")
@click.argument("vectors", type=PathArgument())
@click.option("--names", type=PathArgument(), help="What the vectors stand for, row by row: a list or table.")
@click.option("--column", help="The column of that table, or of VECTORS where that is one.")
@click.option(
    "--vector-column", help="The column of VECTORS that holds them.  [default: embedding, vector …]"
)
@click.option("--id-column", help="The column with the ids of a Faiss index that has its own.  [default: id]")
@click.option("--base", type=PathArgument(), help="Where relative names lie.  [default: beside the list]")
@click.option("--name", help="The space's name.  [default: made of the file's]")
@click.option("--model", help="The model that made them: then its photos and words search them.")
@click.option("--photos", "kind", flag_value="photo", help="The names are those of photos.")
@click.option("--texts", "kind", flag_value="text", help="The names are texts.")
@device_option
@json_option
@collection_option
def import_(vectors: Path, as_json: bool, folder: Path | None, device: str, **what: Any) -> None:
    """Bring in VECTORS made elsewhere, with what they stand for.

    VECTORS is an .npy array, a Faiss index (vectors out of a lossy one are approximate), a table with a
    column of vectors (Parquet, CSV, JSON), the folder of clip-retrieval, one of lookalike export, or what
    lookalike embed wrote, also at an address as s3://bucket/out. Nothing is touched unless vectors and names
    fit each other; run it again after an interruption, and it goes on.
    """
    from lookalike.faces.contract import committed_json, import_json
    from lookalike.progress import StepProgress
    from lookalike.transfer.transfer import ImportRequest

    with (
        cli_options.open_collection(folder, device=device) as collection,
        StepProgress(quiet=as_json) as progress,
    ):
        report, problem = collection.import_vectors(
            ImportRequest(vectors, **what),
            on_step=progress.step,
            on_commit=(lambda each: emit(committed_json(each))) if as_json else None,
        )
    emit(import_json(report, problem)) if as_json else _print_import(report, problem)


@click.command()
@click.argument("target", metavar="FOLDER", type=PathArgument())
@click.option("--faiss", "factory", metavar="FACTORY", help="And a Faiss index, such as IVF200,PQ16 or Flat.")
@click.option("--space", metavar="MODEL", help="The vectors of this one of the collection's models.")
@click.option("--jsonl", is_flag=True, help="Items as JSON lines instead of Parquet.")
@click.option("--with-vectors", is_flag=True, help="Vectors in the table of items, too, as column vector.")
@collection_option
def export(
    target: Path,
    factory: str | None,
    space: str | None,
    folder: Path | None,
    *,
    jsonl: bool,
    with_vectors: bool,
) -> None:
    """Write vectors and items into a new FOLDER, as files that other programs read.

    vectors.npy, items.parquet and, with --faiss, an index that plain Faiss opens; row i of each is the same
    item, and README.txt says so.
    """
    from lookalike.progress import StepProgress
    from lookalike.transfer.transfer import ExportOptions

    with cli_options.open_collection(folder) as collection, StepProgress() as progress:
        options = ExportOptions(factory, jsonl, progress.step, with_vectors)
        report = collection.export(target, space=space, options=options)
    _print_export(report)


@click.group(invoke_without_command=True)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List the data sets that can be fetched; get fetches one."""
    if context.invoked_subcommand is None:
        from lookalike.datasets import DATASETS

        name = max(len(each.name) for each in DATASETS)
        for each in DATASETS:
            size = f"{each.photos:,} photos, {each.megabytes:,} MB"
            click.echo(f"{each.name:<{name}}  {size}: {each.what}; {each.licence}")


@datasets.command("get")
@click.argument("name")
@click.argument("target", metavar="FOLDER", type=PathArgument())
def get_dataset(name: str, target: Path) -> None:
    """Fetch the photos of the data set NAME into FOLDER.

    Run again after an interruption, it goes on; every photo is checked.
    """
    from lookalike.datasets import find_dataset
    from lookalike.faces.text import counted, printable
    from lookalike.progress import StepProgress

    wanted = find_dataset(name)
    with StepProgress() as progress:
        count = wanted.get(target, on_progress=lambda done, total: progress.step("fetching", done, total))
    click.echo(f"{counted(count, 'photo')} in {printable(str(target))}; next: lookalike add {target}")


def _print_import(report: ImportReport, problem: str | None) -> None:
    from lookalike.faces.text import counted, printable

    parts = ("added", "filled", "moved", "unchanged", "skipped", "empty")
    said = " + ".join(f"{getattr(report, part):,} {part}" for part in parts)
    click.echo(f"imported {report.rows:,} = {said}")
    name = printable(report.space.name)
    nature = ", approximate: out of a lossy index" if report.space.approximate else ""
    click.echo(f"space {name}: {report.space.dim:,} numbers{nature}", err=True)
    if report.copies:
        click.echo(f"{report.copies:,} copies of another text", err=True)
    if report.without_file:
        click.echo(f"{counted(report.without_file, 'photo')} whose file is not there", err=True)
    if report.skipped:
        click.echo(here("see why rows were skipped with: lookalike info --skipped"), err=True)
    for note in report.notes:
        click.echo(printable(note), err=True)
    if not report.space.reference:
        click.echo("without the model that made them, these vectors are searched by items", err=True)
    if problem:
        click.echo(here(f"not all is up to date: {printable(problem)}"), err=True)


def _print_export(report: ExportReport) -> None:
    from lookalike.faces.text import counted, printable

    click.echo(
        f"{counted(report.rows, 'item')} in {printable(str(report.folder))}: {', '.join(report.files)}"
    )
    if report.left_out:
        left_out = counted(len(report.left_out), "damaged item")
        click.echo(here(f"left out {left_out}; run: lookalike verify --repair"), err=True)
