"""`lookalike search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import QueryArgument, is_file
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.options import (
    collection_option,
    device_option,
    emit,
    fail,
    json_option,
)

if TYPE_CHECKING:
    from lookalike.decode.pool import DecodePool
    from lookalike.records import SearchResult


@click.command()
@click.argument("queries", nargs=-1, metavar="[QUERY]...", type=QueryArgument())
@click.option("--words", multiple=True, metavar="TEXT", help="What it is about, in words.")
@click.option("--unlike", multiple=True, metavar="QUERY", type=QueryArgument(), help="Away from this one.")
@click.option("--unlike-words", multiple=True, metavar="TEXT", help="Away from these words.")
@click.option("--number", "-k", "k", default=8, show_default=True, help="How many hits.")
@click.option(
    "--where", "-w", multiple=True, metavar="CONDITION", help="Such as camera='canon*', taken>=2019-06."
)
@click.option("--hybrid", is_flag=True, help="Texts: let exact words count beside meaning.")
@click.option(
    "--rerank/--no-rerank",
    default=None,
    help="Hits that are like other hits move up, or the score alone orders.  [default: --rerank for one "
    "example, but not for photos by words]",
)
@click.option("--any-way-up", is_flag=True, help="Also find what is the photo turned, mirrored or cropped.")
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
    query. Conditions compare id, uri, folder, taken, camera, lens, iso, exposure, format, width, height, lat,
    lon, rating, title or keywords, and for texts any column.
    """
    if sheet is not None and any(isinstance(query, str) and _same_file(query, sheet) for query in queries):
        raise UsageError(f"--sheet {sheet} would overwrite the query")
    words, unlike, unlike_words = (asked.pop(name) for name in ("words", "unlike", "unlike_words"))
    if not (queries or words or unlike or unlike_words):
        raise UsageError("name a photo, an item or --words to search by")
    decoder = _started_decoder((*queries, *unlike))
    from lookalike.faces.cli.printing import print_hits, tell_order, write_hits_sheet
    from lookalike.faces.cli.queries import answer, combined, read_inputs
    from lookalike.faces.contract import result_json
    from lookalike.faces.text import printable
    from lookalike.records import SearchOptions

    with cli_options.open_collection(folder, decoder=decoder, device=device) as collection:
        kind = collection.kind
        cli_options.check_sheet(collection, sheet)
        wanted = combined(read_inputs(queries, kind), words, read_inputs(unlike, kind), unlike_words)
        options = SearchOptions(**asked, mark_copies=True, background=True)
        answered, failures = answer(collection, wanted, options, where)
        results = [result for _, result in answered]
        if as_json:
            for result in results:
                emit(result_json(result))
        else:
            print_hits(results)
        _tell_left_out(results, collection.path)
        if sheet is not None and answered:
            write_hits_sheet(collection, sheet, answered)
        if not as_json:
            tell_order(results)
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


def _tell_left_out(results: list[SearchResult], place: object) -> None:
    """Say what could not be ranked: damaged vectors, and items that are not found."""
    from lookalike.faces.text import counted

    left_out = {item_id for result in results for item_id in result.damaged}
    if left_out:
        what = counted(len(left_out), "damaged vector")
        click.echo(here(f"left out {what}; run: lookalike verify --repair"), err=True)
    missing = max((result.missing for result in results), default=0)
    if missing:
        click.echo(here(_about_missing(missing, place)), err=True)


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


def _about_missing(missing: int, place: object) -> str:
    """Say why items could not be ranked: a store lost them, or an engine does not serve them just now."""
    from lookalike.faces.text import counted

    items = counted(missing, "item")
    if isinstance(place, Path):
        return f"left out {items} that the damaged store does not find; run: lookalike verify --repair"
    return f"left out about {items}, which the engine does not serve just now; ask again in a moment"
