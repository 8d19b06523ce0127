"""Two rankings shown as one, so that those who look at it compare them without knowing.

Team-draft interleaving (Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval
quality?"): the two sides take turns in choosing their best item that is not chosen yet; who chooses first in
a turn is decided by a coin. A click counts for the side that chose the item.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeVar

Team = Literal["a", "b"]
_T = TypeVar("_T")


def team_draft(a: Sequence[_T], b: Sequence[_T], seed: str) -> list[tuple[_T, Team]]:
    """Return the items of both rankings, each once, in the order to be shown, with who chose them.

    The same seed tosses the same coins, so that longer rankings only go on where shorter ones ended, as long
    as neither side has run out.
    """
    coin = random.Random(seed)
    rankings: dict[Team, Sequence[_T]] = {"a": a, "b": b}
    next_of: dict[Team, int] = {"a": 0, "b": 0}
    shown: list[tuple[_T, Team]] = []
    taken: set[_T] = set()
    while True:
        order: tuple[Team, Team] = ("a", "b") if coin.random() < 0.5 else ("b", "a")
        for team in order:
            ranking = rankings[team]
            while next_of[team] < len(ranking) and ranking[next_of[team]] in taken:
                next_of[team] += 1
            if next_of[team] == len(ranking):
                return shown  # the other side alone would be credited for what both may have had
            item = ranking[next_of[team]]
            taken.add(item)
            shown.append((item, team))
