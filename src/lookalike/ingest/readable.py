"""What is said of texts that a model can hardly read."""

from __future__ import annotations

from lookalike.embedders.known import other_model
from lookalike.records import Space


def hardly_readable(count: int, embedded: int, space: Space) -> tuple[str, ...]:
    """Say how many of the texts embedded are hardly readable by the model of a space; nothing if none is."""
    if not count:
        return ()
    texts = f"{count:,} of {embedded:,} new texts {'is' if count == 1 else 'are'}"
    return (
        f"{texts} hardly readable by the model {space.name}, which knows less than half of their words: "
        f"search --hybrid finds exact words{other_model(space.kind, space.reference)}",
    )
