"""Results for people: tables on the terminal, a contact sheet as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.collection import Collection
from lookalike.faces.answers import Answered
from lookalike.faces.sheet import Cell, write_sheet
from lookalike.faces.text import counted, facts, megabytes, printable
from lookalike.records import Info, SearchResult


def print_hits(results: list[SearchResult]) -> None:
    """Print the hits of each query, one per line, the path last so that it is never cut."""
    for result in results:
        if len(results) > 1:
            click.echo(f"{printable(result.query)}:")
        if not result.hits:
            click.echo("no photo meets the conditions")
            continue
        rows = [(str(hit.id), facts(hit.metadata)) for hit in result.hits]
        ids, details = (max(len(row[column]) for row in rows) for column in (0, 1))
        click.echo(f"score  {'id':>{ids}}  {'facts':<{details}}  photo")
        for hit, (item_id, detail) in zip(result.hits, rows, strict=True):
            click.echo(f"{hit.score:5.3f}  {item_id:>{ids}}  {detail:<{details}}  {printable(hit.uri)}")


def print_info(info: Info) -> None:
    """Print the facts of a collection, one per line."""
    click.echo(f"collection  {printable(str(info.path))}")
    click.echo(f"items       {info.items:,} ({counted(info.skipped, 'file')} skipped)")
    click.echo(f"store       {megabytes(info.store_bytes)}")
    for space in info.spaces:
        found = "" if space.recall is None else f", finds {100 * space.recall:.1f} % of the true 10 nearest"
        size = f", {megabytes(space.index_bytes)}" if space.index_bytes else ""
        click.echo(f"space       {space.name}: {counted(space.vectors, 'vector')} of {space.dim:,} numbers")
        click.echo(f"index       {space.index}{found}{size}")


def write_hits_sheet(collection: Collection, path: Path, answered: list[Answered]) -> None:
    """Write queries and hits as one picture to `path`."""
    rows = []
    for query, result in answered:
        title = f"item {query}" if isinstance(query, int) else printable(query.name)
        cells = [Cell(collection.thumbnail(query), "query", title, is_query=True)]
        cells.extend(
            Cell(collection.thumbnail(hit.id), f"{hit.score:.3f}", printable(hit.uri)) for hit in result.hits
        )
        rows.append(cells)
    write_sheet(path, rows)
    click.echo(f"wrote {printable(str(path))}", err=True)
