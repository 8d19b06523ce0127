"""The command line. Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike import __version__
from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.cli import options as shared
from lookalike.faces.cli.arguments import PathArgument, QueryArgument, TargetArgument, is_file
from lookalike.faces.cli.evaluate import evaluate
from lookalike.faces.cli.models import models
from lookalike.faces.cli.options import (
    collection_option,
    device_option,
    emit,
    fail,
    json_option,
)
from lookalike.faces.cli.serve import demo, serve, votes
from lookalike.faces.cli.transfer import datasets, export, import_

if TYPE_CHECKING:
    from lookalike.decode.pool import DecodePool


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Bring a photo; get the most similar ones in your collection.

    Everything stays on this machine.
    """


@cli.command()
@click.argument("paths", nargs=-1, type=PathArgument())
@click.option(
    "--list",
    "list_file",
    type=click.File(encoding="utf-8-sig", errors="surrogateescape"),
    help="Read further paths from a file, one per line.",
)
@click.option("--column", help="Texts: the column of CSV, TSV, JSONL and Parquet files that holds them.")
@click.option("--texts", is_flag=True, help="Look for texts in PATHS, though there may be photos, too.")
@click.option("--prune", is_flag=True, help="Remove items below PATHS whose files are gone.")
@click.option("--model", help="The model for a new collection: see lookalike models.")
@device_option
@json_option
@collection_option
def add(
    paths: tuple[Path, ...],
    list_file: Any,
    texts: bool,
    as_json: bool,
    folder: Path | None,
    **how: Any,
) -> None:
    """Bring photos in: files, and folders with all that lies below. Or texts: tables, .txt and .md files.

    Run it again at any time: only what is new or changed is read. With --json, one line per file or text
    tells its outcome once that is on disk; the last line is the total.
    """
    from lookalike.faces.cli.progress import StepProgress
    from lookalike.faces.cli.show import print_report
    from lookalike.faces.contract import committed_json, report_json
    from lookalike.faces.text import printable
    from lookalike.sources.sources import read_list

    wanted = [*paths, *(read_list(list_file, Path.cwd()) if list_file else [])]
    if not wanted:
        raise UsageError("name at least one file or folder to add")
    collection = shared.open_collection(folder, model=how.pop("model"), device=how.pop("device"))
    with collection, StepProgress(quiet=as_json) as progress:
        report = collection.add(
            *wanted,
            kind="text" if texts else None,
            **how,
            on_step=progress.step,
            on_commit=(lambda each: emit(committed_json(each))) if as_json else None,
        )
    if as_json:
        emit(report_json(report))
    else:
        print_report(report)
    if report.absent:
        missing = ", ".join(printable(str(path)) for path in report.absent)
        raise LookalikeError(f"absent or empty, so nothing of theirs was changed: {missing}")


@cli.command()
@click.argument("queries", nargs=-1, metavar="[QUERY]...", type=QueryArgument())
@click.option("--words", multiple=True, metavar="TEXT", help="What it is about, in words.")
@click.option("--unlike", multiple=True, metavar="QUERY", type=QueryArgument(), help="Away from this one.")
@click.option("--unlike-words", multiple=True, metavar="TEXT", help="Away from these words.")
@click.option("--number", "-k", "k", default=8, show_default=True, help="How many hits.")
@click.option(
    "--where", "-w", multiple=True, metavar="CONDITION", help="Such as camera='canon*', taken>=2019-06."
)
@click.option("--hybrid", is_flag=True, help="Texts: let exact words count beside meaning.")
@click.option("--space", metavar="MODEL", help="Search by this one of the collection's models.")
@click.option(
    "--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Write the hits as one picture."
)
@device_option
@json_option
@collection_option
def search(
    queries: tuple[str | int, ...],
    where: tuple[str, ...],
    sheet: Path | None,
    as_json: bool,
    folder: Path | None,
    device: str,
    **asked: Any,
) -> None:
    """Find what is most like QUERY: a photo file, a text, an item's id (12, or id:12); or what --words say.

    Several QUERY are answered one by one; with --words, --unlike or --unlike-words, all together are one
    query. Conditions compare id, uri, folder, taken, camera, format, width, height, lat or lon, and for texts
    any column.
    """
    if sheet is not None and any(isinstance(query, str) and _same_file(query, sheet) for query in queries):
        raise UsageError(f"--sheet {sheet} would overwrite the query")
    words, unlike, unlike_words = (asked.pop(name) for name in ("words", "unlike", "unlike_words"))
    if not (queries or words or unlike or unlike_words):
        raise UsageError("name a photo, an item or --words to search by")
    decoder = _started_decoder((*queries, *unlike))
    from lookalike.faces.cli.queries import answer, meant, together
    from lookalike.faces.cli.show import print_hits, write_hits_sheet
    from lookalike.faces.contract import result_json
    from lookalike.faces.text import counted, printable
    from lookalike.records import Wish

    with shared.open_collection(folder, decoder=decoder, device=device) as collection:
        kind = collection.kind
        shared.check_sheet(collection, sheet)
        wanted = together(meant(queries, kind), words, meant(unlike, kind), unlike_words)
        answered, failures = answer(collection, wanted, Wish(**asked, background=True), where)
        results = [result for _, result in answered]
        if as_json:
            for result in results:
                emit(result_json(result))
        else:
            print_hits(results)
        left_out = {item_id for result in results for item_id in result.damaged}
        if left_out:
            what = counted(len(left_out), "damaged vector")
            click.echo(f"left out {what}; run: lookalike verify --repair", err=True)
        if sheet is not None and answered:
            write_hits_sheet(collection, sheet, answered)
        for failure in failures:
            fail(failure, 1)
        if collection.is_building:
            click.echo("the index was missing, damaged or worn: building it anew …", err=True)
            try:
                collection.wait_for_index()
            except LookalikeError as error:  # the hits are right all the same
                click.echo(f"the index could not be built: {printable(str(error))}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...", type=TargetArgument())
