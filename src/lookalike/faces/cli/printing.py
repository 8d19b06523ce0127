"""Results for people: tables on the terminal, a contact sheet as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import click

from lookalike.collection import Collection
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.queries import Answered
from lookalike.faces.text import (
    copy_note,
    counted,
    facts,
    megabytes,
    named_counts,
    one_line,
    printable,
    tally,
)
from lookalike.records import Hit, SearchResult
from lookalike.reports import AddReport, Info

_CLOSER = "closer than"


def print_hits(results: list[SearchResult]) -> None:
    """Print the hits of each query, one per line, the path last so that it is never cut."""
    for result in results:
        if len(results) > 1:
            click.echo(f"{printable(result.query)}:")
        if not result.hits:
            click.echo("nothing meets the conditions")
            continue
        if result.hits[0].text is not None:
            _print_texts(result)
            continue
        rows = [(str(hit.id), _share(hit), _details(hit)) for hit in result.hits]
        ids, shares, details = (max(len(row[column]) for row in rows) for column in (0, 1, 2))
        shares = max(shares, len(_CLOSER)) if shares else 0
        click.echo(
            f"score  {_CLOSER if shares else '':>{shares}}  {'id':>{ids}}  {'facts':<{details}}  photo"
        )
        for at, (hit, (item_id, share, detail)) in enumerate(zip(result.hits, rows, strict=True)):
            _print_line(result, at)
            line = f"{hit.score:5.3f}  {share:>{shares}}  {item_id:>{ids}}  {detail:<{details}}"
            click.echo(f"{line}  {printable(hit.uri)}")
    if any(hit.closer_than is not None for result in results for hit in result):
        click.echo("closer than: so many random pairs of this collection score lower", err=True)


def _details(hit: Hit) -> str:
    return "  ".join(filter(None, (facts(hit.metadata), copy_note(hit))))


def _print_texts(result: SearchResult) -> None:
    """Print texts, one per line and whole, so that they can be read against each other."""
    ids = max(len(str(hit.id)) for hit in result.hits)
    shares = len(_CLOSER) if any(map(_share, result.hits)) else 0
    click.echo(f"score  {_CLOSER if shares else '':>{shares}}  {'id':>{ids}}  text")
    for at, hit in enumerate(result.hits):
        _print_line(result, at)
        notes = [f"at {hit.places:,} places"] * (hit.places > 1) + ["these words"] * hit.matched
        notes += filter(None, [copy_note(hit)])
        aside = f"  ({', '.join(notes)})" if notes else ""
        line = f"{hit.score:5.3f}  {_share(hit):>{shares}}  {hit.id:>{ids}}"
        click.echo(f"{line}  {one_line(hit.text or '')}{aside}")


def tell_order(results: list[SearchResult]) -> None:
    """Say how hits are ordered, where that shows."""
    if any(result.reranked and not _falls(result.hits) for result in results):
        click.echo("hits that are like other hits moved up; by score alone: --no-rerank", err=True)


def _falls(hits: Sequence[Hit]) -> bool:
    """Whether no hit scores higher than the one before it, as it is shown."""
    return all(f"{one.score:.3f}" >= f"{other.score:.3f}" for one, other in pairwise(hits))


def _share(hit: Hit) -> str:
    return "" if hit.closer_than is None else f"{100 * hit.closer_than:.2f} %"


def _print_line(result: SearchResult, at: int) -> None:
    """Say, before the first hit that is no closer than what has nothing to do with the query, that it is."""
    if result.background is None or result[at].score >= result.background:
        return
    if all(hit.score >= result.background for hit in result.hits[:at]):
        click.echo("----- nothing more of this kind beyond here -----")


def print_report(report: AddReport) -> None:
    """Print what an add did."""
    click.echo(tally(report))
    if report.skipped:
        click.echo(here("see why files were skipped with: lookalike info --skipped"), err=True)
    for what, counts in (("left out", report.excluded), ("left aside", report.aside)):
        if counts:
            click.echo(f"{what}: {named_counts(counts)}", err=True)
    if report.copies or report.split or report.empty:
        parts = (("copies of another text", report.copies), ("long texts in passages", report.split))
        said = [f"{what}: {count:,}" for what, count in (*parts, ("empty texts", report.empty)) if count]
        click.echo("; ".join(said), err=True)
    for remark in report.remarks:
        click.echo(printable(remark), err=True)
    if report.vanished > report.pruned:
        gone = counted(report.vanished - report.pruned, "item")
        click.echo(f"{gone} whose file is gone, or another's by a link; to remove them: --prune", err=True)
    if report.index_problem:
        click.echo(here(f"the index could not be brought up to date: {report.index_problem}"), err=True)
    if report.pruned:
        click.echo(f"removed {counted(report.pruned, 'item')} whose file is gone or left out now")


def print_info(info: Info) -> None:
    """Print the facts of a collection, one per line."""
    click.echo(f"collection  {printable(str(info.path))}")
    click.echo(f"items       {info.items:,} ({counted(info.skipped, 'file')} skipped)")
    if info.store_bytes:  # an engine keeps it elsewhere
        click.echo(f"store       {megabytes(info.store_bytes)}")
    for space in info.spaces:
        found = "" if space.recall is None else f", finds {100 * space.recall:.1f} % of the true 10 nearest"
        size = f", {megabytes(space.index_bytes)}" if space.index_bytes else ""
        click.echo(f"space       {space.name}: {counted(space.vectors, 'vector')} of {space.dim:,} numbers")
        click.echo(f"index       {space.index}{found}{size}")


def write_hits_sheet(collection: Collection, path: Path, answered: list[Answered]) -> None:
    """Write queries and hits as one picture to `path`."""
    from lookalike.faces.sheet import Cell, write_sheet  # imports what draws, which most searches do without

    rows = []
    for query, result in answered:
        examples = [each.source for each in query if each.weight > 0] if isinstance(query, list) else [query]
        shown = next((each for each in examples if isinstance(each, Path | int)), None)
        title = f"item {query}" if isinstance(query, int) else printable(getattr(query, "name", result.query))
        cells = [Cell(None if shown is None else collection.thumbnail(shown), "query", title, is_query=True)]
        cells.extend(
            Cell(
                collection.thumbnail(hit.id),
                "  ".join(filter(None, (f"{hit.score:.3f}", copy_note(hit)))),
                printable(hit.uri),
            )
            for hit in result.hits
        )
        rows.append(cells)
    write_sheet(path, rows)
    click.echo(f"wrote {printable(str(path))}", err=True)
