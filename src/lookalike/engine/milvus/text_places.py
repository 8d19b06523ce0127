"""Texts that one writer has seen leave their last place while another has found them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lookalike.engine.milvus.books import Entry
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.layout import ITEM_FIELDS, books_name, vectors_name
from lookalike.engine.milvus.rows import decode, is_sound
from lookalike.engine.milvus.scratch import NOT_READ, Changed, Scratch

_ASKED = 1_000


@dataclass(frozen=True, slots=True)
class TextPlaces:
    """What the books say of texts that are about to be removed from the scratch store of one writer."""

    engine: MilvusEngine
    scratch: Scratch

    def put_back(self, gone: Sequence[int], changed: Changed) -> set[int]:
        """Put those back that stand at places of which the scratch store does not know; returns their ids."""
        elsewhere = self._elsewhere(gone, changed)
        for at in range(0, len(elsewhere), _ASKED):
            self._put(dict(list(elsewhere.items())[at : at + _ASKED]))
        return {item_id for item_id in elsewhere if self.scratch.item(item_id) is not None}

    def _elsewhere(self, gone: Sequence[int], changed: Changed) -> dict[int, list[Entry]]:
        """Return the places of each text but those that this writer has just changed."""
        books = books_name(self.engine.address.name)
        self.engine.connection.query(books, 'key == ""', ["key"], strong=True)
        found: dict[int, list[Entry]] = {}
        for entry in self.engine.books.by_item("places", gone):
            if entry.uri not in changed.books["places"]:
                found.setdefault(entry.item, []).append(entry)
        return found

    def _put(self, elsewhere: dict[int, list[Entry]]) -> None:
        some = one_of("id", elsewhere)
        for space in sorted(self.scratch.spaces, key=lambda each: not each.is_default):
            name = vectors_name(self.engine.address.name, space.id)
            fields = list(ITEM_FIELDS) if space.is_default else ["id"]
            for row in self.engine.connection.query(name, some, fields, strong=True):
                if space.is_default:
                    places = sorted(elsewhere[row["id"]], key=lambda each: (len(each.uri), each.uri))
                    item = replace(decode(row), uri=places[0].uri)
                    self.scratch.put_item(item, {space.id: NOT_READ}, sound=is_sound(row, "text"))
                    for entry in places:
                        self.scratch.put_entry(entry)
                elif self.scratch.item(row["id"]) is not None:
                    sql = f"INSERT OR REPLACE INTO vectors_{space.id} VALUES (?, 0, 0, x'')"
                    self.scratch.connection.execute(sql, (row["id"],))