@collection_option
def remove(targets: tuple[Path | int, ...], folder: Path | None) -> None:
    """Remove items by id (12, or id:12), by path or by folder. The files themselves stay."""
    from lookalike.faces.text import counted

    with shared.open_collection(folder) as collection:
        removed = collection.remove(*targets)
    click.echo(f"removed {counted(removed, 'item')}")


@cli.command()
@click.option("--skipped", is_flag=True, help="List each skipped file with its reason.")
@json_option
@collection_option
def info(skipped: bool, as_json: bool, folder: Path | None) -> None:
    """Show what the collection holds and how well its index finds it."""
    from lookalike.faces.cli.show import print_info
    from lookalike.faces.contract import info_json, skipped_json
    from lookalike.faces.text import printable

    with shared.open_collection(folder) as collection:
        if not skipped:
            facts = collection.info()
            emit(info_json(facts)) if as_json else print_info(facts)
            return
        for each in collection.skipped():
            line = f"{printable(each.uri)}\t{printable(each.reason)}"
            emit(skipped_json(each)) if as_json else click.echo(line)


@cli.command()
@click.option("--repair", is_flag=True, help="Read damaged items' files again and rebuild the index.")
@json_option
@collection_option
def verify(repair: bool, as_json: bool, folder: Path | None) -> None:
    """Check every item, vector and index, and name what is damaged."""
    from lookalike.faces.contract import verify_json
    from lookalike.faces.text import counted, printable

    with shared.open_collection(folder) as collection:
        report = collection.verify(repair=repair)
    if as_json:
        emit(verify_json(report))
    else:
        for each in report.repaired:
            click.echo(f"repaired: {printable(each.what)}: {printable(each.detail)}")
        for each in report.damage:
            where = f" ({printable(each.uri)})" if each.uri else ""
            click.echo(f"damaged: {printable(each.what)}: {printable(each.detail)}{where}")
    if not report.sound:
        way_out = "its photos are not where they were" if repair else "run: lookalike verify --repair"
        raise LookalikeError(f"{len(report.damage):,} damaged; {way_out}")
    if not as_json:
        click.echo(f"sound: {counted(report.items, 'item')}, {counted(report.vectors, 'vector')}")


for command in (models, import_, export, evaluate, serve, votes, datasets, demo):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every failure is one clear line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may not know all letters
    try:
        code = cli.main(prog_name="lookalike", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lookalike"
        code = fail(f"{error.format_message()} See: {command} --help", 2)
    except UsageError as error:
        code = fail(error, 2)
    except (LookalikeError, click.ClickException) as error:
        code = fail(error.message if isinstance(error, click.ClickException) else error, 1)
    except (KeyboardInterrupt, click.Abort):
        code = fail("interrupted; what is done is kept, run the same command to go on", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at exit
        code = 1
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = fail(f"cannot write what was found: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("LOOKALIKE_DEBUG"):
            raise
        code = fail(f"unexpected {type(error).__name__}: {error} (set LOOKALIKE_DEBUG=1 for the details)", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _same_file(one: str, other: Path) -> bool:
    return other.exists() and is_file(one) and other.samefile(one)


def _started_decoder(queries: tuple[str | int, ...]) -> DecodePool | None:
    photos = sum(isinstance(query, str) and is_file(query) for query in queries)
    if not photos:
        return None
    from lookalike.decode.pool import DecodePool

    decoder = DecodePool(workers=1 if photos == 1 else None)
    decoder.start()  # it gets ready while this process imports the rest
    return decoder
