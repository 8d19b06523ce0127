"""`lookalike evaluate index`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.evaluate.options import number_option, report_option
from lookalike.faces.cli.options import collection_option, emit, json_option

if TYPE_CHECKING:
    from lookalike.evaluate.index import IndexReport
    from lookalike.evaluate.trial import IndexRow
    from lookalike.faces.report.blocks import Scatter, Section, Table

_NOTE = (
    "recall: the share of the true {k} nearest that is found, with its 95 % interval. ms: one query at a "
    "time in one thread; where candidates are re-scored, with reading their vectors. bytes: of the "
    "index, per item, beside the store. *: none finds as much in less time."
)


@click.command("index")
@number_option
@click.option("--queries", type=click.IntRange(1), default=512, show_default=True, help="Items to search by.")
@click.option("--sweep", is_flag=True, help="Try other settings and other indexes, too.")
@click.option("--try", "factories", multiple=True, metavar="FACTORY", help="And this one of Faiss'.")
@click.option("--memory", type=click.FloatRange(0), default=2.0, show_default=True, help="GB for one index.")
@click.option(
    "--seconds", type=click.FloatRange(0), default=120.0, show_default=True, help="For all that is tried."
)
@click.option("--space", metavar="MODEL", help="Of this one of the collection's models.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw recall against time, .png or .svg."
)
@report_option
@json_option
@collection_option
def index_command(
    plot: Path | None, report: Path | None, as_json: bool, folder: Path | None, **asked: Any
) -> None:
    """Measure what the index finds of the truth, how fast, and how large it is.

    Queries are items of the collection, the truth is exact search over all. With --sweep, other settings and
    Faiss indexes stand beside it, such as the IVF√n,PQ16 that many notebooks use. Each is told of in turn.
    """
    from lookalike.evaluate.factories import sweep
    from lookalike.evaluate.index import SweepLimits, evaluate_index
    from lookalike.faces.cli.evaluate import reporting
    from lookalike.faces.report.html import check_report
    from lookalike.faces.report.plots import check_plots, write_plot
    from lookalike.progress import StepProgress

    if plot is not None:
        check_plots(plot)
    if report is not None:
        check_report()
    with cli_options.open_collection(folder) as collection:
        opened = collection.open_space(asked["space"])
        tried: list[str] | None = list(asked["factories"])
        if asked["sweep"]:
            tried = [*sweep(opened.vectors.count(), opened.space.dim), *asked["factories"]]
        heard = _tell if tried else (lambda _: None)
        limits = SweepLimits(int(asked["memory"] * 1e9), asked["seconds"], heard)
        with StepProgress(quiet=as_json) as progress:
            found = evaluate_index(
                opened,
                k=asked["k"],
                queries=asked["queries"],
                sweep=tried or None,
                limits=limits,
                on_step=progress.step,
            )
        if as_json:
            emit(index_json(found))
        else:
            click.echo(
                f"{found.space}: {found.items:,} vectors of {found.dim:,} numbers, {found.queries:,} queries"
            )
            reporting.print_table(index_table(found))
            reporting.print_problems(problems(found))
        if plot is not None:
            write_plot(plot, frontier_plot(found))
            click.echo(f"wrote {plot}", err=True)
        if report is not None:
            title = f"What the index of {found.space} finds"
            reporting.write_report(report, title, collection, summary(found), sections(found))


def _tell(row: IndexRow) -> None:
    """Say on standard error what was just measured, above the bar of progress: a sweep takes minutes."""
    from tqdm import tqdm

    said = row.problem
    if row.recall is not None:
        said = f"recall {row.recall.mean:.4f}, {row.median_ms:.2f} ms"
    tqdm.write(f"{row.kind} {row.setting}".strip() + f": {said}", file=sys.stderr)


def index_table(found: IndexReport) -> Table:
    """Every index and setting, one per row."""
    from lookalike.faces.report.blocks import Table

    columns = ("", "index", "setting", f"recall@{found.k}", "ms", "p99 ms", "bytes", "build s")
    rows = tuple(_row(each) for each in found.rows if each.problem is None)
    return Table(columns, rows, _NOTE.format(k=found.k))


def _row(row: IndexRow) -> tuple[Any, ...]:
    size = round(row.bytes_per_item)
    marks = ("*" if row.is_best else "", row.kind, row.setting)
    return (*marks, row.recall, row.median_ms, row.p99_ms, size, row.build_seconds)


def problems(found: IndexReport) -> list[str]:
    """What was not measured, and why."""
    return [f"{each.kind}: {each.problem}" for each in found.rows if each.problem is not None]


def index_json(found: IndexReport) -> dict[str, Any]:
    """All that was measured."""
    from lookalike.faces.cli.evaluate.reporting import interval_json

    return {
        "space": found.space,
        "items": found.items,
        "dim": found.dim,
        "k": found.k,
        "queries": found.queries,
        "indexes": [
            {
                "index": each.kind,
                "setting": each.setting,
                "current": each.is_current,
                "best": each.is_best,
                "recall": None if each.recall is None else interval_json(each.recall),
                "median_ms": round(each.median_ms, 4),
                "p99_ms": round(each.p99_ms, 4),
                "bytes_per_item": round(each.bytes_per_item, 1),
                "build_seconds": round(each.build_seconds, 3),
                "problem": each.problem,
            }
            for each in found.rows
        ],
        "seconds": round(found.seconds, 3),
    }


def frontier_plot(found: IndexReport) -> Scatter:
    """Recall against time, the area of a point being bytes per item."""
    from lookalike.faces.report.blocks import Point, Scatter

    points = tuple(
        Point(
            each.median_ms,
            each.recall.mean,
            each.bytes_per_item,
            f"{each.kind} {each.setting}",
            each.kind,
            each.is_best,
        )
        for each in found.rows
        if each.recall is not None
    )
    best = [point.label for point in points if point.is_best]
    alt = f"recall@{found.k} against milliseconds for {len(points)} settings; best are {', '.join(best)}"
    return Scatter(
        "What is found against the time it takes, the best joined by a line",
        "milliseconds per query, median",
        f"recall@{found.k}",
        "area: bytes per item",
        points,
        alt,
    )


def summary(found: IndexReport) -> list[str]:
    """The report in a few sentences."""
    current = found.rows[0]
    assert current.recall is not None  # the index in use is always measured
    lines = [
        f"The index in use finds {100 * current.recall.mean:.1f} % of the true {found.k} nearest "
        f"({100 * current.recall.low:.1f}–{100 * current.recall.high:.1f} %) in {current.median_ms:.2f} ms."
    ]
    better = [
        each
        for each in found.rows[1:]
        if each.recall is not None
        and each.recall.mean >= current.recall.mean
        and each.median_ms < current.median_ms
    ]
    if better:
        fastest = min(better, key=lambda each: each.median_ms)
        lines.append(f"{fastest.kind} ({fastest.setting}) finds no less in {fastest.median_ms:.2f} ms.")
    elif len(found.rows) > 1:
        lines.append("Nothing else that was tried finds as much in less time.")
    return lines


def sections(found: IndexReport) -> list[Section]:
    """The parts of the report."""
    from lookalike.faces.report.blocks import Block, Section, Text

    blocks: list[Block] = [index_table(found), *(Text(f"Not measured: {each}.") for each in problems(found))]
    if len(found.rows) > 1:
        blocks.insert(0, frontier_plot(found))
    return [Section("Recall, time and size", tuple(blocks))]
