"""`lookalike evaluate votes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.evaluate.options import number_option, report_option
from lookalike.faces.cli.options import collection_option, emit, json_option

if TYPE_CHECKING:
    from lookalike.evaluate.votes import PairwiseResult, VotesReport
    from lookalike.faces.report.blocks import Section, Table

_CERTAIN = 0.05
_NOTE = (
    "Over judged items only: what nobody judged is passed over, not counted as wrong (condensed lists, "
    "Sakai 2007)."
)


@click.command("votes")
@number_option
@report_option
@json_option
@collection_option
def votes_command(k: int, report: Path | None, as_json: bool, folder: Path | None) -> None:
    """Say what clicks and votes in the page come to.

    With lookalike serve --ab A B, both models answer in turns, and a round is won by whose hits are opened
    and liked more. Votes on hits, and those of the page /rate, are judgements to measure every model on.
    """
    from lookalike.evaluate.votes import evaluate_votes
    from lookalike.faces.cli.evaluate import reporting
    from lookalike.faces.report.html import check_report

    if report is not None:
        check_report()
    with cli_options.open_collection(folder) as collection:
        found = evaluate_votes(collection, k=k)
        if as_json:
            emit(votes_json(found))
        else:
            for line in summary(found):
                click.echo(line)
            for table in tables(found):
                click.echo()
                reporting.print_table(table)
            reporting.print_problems(found.problems)
        if report is not None:
            title = "What people's votes say"
            reporting.write_report(report, title, collection, summary(found), sections(found))


def verdict(duel: PairwiseResult) -> str:
    """A duel in a sentence or two."""
    decided = duel.wins_a + duel.wins_b
    score = f"{duel.a} won {duel.wins_a:,} rounds, {duel.b} {duel.wins_b:,}, {duel.ties:,} were even"
    if duel.p <= _CERTAIN:
        better = duel.a if duel.wins_a > duel.wins_b else duel.b
        return f"{better} is better: {score} (p = {duel.p:.4f})."
    if duel.needed is None:
        return f"Nothing is decided: {score}."
    more = f"about {duel.needed:,} more decided rounds would settle it, if they go on like these"
    return f"Not decided after {decided:,} rounds: {score} (p = {duel.p:.2f}); {more}."


def summary(found: VotesReport) -> list[str]:
    """All of it in a few sentences."""
    lines = [verdict(duel) for duel in found.pairwise_results]
    if found.spaces:
        best = max(found.spaces, key=lambda one: one.measures["map"].mean)
        lines.append(
            f"On {found.judgements:,} judgements of {found.queries:,} queries, {best.space} ranks best: mean "
            f"average precision {best.measures['map'].mean:.3f}."
        )
    return lines


def tables(found: VotesReport) -> list[Table]:
    """Duels and judged quality."""
    from lookalike.faces.report.blocks import Table, Value

    shown = []
    if found.pairwise_results:
        columns = ("A", "B", "A won", "B won", "even", "A's share (95 % interval)", "p", "more needed")
        rows: tuple[tuple[Value, ...], ...] = tuple(
            (one.a, one.b, one.wins_a, one.wins_b, one.ties, one.share, f"{one.p:.4f}", one.needed)
            for one in found.pairwise_results
        )
        shown.append(Table(columns, rows))
    if found.spaces:
        names = tuple(found.spaces[0].measures)
        quality: tuple[tuple[Value, ...], ...] = tuple(
            (one.space, one.queries, *one.measures.values()) for one in found.spaces
        )
        shown.append(Table(("model", "queries", *names), quality, _NOTE))
    return shown


def votes_json(found: VotesReport) -> dict[str, Any]:
    """All that was counted and measured."""
    from lookalike.faces.cli.evaluate.reporting import interval_json

    return {
        "duels": [
            {
                "a": one.a,
                "b": one.b,
                "wins_a": one.wins_a,
                "wins_b": one.wins_b,
                "ties": one.ties,
                "share_a": None if one.share is None else interval_json(one.share),
                "p": round(one.p, 6),
                "more_needed": one.needed,
            }
            for one in found.pairwise_results
        ],
        "judgements": found.judgements,
        "queries": found.queries,
        "models": [
            {
                "model": one.space,
                "queries": one.queries,
                "measures": {name: interval_json(interval) for name, interval in one.measures.items()},
            }
            for one in found.spaces
        ],
        "problems": list(found.problems),
    }


def sections(found: VotesReport) -> list[Section]:
    """The parts of the report."""
    from lookalike.faces.report.blocks import Section

    titles = (["Rounds won"] if found.pairwise_results else []) + (
        ["Quality on judgements"] if found.spaces else []
    )
    return [Section(title, (table,)) for title, table in zip(titles, tables(found), strict=True)]
