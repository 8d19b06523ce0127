"""The commands below `lookalike evaluate`: one file each, and what they share."""

from __future__ import annotations

import click


@click.group()
def evaluate() -> None:
    """Measure how good the answers are: of an index, on labels, of two models, by votes."""
