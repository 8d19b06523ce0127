"""How a command line says what is relevant to what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import UsageError
from lookalike.faces.cli.arguments import PathArgument

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.evaluate.truth import Truth

_OPTIONS = (
    click.option(
        "--by",
        metavar="FIELD",
        help="The label is this metadata field, or folder: the item's, below what all have in common.",
    ),
    click.option("--labels", type=PathArgument(), help="A CSV with label, and id, uri, path or file."),
    click.option("--qrels", type=PathArgument(), help="Relevance judgements in TREC's form."),
    click.option("--votes", is_flag=True, help="Take the votes given in the page for judgements."),
)


def truth_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `read_truth` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_truth(
    collection: Collection, *, by: str | None, labels: Path | None, qrels: Path | None, votes: bool
) -> Truth | None:
    """Return what the options name; None where they name nothing. Raises what reading it raises."""
    if sum(each not in (None, False) for each in (by, labels, qrels, votes)) > 1:
        raise UsageError("say one of --by, --labels, --qrels and --votes")
    from lookalike.evaluate import reading  # numpy is slow to import

    items = collection.open_space().items
    if by is not None:
        return reading.labels_by_folder(items) if by == "folder" else reading.labels_by_field(items, by)
    if labels is not None:
        return reading.labels_from_csv(labels, items)
    if qrels is not None:
        return reading.qrels(qrels, items)
    if votes:
        found = reading.from_votes(collection.votes(), items)
        if not len(found.queries):
            said = f" ({'; '.join(found.problems)})" if found.problems else ""
            raise UsageError(f"there are no votes to go by yet{said}: vote in the page, or rate at /rate")
        return found
    return None
