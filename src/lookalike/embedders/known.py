"""How much of a text a model knows: of what is beyond its vocabulary, all is one and the same to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from lookalike.models.recommended import of_many_languages
from lookalike.records import Kind

KnownShares = Callable[[Sequence[str]], list[float]]
"""What `TellsKnown.known_shares` is."""

HARDLY = 0.5
"""Below this share of known words a text is hardly readable."""

SPELLED = 0.45
"""How much is known of a word that is read letter by letter: less than half, although no two are the same."""

UNREAD = 0.4
"""Below this share, texts are near each other because they were not read."""

LONGEST_WORD = 100  # letters; in longer ones, tokenizers of words know nothing
_PLAIN_WORD = re.compile(r"[A-Za-z0-9]")


@runtime_checkable
class TellsKnown(Protocol):
    """An embedder that can tell how much of a text it knows."""

    def known_shares(self, texts: Sequence[str]) -> list[float]:
        """Return for each text which share of its words and signs with a meaning the model knows, 0 to 1."""


def known_shares(embedder: object, texts: Sequence[str]) -> list[float]:
    """Return what an embedder knows of texts; all, where it cannot tell."""
    return embedder.known_shares(texts) if isinstance(embedder, TellsKnown) else all_known(texts)


def all_known(texts: Sequence[str]) -> list[float]:
    """Stand in for what a model knows, where it cannot be asked."""
    return [1.0] * len(texts)


def is_plain(text: str) -> bool:
    """Tell by a look at the letters that any model knows something of a text, without asking one."""
    return any(len(word) <= LONGEST_WORD and _PLAIN_WORD.search(word) for word in text.split())


def share(known: float, unknown: float) -> float:
    """Return the share of known ones; of a text that says nothing, nothing is unknown."""
    return known / (known + unknown) if unknown else 1.0


def other_model(kind: Kind, reference: str) -> str:
    """Name a model that knows more languages than that of a reference, as the end of a line."""
    other = of_many_languages(kind)
    return "" if other.reference in reference else f"; for many languages: lookalike models add {other.name}"
