"""`lookalike embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.faces.cli.arguments import SourceArgument
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.options import device_option, emit, json_option, pooling_option

if TYPE_CHECKING:
    from lookalike.cluster.run import EmbedReport


@click.command()
@click.argument("sources", nargs=-1, required=True, type=SourceArgument())
@click.option(
    "--to", "target", metavar="OUT", required=True, help="A folder, or an address as s3://bucket/out."
)
@click.option("--ray", metavar="HOST:PORT", help="The Ray cluster.  [default: one on this machine, for now]")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what matches, in the manner of .gitignore: 'raw/', '*.png', '!keep.png'.",
)
@click.option("--afresh", is_flag=True, help="Embed what is unchanged again, too.")
@click.option("--column", help="Texts: the column of CSV, TSV, JSON and Parquet files that holds them.")
@click.option("--encoding", metavar="NAME", help="Texts: how the files are encoded, where a guess is wrong.")
@click.option("--delimiter", metavar="SIGN", help="Texts: what parts the cells of a CSV file, as ';' or tab.")
@click.option("--texts", "kind", flag_value="text", help="Look for texts, though there may be photos, too.")
@click.option("--photos", "kind", flag_value="photo", help="Look for photos, though there may be texts, too.")
@click.option("--model", help="The model: see lookalike models.")
@pooling_option
@device_option
@json_option
def embed(sources: tuple[Path | str, ...], *, as_json: bool, **how: Any) -> None:
    """Embed SOURCES on a cluster of machines (Ray), into files from which lookalike import brings them in.

    All machines must see the sources and OUT at the same paths or addresses. Run it again after an
    interruption, or when there is more: only what is new or changed is embedded.
    """
    from lookalike.cluster.embed import embed as embed_sources
    from lookalike.cluster.run import EmbedRequest
    from lookalike.faces.contract import embed_json
    from lookalike.models.find import with_pooling
    from lookalike.progress import StepProgress

    how["model"] = with_pooling(how.pop("model"), how.pop("pooling"))
    with StepProgress(quiet=as_json) as progress:
        report = embed_sources(EmbedRequest(tuple(map(str, sources)), on_step=progress.step, **how))
    emit(embed_json(report)) if as_json else _print(report, how["target"])


def _print(report: EmbedReport, target: str) -> None:
    from lookalike.faces.text import counted, named_counts, printable

    said = f"{report.embedded:,} embedded + {report.unchanged:,} unchanged + {report.skipped:,} skipped"
    click.echo(f"found {report.found:,} = {said}")
    for reason in report.reasons:
        click.echo(printable(reason), err=True)
    for what, counts in (("left out", report.excluded), ("left aside", report.aside)):
        if counts:
            click.echo(f"{what}: {named_counts(counts)}", err=True)
    for remark in report.remarks:
        click.echo(printable(remark), err=True)
    if report.gone:
        click.echo(f"{counted(report.gone, 'item')} of earlier runs found no more, and kept", err=True)
    click.echo(here(f"next: lookalike import {printable(target)}"), err=True)
