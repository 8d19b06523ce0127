"""A collection whose copies are told by the test instead of being looked for; decisions are the real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

from lookalike import Collection
from lookalike.copies.groups import CopiesReport, Copy, CopyGroup, Level, Mapping
from lookalike.decisions import Decision
from lookalike.records import Item, OnStep
from lookalike.search.arguments import Where
from lookalike.sources.paths import AnyPath

How = tuple[tuple[str, ...], Mapping | None]


@dataclass
class Family:
    """Copies by file name, such as `{"small.jpg": (("smaller",), None)}`, of a best one."""

    best: str
    copies: dict[str, How]
    why_best: tuple[str, ...] = ("more pixels",)
    level: Level = "photo"
    is_hidden: bool = False
    """Whether it is found only by looking closely."""


@dataclass
class Found:
    """What there is to be found, and how looking goes: it waits while `go_on` is not set."""

    families: list[Family]
    error: Exception | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    looks: int = 0
    quick: int = 0
    steps: tuple[tuple[int, int | None], ...] = ((1, 4), (2, 4))
    is_looked_at: bool = False
    was_stopped: bool = False
    trashed: list[list[str]] = field(default_factory=list)
    stay: dict[str, str] = field(default_factory=dict)
    """Files that cannot be moved to the trash, and why."""


class CollectionWithCopies(Collection):
    """Has the copies that `found` tells, less what was decided to be different."""

    found: Found

    def copies(  # as that of `Collection`
        self,
        level: Level = "photo",
        *,
        where: Where = (),
        against: AnyPath | None = None,
        look: bool = True,
        on_step: OnStep | None = None,
    ) -> CopiesReport:
        if look:
            self._look(on_step)
        else:
            self.found.quick += 1
        items = {Path(item.uri).name: item for item in self.items(where=where, limit=10_000)}
        decided = {(each.first, each.second): each for each in self.decisions()}
        families = (each for each in self.found.families if each.level == level)
        known = (each for each in families if self.found.is_looked_at or not each.is_hidden)
        groups = tuple(group for each in known if (group := _group(each, items, decided)) is not None)
        count = len(items)
        return CopiesReport(groups, count, count if self.found.is_looked_at else count // 2)

    def _look(self, on_step: OnStep | None) -> None:
        found = self.found
        found.looks += 1

        def tell(done: int, total: int) -> None:
            try:
                if on_step is not None:
                    on_step("comparing", done, total)
            except BaseException:
                found.was_stopped = True
                raise

        for done, total in found.steps:
            tell(done, total)
        if found.error is not None:
            raise found.error
        while not found.go_on.wait(0.02):
            tell(*found.steps[-1])
        found.is_looked_at = True

    def trash_copies(self, group: CopyGroup, going: Set[int]) -> dict[int, str]:
        named = {item.id: Path(item.uri).name for item in group.items}
        assert any(Path(item.uri).exists() for item in group.items if item.id not in going)
        self.found.trashed.append([name for item_id, name in named.items() if item_id in going])
        stayed = {
            item_id: self.found.stay[named[item_id]] for item_id in going if named[item_id] in self.found.stay
        }
        for item in group.items:
            if item.id in going and item.id not in stayed:
                Path(item.uri).unlink()
                self.remove(item.id)
        return stayed


def _group(
    family: Family, items: dict[str, Item], decided: dict[tuple[bytes, bytes], Decision]
) -> CopyGroup | None:
    """The group of what is there and was not decided to be different from the best one."""

    def verdict(one: Item, other: Item) -> str | None:
        first, second = sorted((one.content_hash, other.content_hash))
        found = decided.get((first, second))
        return found.verdict if found is not None else None

    best = items.get(family.best)
    if best is None:
        return None
    copies = tuple(
        Copy(items[name], how, mapping)
        for name, (how, mapping) in family.copies.items()
        if name in items and verdict(best, items[name]) != "different"
    )
    if not copies:
        return None
    members = [best, *(each.item for each in copies)]
    is_decided = any(_is_settled(one, members, verdict) for one in members)
    return CopyGroup(family.level, best, family.why_best, copies, is_decided)


def _is_settled(one: Item, members: list[Item], verdict: Callable[[Item, Item], str | None]) -> bool:
    """Whether something was decided about an item and each other content, of which there are some."""
    others = [other for other in members if other.content_hash != one.content_hash]
    return bool(others) and all(verdict(one, other) is not None for other in others)
