"""Checks every byte that can be checked, names what is damaged, and repairs what the photos can restore."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from lookalike.errors import DamagedError
from lookalike.index.file import load_index
from lookalike.store import Store
from lookalike.store.rows import ITEM_COLUMNS, item_is_sound, vector_is_sound

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was written: `what` names it, `detail` says what is wrong with it."""

    what: str
    detail: str
    item_id: int | None = None
    uri: str | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found; `items` and `vectors` count what was looked at."""

    items: int
    vectors: int
    damage: tuple[Damage, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged, or all of it was repaired."""
        return all(each.repaired for each in self.damage)
