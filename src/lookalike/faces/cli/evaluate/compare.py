"""`lookalike evaluate compare`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.evaluate.options import number_option, queries_option, report_option, sheet_option
from lookalike.faces.cli.evaluate.truths import read_truth, truth_options
from lookalike.faces.cli.options import collection_option, emit, json_option

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.evaluate.compare import CompareReport, DifferingQuery, Side
    from lookalike.evaluate.truth import Truth
    from lookalike.faces.report.blocks import PictureRow, Section, Table

_BY_INDEX, _RERANKED = "@index", "@rerank"
_ANSWERS_SHOWN = 6
_CERTAIN = 0.05


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@truth_options
@number_option
@queries_option
@sheet_option
@report_option
@json_option
@collection_option
def compare_command(
    sheet: Path | None, report: Path | None, as_json: bool, folder: Path | None, **asked: Any
) -> None:
    """Compare two ways to answer, A and B, on the same queries.

    Each is a model of the collection, or the folder of another collection (its items are recognised by their
    content). Answers are exact and in the plain order; NAME@index takes those of the index, NAME@rerank those
    of search --rerank. What is alike is said as for evaluate labels; without it, the answers are compared
    with each other.
    """
    from lookalike.evaluate.compare import compare, matching
    from lookalike.faces.cli.evaluate import reporting
    from lookalike.faces.report.html import check_report
    from lookalike.progress import StepProgress

    if report is not None:
        check_report()
    names, k, most = (asked.pop("a"), asked.pop("b")), asked.pop("k"), asked.pop("queries")
    if names[0] == names[1]:
        raise UsageError(f"{names[0]} is compared with itself; name two")
    with cli_options.open_collection(folder) as collection, ExitStack() as opened:
        main, other = (_collection(name, collection, opened) for name in names)
        first = _side(main, names[0], None)
        second = _side(other, names[1], None if other is main else matching(main, other))
        cli_options.check_sheet(main, sheet, ": use --report")
        cli_options.check_sheet(other, sheet, ": use --report")
        truth = read_truth(main, **asked)
        with StepProgress(quiet=as_json) as progress:
            found = compare(first, second, truth, k=k, most_queries=most, on_step=progress.step)
        emit(compare_json(found)) if as_json else _print(found)
        rows = differing_rows(main, truth, found) if sheet is not None or report is not None else []
        if sheet is not None:
            reporting.write_sheet(sheet, rows)
        if report is not None:
            title = f"{found.a} and {found.b} compared"
            reporting.write_report(report, title, main, summary(found), sections(found, rows))


def _collection(name: str, collection: Collection, opened: ExitStack) -> Collection:
    """Return the collection that a side is in: that of a folder, or the one that was named."""
    path = Path(_plain(name))
    if not (path / "store.sqlite").is_file():
        return collection
    if path.absolute() == collection.path:
        raise UsageError(f"{path} is the collection itself: name its models, or give --collection another")
    return opened.enter_context(cli_options.open_collection(path))


def _side(collection: Collection, name: str, ids: dict[int, int] | None) -> Side:
    from lookalike.evaluate.compare import Side

    plain = _plain(name)
    space = None if (Path(plain) / "store.sqlite").is_file() else plain
    opened = collection.open_space(space)
    return Side(name, opened, name.endswith(_BY_INDEX), ids, rerank=name.endswith(_RERANKED))


def _plain(name: str) -> str:
    return name.removesuffix(_BY_INDEX).removesuffix(_RERANKED)


def measures_table(found: CompareReport) -> Table:
    """Both sides' measures and their difference."""
    from lookalike.faces.report.blocks import Table

    columns = ("measure", found.a, found.b, "B − A (95 % interval)", "p", "B better", "worse", "equal")
    rows = [
        (
            one.measure,
            one.a.mean,
            one.b.mean,
            one.difference,
            f"{one.p:.4f}",
            one.better,
            one.worse,
            one.equal,
        )
        for one in found.measures
    ]
    return Table(
        columns, tuple(rows), "Decide by map: of several measures, one differs by chance more easily."
    )


def costs_table(found: CompareReport) -> Table:
    """What both sides take."""
    from lookalike.faces.report.blocks import Table

    rows = [
        (name, cost.median_ms, cost.vector_bytes, round(cost.index_bytes))
        for name, cost in zip((found.a, found.b), found.costs, strict=True)
    ]
    return Table(("", "ms per search", "bytes of a vector", "bytes of the index, per item"), tuple(rows))


