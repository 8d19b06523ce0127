"""Options that the commands of evaluation share, without what is slow to import."""

from __future__ import annotations

from pathlib import Path

import click

report_option = click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write all of it as one HTML file."
)
