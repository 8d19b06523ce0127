"""The items of a collection in Milvus: read, found by conditions, drawn by chance."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lookalike.engine.milvus.books import Books
from lookalike.engine.milvus.client import MilvusConnection
from lookalike.engine.milvus.conditions import (
    CUT,
    Conditions,
    conditions_of,
    has_column,
    hinge_on_cut,
    one_of,
)
from lookalike.engine.milvus.layout import ITEM_FIELDS
from lookalike.engine.milvus.rows import ItemRow, decode, is_sound, item_of
from lookalike.errors import DamagedError, UsageError
from lookalike.records import FileStamp, Ids, Item, Kind, Skipped
from lookalike.store.facets import MOST_VALUES, Facets
from lookalike.store.filters import Filter
from lookalike.store.text_rows import file_of

_ASKED = 1_000  # ids of one expression
_PAGE = 4_000  # items read at a time
MOST_IDS = 16_384
"""So many rows Milvus returns at once."""
MOST_READ = 500_000
"""Items that are read for conditions which the engine cannot decide."""
_PAGES_NAMED = 3  # of texts, in which columns are looked for to be named
_LONGEST_NAMED = 200  # letters of conditions in an error
_KNOWN_SECONDS = 1.0
_FACETS_OF = 200_000  # items that facets are counted among, where there are more
CHANCES = 1 << 31
"""Each row has a number below it, drawn when it was written; see `rows.encode`."""


class MilvusItems:
    """The items, which are the rows of the default space; see `engine.protocol.EngineItems`.

    `name` is the Milvus collection that has them, `others()` those of the other spaces; `before_removal`
    hears of what is about to be removed, `changed()` that it was.
    """

    def __init__(  # the parts that it shares with the engine
        self,
        books: Books,
        name: str,
        kind: Kind,
        others: Callable[[], list[str]],
        before_removal: Callable[[list[int]], None],
        changed: Callable[[], None],
    ) -> None:
        self._connection = books.connection
        self.name = name
        self._kind = kind
        self._books = books
        self._others = others
        self._before_removal = before_removal
        self._has_changed = changed
        self._facets: tuple[int, Facets] | None = None
        self._had_some_at = -1e9
        self._lock = threading.Lock()

    def count(self) -> int:
        """How many items there are."""
        return self._connection.count(self.name)

    def is_empty(self) -> bool:
        """Whether there are none; remembered for a second where there are some."""
        if time.monotonic() - self._had_some_at > _KNOWN_SECONDS:
            if not self._connection.query(self.name, "id > 0", ["id"], limit=1):
                return True
            self._had_some_at = time.monotonic()
        return False

    def get(self, item_ids: Sequence[int]) -> dict[int, Item]:
        """Return those of the items that exist and are sound, by id."""
        found = {row.id: item_of(row, self._kind) for row in self.sound_rows(item_ids)}
        return {item_id: found[item_id] for item_id in sorted(found)}

    def sound_rows(self, item_ids: Sequence[int]) -> list[ItemRow]:
        """Return those of the items that exist and are sound, as they are stored."""
        return [decode(row) for row in self.read(item_ids) if is_sound(row, self._kind)]

    def damaged(self, item_ids: Sequence[int]) -> tuple[int, ...]:
        """Return those of the items that exist but are not what was written."""
        return tuple(sorted(row["id"] for row in self.read(item_ids) if not is_sound(row, self._kind)))

    def by_uri(self, uri: str) -> Item | None:
        """Return the item of a uri, or None."""
        rows = self._connection.query(self.name, one_of("uri", [uri]), ITEM_FIELDS)
        if not rows and self._kind == "text":
            places = self._books.by_uri("places", [uri])
            return self.get([places[0].item]).get(places[0].item) if places else None
        return item_of(decode(rows[0]), self._kind) if rows else None

    def by_uris(self, uris: Sequence[str]) -> dict[str, Item]:
        """Return the items of some uris, by uri, but what was written a moment ago."""
        wanted, found = list(dict.fromkeys(uris)), dict[str, Item]()
        for at in range(0, len(wanted), _ASKED):
            some = one_of("uri", wanted[at : at + _ASKED])
            for row in self._connection.query(self.name, some, ITEM_FIELDS, at_once=True):
                found[row["uri"]] = item_of(decode(row), self._kind)
        return found

    def with_content(self, hashes: Sequence[bytes]) -> list[str]:
        """Return the uris of the items whose content has one of these sha256, but those of a moment ago."""
        wanted, found = list(dict.fromkeys(each.hex() for each in hashes)), list[str]()
        for at in range(0, len(wanted), _ASKED):
            some = one_of("sha256", wanted[at : at + _ASKED])
            found += [row["uri"] for row in self._connection.query(self.name, some, ["uri"], at_once=True)]
        return found

    def pages(self) -> Iterator[list[Item]]:
        """Yield all items in the order of their ids, some at a time; one that is not sound is left out."""
        for rows in self.read_pages(""):
            yield [item_of(decode(row), self._kind) for row in rows if is_sound(row, self._kind)]

    def matching(self, filters: Sequence[Filter], *, after: int = 0, limit: int = -1) -> Ids:
        """Return the ids of the items that meet all conditions, ascending: up to `limit` beyond `after`."""
        conditions = self.conditions(filters)
        found: list[int] = []
        for ids in self._matching_pages(conditions, after, limit):
            found += ids
            if 0 <= limit <= len(found):
                return np.array(found[:limit], np.int64)
        if not found and not after:
            self.check_columns(filters)
        return np.array(found, np.int64)

    def conditions(self, filters: Sequence[Filter]) -> Conditions:
        """Return conditions as they are asked of the engine; raises `UsageError`."""
        texts = self._kind == "text"
        conditions = conditions_of(filters, texts=texts)
        if hinge_on_cut(filters, texts=texts) and self._connection.query(self.name, CUT, ["id"], limit=1):
            return conditions_of(filters, texts=texts, some_cut=True)
        return conditions

    def random(self, filters: Sequence[Filter], count: int) -> list[int]:
        """Return the ids of up to `count` different items that meet all conditions, in random order."""
        chance, conditions = np.random.default_rng(), self.conditions(filters)
        where = conditions.expression
        total = self._connection.count(self.name, where) if conditions.is_exact else 0
        if total <= max(_ASKED, 8 * count):
            return [int(each) for each in chance.permutation(self.matching(filters))[:count]]
        window = drawn_by_chance(min(1.0, (2 * count + 32) / total), secrets.randbelow(CHANCES))
        both = f"({window}) and ({where})" if where else window
        ids = [row["id"] for row in self._connection.query(self.name, both, ["id"], limit=MOST_IDS)]
        return [ids[at] for at in chance.permutation(len(ids))[:count]]

    def facets(self) -> Facets:
        """Return what the items can be filtered by; read anew when their number has changed."""
        total = self.count()
        with self._lock:
            if self._facets is None or self._facets[0] != total:
                self._facets = (total, self._read_facets())
            return self._facets[1]

    def count_skipped(self) -> int:
        """How many inputs are on record as skipped."""
        return self._books.count("skipped")

    def skipped(self) -> Iterator[Skipped]:
        """Yield the inputs on record as skipped, by uri."""
        entries = [each for page in self._books.pages("skipped") for each in page]
        for each in sorted(entries, key=lambda entry: entry.name):
            size, mtime_ns = each.data["size"], each.data["mtime_ns"]
            stamp = None if size is None else FileStamp(size, mtime_ns)
            yield Skipped(each.name, each.data["reason"], stamp, bool(each.data["lasting"]))

    def remove(self, item_ids: Sequence[int]) -> int:
        """Remove items with their vectors in all spaces; returns how many there were.

        The default space's come last, so that whatever interrupts this leaves items, not vectors without one.
        """
        there = [
            row["id"]
            for at in range(0, len(item_ids), _ASKED)
            for row in self._ids(item_ids[at : at + _ASKED])
        ]
        self._before_removal(there)
        for name in (*self._others(), self.name):
            for at in range(0, len(there), _ASKED):
                self._connection.delete(name, one_of("id", there[at : at + _ASKED]))
        if there:
            self._had_some_at = -1e9
            self._has_changed()
        return len(there)

    def _ids(self, item_ids: Sequence[int]) -> list[dict[str, Any]]:
        some = one_of("id", (int(each) for each in item_ids))
        return self._connection.query(self.name, some, ["id"], strong=True)

    def read(self, item_ids: Sequence[int], more: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the rows of those items that exist, with `ITEM_FIELDS` and more fields."""
        found: list[dict[str, Any]] = []
        for at in range(0, len(item_ids), _ASKED):
            some = one_of("id", (int(each) for each in item_ids[at : at + _ASKED]))
            found += self._connection.query(self.name, some, [*ITEM_FIELDS, *more])
        return found

    def read_pages(
        self, expression: str, fields: Sequence[str] = ITEM_FIELDS, size: int = _PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows that meet an expression in the order of their ids, `size` at a time."""
        yield from pages_of(self._connection, self.name, expression, fields, size)

    def places_of(self, item_ids: Sequence[int]) -> list[tuple[str, int]]:
        """Return uri and item of every place of some texts."""
        if self._kind == "photo":
            return []
        return [(each.uri, each.item) for each in self._books.by_item("places", item_ids)]

    def _matching_pages(self, conditions: Conditions, after: int, limit: int) -> Iterator[list[int]]:
        if conditions.is_exact:
            size = min(MOST_IDS, limit) if limit > 0 else MOST_IDS
            for page in pages_of(self._connection, self.name, conditions.expression, ["id"], size, after):
                yield [row["id"] for row in page]
            return
        fields, read = ["id", "uri", "sha256", "size", "mtime_ns", "metadata", "text", "places"], 0
        for page in pages_of(self._connection, self.name, conditions.expression, fields, _PAGE, after):
            if read >= MOST_READ:
                raise too_many_to_read(conditions)
            read += len(page)
            rows = [decode(row) for row in page]
            found = conditions.among(rows, self.places_of([row.id for row in rows]))
            yield [row.id for row in rows if row.id in found]

    def check_columns(self, filters: Sequence[Filter]) -> None:
        """Refuse a condition, of those that no text meets, on a column that no text has."""
        from lookalike.engine.milvus.text_columns import check_columns

        unknown = [each for each in filters if not self._has_column(each)]
        if not unknown:
            return
        pages = self.read_pages("", ["id", "metadata"])
        if not self._connection.query(self.name, CUT, ["id"], limit=1):
            pages = itertools.islice(pages, _PAGES_NAMED)  # nobody has it; these tell what there is
        check_columns(pages, unknown)

    def _has_column(self, condition: Filter) -> bool:
        if self._kind == "photo" or not hinge_on_cut([condition], texts=True):
            return True
        there = has_column(condition.field)
        return bool(self._connection.query(self.name, there, ["id"], limit=1))

    def _read_facets(self) -> Facets:
        cameras: Counter[str] = Counter()
        folders: Counter[str] = Counter()
        moments: list[str] = []
        is_text = self._kind == "text"
        total = self.count()
        share = min(1.0, _FACETS_OF / max(1, total))
        sample = "" if share == 1 else drawn_by_chance(share, 0)
        for page in self.read_pages(sample, ["id", "uri", *([] if is_text else ["metadata"])]):
            for row in page:
                folders[file_of(row["uri"]) if is_text else os.path.dirname(row["uri"])] += 1  # noqa: PTH120
            if not is_text:
                facts = [json.loads(row["metadata"]) for row in page]
                cameras.update(each["camera"] for each in facts if isinstance(each.get("camera"), str))
                moments += [each["taken"] for each in facts if isinstance(each.get("taken"), str)]
                moments = [min(moments), max(moments)] if moments else []
        if is_text and len(folders) > MOST_VALUES:
            files, folders = folders, Counter()
            for file, count in files.items():
                folders[os.path.dirname(file)] += count  # noqa: PTH120  # uris
        for counted in (cameras, folders) if share < 1 else ():
            counted.update({name: round(count / share) - count for name, count in counted.items()})
        known = sorted(cameras.items(), key=lambda each: (-each[1], each[0]))[:MOST_VALUES]
        first_and_last = (moments[0], moments[1]) if moments else None
        listed = tuple(folders.most_common(MOST_VALUES))
        return Facets(tuple(known), listed, first_and_last, is_estimate=share < 1)


def too_many_to_read(conditions: Conditions) -> UsageError:
    """Return the error that names the conditions for which more items would have to be read than is done."""
    named = " ".join(f"{each.field}{each.operator}{each.value}" for each in conditions.inexact)
    shown = named if len(named) <= _LONGEST_NAMED else f"{named[:_LONGEST_NAMED]}…"
    return UsageError(
        f"Milvus cannot look up {shown!r}, and of more than {MOST_READ:,} items each would have to be read; "
        "write it without * and ? but at its end, or add a condition that leaves fewer items"
    )


def drawn_by_chance(share: float, start: int) -> str:
    """Return the expression for about that share of all items, from some `start` below `CHANCES` on."""
    end = start + int(CHANCES * share)
    if share >= 1:
        return "chance >= 0"
    if end > CHANCES:
        return f"chance >= {start} or chance < {end - CHANCES}"
    return f"chance >= {start} and chance < {end}"


def pages_of(  # a query has as many parts
    connection: MilvusConnection,
    name: str,
    expression: str,
    fields: Sequence[str],
    size: int,
    after: int = 0,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows that meet an expression in the order of their ids, `size` at a time, beyond an id."""
    also = f" and ({expression})" if expression else ""
    while True:
        page = connection.query(name, f"id > {after}{also}", list(fields), limit=size)
        if not page:
            return
        page.sort(key=lambda row: row["id"])
        if page[0]["id"] <= after:
            raise DamagedError(f"{connection.address} lists items out of order: it is damaged")
        yield page
        after = page[-1]["id"]
