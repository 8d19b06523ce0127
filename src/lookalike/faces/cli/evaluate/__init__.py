"""The commands below `lookalike evaluate`: one file each, and what they share."""

from __future__ import annotations

import click

from lookalike.faces.cli.evaluate.compare import compare_command
from lookalike.faces.cli.evaluate.index import index_command
from lookalike.faces.cli.evaluate.labels import labels_command
from lookalike.faces.cli.evaluate.votes import votes_command


@click.group()
def evaluate() -> None:
    """Measure how good the answers are: of an index, on labels, of two models, by votes."""


for command in (index_command, labels_command, compare_command, votes_command):
    evaluate.add_command(command)
