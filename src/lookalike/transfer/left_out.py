"""What a copy leaves out, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lookalike.records import Item, Space


@dataclass(slots=True)
class LeftOut:
    """The `ids` of the items that are left out of a copy of `source`, and why."""

    source: str
    in_folder: bool
    ids: set[int] = field(default_factory=set)
    _why: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note_damaged(self, ids: Sequence[int]) -> None:
        """Leave out items of which what is stored is damaged."""
        self.ids.update(ids)
        self._note("left out: damaged", (f"id {each}" for each in ids))

    def note_without(self, space: Space, items: Sequence[Item]) -> None:
        """Leave out items without a sound vector in the space that has all items."""
        self._note(
            f"left out: the vector by {space.name} is damaged or missing",
            (each.uri for each in items if each.id not in self.ids),
        )
        self.ids.update(each.id for each in items)

    def note_vectors(self, space: Space, items: Sequence[Item]) -> None:
        """Leave out damaged vectors of a further space; their items are copied."""
        self._note(f"copied without a vector by {space.name}, which is damaged", (each.uri for each in items))

    def note_refused(self, reasons: Mapping[int, str], items: Mapping[int, Item]) -> None:
        """Leave out items that cannot be kept where they are copied to."""
        self.ids.update(reasons)
        for item_id, reason in reasons.items():
            self._note(f"only in {self.source}: {reason}", [items[item_id].uri])

    def notes(self) -> list[str]:
        """Return a line for each reason: how many, one of them, why, and what to do."""
        return [
            f"{'1 item' if count == 1 else f'{count:,} items'} "
            f"({'such as ' if count > 1 else ''}{first}) {why}{self._way_out(why)}"
            for why, (count, first) in self._why.items()
        ]

    def _way_out(self, why: str) -> str:
        if why.startswith("only in "):
            return ""
        if self.in_folder:
            return (
                f"; run lookalike verify --repair -c {self.source}, lookalike add the folders, "
                "then copy again"
            )
        return f"; run lookalike add --afresh FOLDER -c {self.source}, then copy again"

    def _note(self, why: str, names: Iterable[str]) -> None:
        for name in names:
            count, first = self._why.get(why, (0, name))
            self._why[why] = (count + 1, first)
