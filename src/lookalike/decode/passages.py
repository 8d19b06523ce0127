"""Long texts in passages: cut where a reader would pause, at most as long as the model reads."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

WINDOW = 8_000
"""Letters looked at for one passage: more than any model of sentences reads."""

_PAUSES = (
    re.compile(r"\n[ \t]*\n\s*"),  # paragraphs
    re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])"),  # sentences
    re.compile(r"\n+|(?<=[;:,])\s+"),
    re.compile(r"\s+"),  # words
)


def passages(text: str, reach: Callable[[str], int]) -> Iterator[str]:
    """Yield `text` in passages that the model reads whole; every word of it once, in order.

    `reach(text)` says how many letters of a text are read. A passage ends with a paragraph, a sentence, a
    clause or a word, whichever pause there is in the second half of what can be read; without any, as in a
    script without spaces, between two letters.
    """
    rest = text
    while rest:
        window = rest[:WINDOW]
        readable = min(reach(window), len(window))
        if readable >= len(rest):
            yield rest
            return
        end = _cut(window, max(1, readable))
        passage = rest[:end].strip()
        if passage:
            yield passage
        rest = rest[end:].lstrip()


def _cut(window: str, readable: int) -> int:
    """Return where the passage ends: after a pause at most at `readable`, not before half of it."""
    for pause in _PAUSES:
        ends = [found.start() for found in pause.finditer(window, readable // 2, readable + 1)]
        if ends and ends[-1] > 0:
            return ends[-1]
    end = readable
    while end > 1 and end < len(window) and unicodedata.combining(window[end]):  # stays with its letter
        end -= 1
    return end
