"""The books of a collection in Milvus: small rows under names of their own, found by uri or by item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lookalike.engine.milvus.client import MilvusConnection
from lookalike.engine.milvus.conditions import one_of, quoted
from lookalike.engine.milvus.layout import MOST_BYTES
from lookalike.errors import DamagedError, UsageError

_FIELDS = ["key", "book", "uri", "item", "seq", "data"]
_PAGE = 1_000
_ASKED = 500  # values of one expression


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a book: `name` tells it from others of that book, `uri` and `item` are what it is found by."""

    book: str
    name: str
    data: dict[str, Any]
    uri: str = ""
    item: int = 0
    seq: int = 0

    @property
    def key(self) -> str:
        """What Milvus tells rows by."""
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self.book}:{digest[:60]}"


@dataclass(frozen=True, slots=True)
class Books:
    """The books of one collection; raises what `MilvusConnection` raises, and `DamagedError`."""

    connection: MilvusConnection
    name: str = field(default="")

    def put(self, entries: Iterable[Entry]) -> None:
        """Write entries in the place of those of the same name; raises `UsageError` for too long a one."""
        rows = [_row(each) for each in entries]
        for at in range(0, len(rows), _PAGE):
            self.connection.upsert(self._collection, rows[at : at + _PAGE])

    def delete(self, entries: Sequence[Entry]) -> None:
        """Delete entries, by book and name."""
        for at in range(0, len(entries), _ASKED):
            keys = (each.key for each in entries[at : at + _ASKED])
            self.connection.delete(self._collection, one_of("key", keys))

    def get(self, book: str, names: Sequence[str]) -> list[Entry]:
        """Return those of the entries that there are."""
        found: list[Entry] = []
        for at in range(0, len(names), _ASKED):
            keys = (Entry(book, name, {}).key for name in names[at : at + _ASKED])
            found += self._read(one_of("key", keys))
        return found

    def by_uri(self, book: str, uris: Sequence[str]) -> list[Entry]:
        """Return the entries of some uris."""
        found: list[Entry] = []
        for at in range(0, len(uris), _ASKED):
            found += self._read(f"book == {quoted(book)} and {one_of('uri', uris[at : at + _ASKED])}")
        return found

    def by_item(self, book: str, items: Sequence[int]) -> list[Entry]:
        """Return the entries of some items."""
        found: list[Entry] = []
        for at in range(0, len(items), _ASKED):
            some = one_of("item", (int(each) for each in items[at : at + _ASKED]))
            found += [each for page in self.pages(book, some) for each in page]
        return found

    def pages(self, book: str, expression: str = "") -> Iterator[list[Entry]]:
        """Yield the entries of a book that meet an expression, some at a time, in no order."""
        last, also = "", f" and ({expression})" if expression else ""
        while True:
            where = f"book == {quoted(book)} and key > {quoted(last)}{also}"
            rows = self.connection.query(self._collection, where, _FIELDS, limit=_PAGE)
            if not rows:
                return
            yield [_entry(row) for row in rows]
            last = max(row["key"] for row in rows)

    def count(self, book: str) -> int:
        """How many entries a book has."""
        return self.connection.count(self._collection, f"book == {quoted(book)}")

    def _read(self, expression: str) -> list[Entry]:
        return [_entry(row) for row in self.connection.query(self._collection, expression, _FIELDS)]

    @property
    def _collection(self) -> str:
        return self.name or self.connection.address.name


def _row(entry: Entry) -> dict[str, Any]:
    data = json.dumps(entry.data, ensure_ascii=False)
    if (
        max(len(data.encode("utf-8", "surrogatepass")), len(entry.uri.encode("utf-8", "surrogatepass")))
        > MOST_BYTES
    ):
        raise UsageError(
            f"an entry of more than {MOST_BYTES:,} bytes, which Milvus does not take: {data[:80]}…"
        )
    return {
        "key": entry.key,
        "book": entry.book,
        "uri": entry.uri,
        "item": entry.item,
        "seq": entry.seq,
        "data": json.dumps({"name": entry.name, "data": entry.data}, ensure_ascii=False),
        "unused": [0.0, 0.0],
    }


def _entry(row: dict[str, Any]) -> Entry:
    try:
        held = json.loads(row["data"])
        return Entry(row["book"], held["name"], held["data"], row["uri"], row["item"], row["seq"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(
            f"the books of the collection are damaged: {row.get('key')!r} cannot be read"
        ) from error
