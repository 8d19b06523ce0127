"""Options that the commands of evaluation share, without what is slow to import."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(path_type=Path, dir_okay=False)

number_option = click.option(
    "--number", "-k", "k", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many hits."
)
queries_option = click.option(
    "--queries", type=click.IntRange(1), default=2000, show_default=True, help="At most so many."
)
sheet_option = click.option("--sheet", type=_FILE, help="Write the queries worth seeing as one picture.")
report_option = click.option("--report", type=_FILE, help="Write all of it as one HTML file.")