def compare_json(found: CompareReport) -> dict[str, Any]:
    """All that was measured."""
    from lookalike.faces.cli.evaluate.reporting import interval_json

    return {
        "a": found.a,
        "b": found.b,
        "k": found.k,
        "queries": found.queries,
        "items": found.items,
        "measures": [
            {
                "measure": one.measure,
                "a": interval_json(one.a),
                "b": interval_json(one.b),
                "difference": interval_json(one.difference),
                "p": round(one.p, 6),
                "better": one.better,
                "worse": one.worse,
                "equal": one.equal,
            }
            for one in found.measures
        ],
        "overlap": interval_json(found.overlap),
        "differing": [
            {"item": each.query, "a": each.a, "b": each.b, "hits_a": each.answers_a, "hits_b": each.answers_b}
            for each in found.differing
        ],
        "costs": [
            {
                "median_ms": None if cost.median_ms is None else round(cost.median_ms, 4),
                "vector_bytes": cost.vector_bytes,
                "index_bytes_per_item": round(cost.index_bytes, 1),
            }
            for cost in found.costs
        ],
        "problems": list(found.problems),
        "seconds": round(found.seconds, 3),
    }


def summary(found: CompareReport) -> list[str]:
    """The comparison in a few sentences."""
    lines = []
    if found.measures:
        one = found.measures[0]
        better, gap = (
            (found.b, one.difference.mean) if one.difference.mean > 0 else (found.a, -one.difference.mean)
        )
        if one.p <= _CERTAIN:
            lines.append(
                f"{better} is better: its mean average precision is {gap:.3f} higher (p = {one.p:.4f}, "
                f"{found.queries:,} queries)."
            )
        else:
            lines.append(
                f"No difference is shown: {gap:.3f} in mean average precision may be chance "
                f"(p = {one.p:.2f}, {found.queries:,} queries)."
            )
    share = 100 * found.overlap.mean
    lines.append(f"Of the {found.k} nearest, both have {share:.0f} % in common, over {found.items:,} items.")
    return [*lines, *(f"{each}." for each in found.problems)]


def sections(found: CompareReport, rows: list[PictureRow]) -> list[Section]:
    """The parts of the report."""
    from lookalike.faces.report.blocks import Bars, Pictures, Section

    parts = []
    if found.measures:
        values = tuple((one.measure, one.difference) for one in found.measures)
        title = f"{found.b} minus {found.a}: to the right of the line, {found.b} is better"
        alt = f"{title}: " + ", ".join(f"{name} {gap.mean:+.3f}" for name, gap in values)
        bars = Bars(title, "difference with its 95 % interval", values, alt, zero=True)
        parts.append(Section("Quality", (measures_table(found), bars)))
    parts.append(Section("Cost", (costs_table(found),)))
    if rows:
        parts.append(Section("Where they differ most", (Pictures(tuple(rows)),)))
    return parts


def differing_rows(collection: Collection, truth: Truth | None, found: CompareReport) -> list[PictureRow]:
    """Show the queries that differ most, first A's answers and then B's."""
    from lookalike.faces.cli.evaluate.reporting import PictureMaker
    from lookalike.faces.report.blocks import PictureRow

    pictures = PictureMaker(collection, truth)
    rows = []
    for each in found.differing:
        for name, value, answers in ((found.a, each.a, each.answers_a), (found.b, each.b, each.answers_b)):
            hits = (pictures.hit(each.query, item) for item in answers[:_ANSWERS_SHOWN])
            title = _titled(each, name, value, measured=truth is not None)
            rows.append(PictureRow(title, (pictures.query(each.query), *hits)))
    return rows


def _titled(each: DifferingQuery, name: str, value: float, *, measured: bool) -> str:
    said = f"average precision {value:.3f}" if measured else f"{100 * value:.0f} % in common"
    return f"item {each.query}, {name}: {said}"


def _print(found: CompareReport) -> None:
    from lookalike.faces.cli.evaluate.reporting import print_problems, print_table

    for line in summary(found):
        click.echo(line)
    click.echo()
    if found.measures:
        print_table(measures_table(found))
        click.echo()
    print_table(costs_table(found))
    print_problems(found.problems)
