"""`lookalike evaluate labels`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.evaluate.options import number_option, queries_option, report_option, sheet_option
from lookalike.faces.cli.evaluate.truths import read_truth, truth_options
from lookalike.faces.cli.options import collection_option, emit, json_option
from lookalike.faces.text import printable

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.evaluate.quality import LabelsReport, QueryQuality
    from lookalike.evaluate.truth import Truth
    from lookalike.faces.cli.evaluate.reporting import PictureMaker
    from lookalike.faces.report.blocks import PictureRow, Section, Table

_HITS_SHOWN = 9
_CLASSES_SHOWN = 20  # on the terminal
_EXPLAINED = (
    "Every query ranks all candidates but itself. precision@{k}: which share of the first {k} is alike; "
    "recall@{k}: which share of all that is alike is among them; map (mean average precision): the precision "
    "at each item that is alike, averaged; ndcg: earlier ranks count more; mrr: one over the rank of the "
    "first that is alike. Intervals hold the true mean with 95 % probability (bootstrap over queries)."
)
_LINE_EXPLAINED = (
    " Above the line that divides hits from background stand the given shares of what is alike and of the "
    "others (false alarms)."
)


@click.command("labels")
@truth_options
@number_option
@click.option("--space", metavar="MODEL", help="Of this one of the collection's models.")
@queries_option
@click.option("--rerank", is_flag=True, help="Hits that are like other hits move up, as in a search.")
@sheet_option
@report_option
@json_option
@collection_option
def labels_command(
    sheet: Path | None, report: Path | None, as_json: bool, folder: Path | None, **asked: Any
) -> None:
    """Measure how well the items of a label find each other.

    Every labelled item is a query, up to --queries by chance, and all other labelled ones are ranked for it,
    exactly. With --qrels or --votes, judged items are. The measures are those of trec_eval, each with its
    95 % interval.
    """
    from lookalike.evaluate.quality import evaluate_labels
    from lookalike.faces.cli.evaluate import reporting
    from lookalike.faces.report.html import check_report
    from lookalike.progress import StepProgress

    if report is not None:
        check_report()
    with cli_options.open_collection(folder) as collection:
        opened = collection.open_space(asked.pop("space"))
        cli_options.check_sheet(collection, sheet, ": use --report")
        k, most, rerank = asked.pop("k"), asked.pop("queries"), asked.pop("rerank")
        truth = read_truth(collection, **asked)
        if truth is None:
            raise UsageError(
                "say what is alike: --by folder, --by FIELD, --labels FILE, --qrels FILE or --votes"
            )
        with StepProgress(quiet=as_json) as progress:
            found = evaluate_labels(
                opened, truth, k=k, most_queries=most, rerank=rerank, on_step=progress.step
            )
        if as_json:
            emit(labels_json(found))
        else:
            _print(found)
        if sheet is None and report is None:
            return
        worst = worst_rows(collection, truth, found)
        if sheet is not None:
            reporting.write_sheet(sheet, worst)
        if report is not None:
            title = f"How well {found.space} finds what is alike"
            reporting.write_report(report, title, collection, summary(found), sections(found, worst))


def overall_table(found: LabelsReport) -> Table:
    """The measures over all queries."""
    from lookalike.faces.report.blocks import Table, Value

    rows: list[tuple[Value, ...]] = list(found.overall.items())
    if found.line is not None:
        rows += [
            ("above the line: alike", found.line.kept),
            ("above the line: others", found.line.false_alarms),
        ]
    return Table(("measure", "mean (95 % interval)"), tuple(rows))


def classes_table(found: LabelsReport, most: int | None = None) -> Table:
    """The measures of each label, the worst first."""
    from lookalike.faces.report.blocks import Table, Value

    wanted = ("map", f"precision@{found.k}")
    rows: list[tuple[Value, ...]] = [
        (each.label, each.queries, *(each.measures[name] for name in wanted)) for each in found.classes[:most]
    ]
    more = len(found.classes) - len(rows)
    note = f"and {more:,} labels more that do better; all are in --json and --report" if more > 0 else ""
    return Table(("label", "queries", *wanted), tuple(rows), note)


def labels_json(found: LabelsReport) -> dict[str, Any]:
    """All that was measured."""
    from lookalike.faces.cli.evaluate.reporting import interval_json

    def measures(some: dict[str, Any]) -> dict[str, Any]:
        return {name: interval_json(interval) for name, interval in some.items()}

    line = found.line
    return {
        "space": found.space,
        "k": found.k,
        "queries": found.queries,
        "possible_queries": found.possible,
        "candidates": found.candidates,
        "overall": measures(found.overall),
        "line": None
        if line is None
        else {"kept": interval_json(line.kept), "false_alarms": interval_json(line.false_alarms)},
        "labels": [
            {"label": each.label, "queries": each.queries, "measures": measures(each.measures)}
            for each in found.classes
        ],
        "worst": [
            {"item": each.query, "label": each.label, "relevant": each.relevant, "measures": each.measures}
            for each in found.worst
        ],
        "problems": list(found.problems),
        "seconds": round(found.seconds, 3),
    }


def summary(found: LabelsReport) -> list[str]:
    """The report in a few sentences."""
    from lookalike.faces.report.blocks import shown

    k = found.k
    right, average = found.overall[f"precision@{k}"], found.overall["map"]
    lines = [
        f"Of the {k} nearest to a query, {100 * right.mean:.0f} % are alike "
        f"({100 * right.low:.0f}–{100 * right.high:.0f} %).",
        f"Mean average precision is {shown(average)}, over {found.queries:,} queries among "
        f"{found.candidates:,} items.",
    ]
    if found.classes:
        worst, best = found.classes[0], found.classes[-1]
        lines.append(
            f"Hardest is {shown(worst.label)} ({shown(worst.measures['map'].mean)}), "
            f"easiest {shown(best.label)} ({shown(best.measures['map'].mean)})."
        )
    return [*lines, *(f"{each}." for each in found.problems)]


def sections(found: LabelsReport, worst: list[PictureRow]) -> list[Section]:
    """The parts of the report."""
    from lookalike.faces.report.blocks import Bars, Block, Pictures, Section, Text

    overall: list[Block] = [overall_table(found), Text(explained(found))]
    parts = [Section("Over all queries", tuple(overall))]
    if found.classes:
        values = tuple((printable(each.label), each.measures["map"]) for each in found.classes[:40])
        title = "Mean average precision by label, the worst first"
        if len(found.classes) > len(values):
            title += f"; {len(found.classes) - len(values):,} more do better"
        ends = (f"{name}, {interval.mean:.2f}" for name, interval in (values[0], values[-1]))
        alt = f"{title}: from {' to '.join(ends)}"
        parts.append(
            Section("By label", (Bars(title, "mean average precision", values, alt), classes_table(found)))
        )
    if worst:
        note = "A query stands first, then what is nearest to it among the candidates."
        parts.append(Section("The queries that do worst", (Pictures(tuple(worst), note),)))
    return parts


def explained(found: LabelsReport) -> str:
    """What the measures mean, for who reads a report."""
    text = _EXPLAINED.format(k=found.k)
    if found.line is not None:
        text += _LINE_EXPLAINED
    return text


def worst_rows(collection: Collection, truth: Truth, found: LabelsReport) -> list[PictureRow]:
    """Show each of the worst queries with what is nearest to it."""
    import numpy as np

    from lookalike.evaluate.candidates import nearest
    from lookalike.faces.cli.evaluate.reporting import PictureMaker

    pictures = PictureMaker(collection, truth)
    queries = np.array([each.query for each in found.worst])
    hits = nearest(collection.open_space(found.space).vectors, queries, truth.candidates, _HITS_SHOWN)
    return [_row(pictures, each, hits[each.query]) for each in found.worst]


def _row(pictures: PictureMaker, each: QueryQuality, hits: list[tuple[int, float]]) -> PictureRow:
    from lookalike.faces.report.blocks import PictureRow

    shown = [pictures.query(each.query), *(pictures.hit(each.query, item, score) for item, score in hits)]
    name = printable(each.label or f"item {each.query}")
    title = f"{name}: average precision {each.measures['map']:.3f}, {each.relevant:,} to be found"
    return PictureRow(title, tuple(shown))


def _print(found: LabelsReport) -> None:
    from lookalike.faces.cli.evaluate.reporting import print_problems, print_table

    drawn = "" if found.queries == found.possible else f" of {found.possible:,}, drawn by chance"
    click.echo(f"{found.space}: {found.queries:,} queries{drawn}, {found.candidates:,} candidates")
    print_table(overall_table(found))
    if found.classes:
        click.echo()
        print_table(classes_table(found, _CLASSES_SHOWN))
    print_problems(found.problems)
