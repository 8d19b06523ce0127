"""The list of tables, read from a file's pages themselves where SQLite cannot follow it any more.

That list is a tree of rows like any other, whose first page is the first of the file. A damaged page of it
hides all tables at once, while the pages that name them are still there.

The format: https://www.sqlite.org/fileformat2.html#b_tree_pages
"""

from __future__ import annotations

import mmap
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any

_FILE_HEADER = 100
_PAGE_SIZE_AT, _FREE_AT = 16, 32
_LEAF = 0x0D  # of a table
_KINDS = ("table", "index", "view")
_OF_INDEXES = {0x02, 0x0A}  # kinds of pages; tables without row ids have them, too
_OF_TREES = {0x05, 0x0D, *_OF_INDEXES}
_WITHOUT_PAGES = ("CREATE VIRTUAL", "CREATE VIEW")
_TEXT, _NULL = 13, 0  # types of a value; texts have this one and the odd ones above
_COLUMNS = 5

Row = tuple[str, str, str, int, str | None]
"""Type, name, table, first page, statement."""


def rebuild_list(path: Path) -> None:
    """Give the file at `path`, which has no log, a list of all the tables that its pages tell of.

    The list that it had is given up; where nothing tells of a table, it has none.
    """
    rows = read_list(path)
    with path.open("rb+") as file:
        size = _page_size(file.read(_FILE_HEADER))
        file.seek(_FILE_HEADER)
        empty = bytes([_LEAF, 0, 0, 0, 0, *(size & 0xFFFF).to_bytes(2, "big"), 0])
        file.write(empty.ljust(size - _FILE_HEADER, b"\0"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", rows)


def read_list(path: Path) -> list[Row]:
    """Return the rows of the list of tables that stand in pages of the file, each table once."""
    found: dict[tuple[str, str], Row] = {}
    with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        size = _page_size(content)
        free = set(_free_pages(content, size))
        pages = range(1, len(content) // size + 1)
        sure = (row for number in pages if number not in free for row in _rows_of_page(content, number, size))
        unsure = (row for number in pages for row in _rows_anywhere(content, number, size))
        for row in chain(sure, unsure):
            if (row[0], row[1]) not in found and _leads_somewhere(content, size, row):
                found[row[0], row[1]] = row
    return list(found.values())


def _page_size(content: Any) -> int:
    size = int.from_bytes(content[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
    return 65536 if size == 1 else size


def _free_pages(content: Any, size: int) -> Iterator[int]:
    """Yield the pages that are in no use, which may hold what was there before."""
    trunk, seen = int.from_bytes(content[_FREE_AT : _FREE_AT + 4], "big"), set[int]()
    while 0 < trunk <= len(content) // size and trunk not in seen:
        seen.add(trunk)
        at = (trunk - 1) * size
        count = int.from_bytes(content[at + 4 : at + 8], "big")
        for place in range(at + 8, at + 8 + 4 * min(count, size // 4 - 2), 4):
            yield int.from_bytes(content[place : place + 4], "big")
        yield trunk
        trunk = int.from_bytes(content[at : at + 4], "big")


def _rows_of_page(content: Any, number: int, size: int) -> Iterator[Row]:
    begin = (number - 1) * size
    head = begin + (_FILE_HEADER if number == 1 else 0)
    if content[head] != _LEAF:
        return
    page = content[begin : begin + size]
    head -= begin
    count = int.from_bytes(page[head + 3 : head + 5], "big")
    for place in range(head + 8, min(head + 8 + 2 * count, size - 1), 2):
        with suppress(IndexError, UnicodeDecodeError, ValueError):
            row = _row(page, int.from_bytes(page[place : place + 2], "big"))
            if row is not None:
                yield row


def _rows_anywhere(content: Any, number: int, size: int) -> Iterator[Row]:
    """Yield what looks like a row of the list, wherever in a page it stands: its head may be damaged."""
    page = content[(number - 1) * size : number * size]
    if b"CREATE " not in page:
        return
    for at in range(size):
        with suppress(IndexError, UnicodeDecodeError, ValueError):
            row = _row(page, at)
            if row is not None:
                yield row


def _row(page: bytes, at: int) -> Row | None:
    """Return the row in a cell if it is one of the list of tables: texts, a number, and a text or nothing."""
    _, at = _varint(page, at)  # the length of all
    _, at = _varint(page, at)  # the row's number
    end, types = at, []
    length, at = _varint(page, at)
    end += length
    while at < end:
        kind, at = _varint(page, at)
        types.append(kind)
    if len(types) != _COLUMNS or any(kind < _TEXT or kind % 2 == 0 for kind in types[:3]):
        return None
    if not (0 <= types[3] <= 9) or (types[4] != _NULL and (types[4] < _TEXT or types[4] % 2 == 0)):
        return None
    values: list[Any] = []
    for kind in types:
        length = (kind - _TEXT) // 2 if kind >= _TEXT else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]
        raw, at = page[at : at + length], at + length
        values.append(
            raw.decode() if kind >= _TEXT else kind - 8 if kind >= 8 else int.from_bytes(raw, "big")
        )
    if types[4] == _NULL:
        values[4] = None
    is_one = values[0] in _KINDS and at <= len(page) and (values[4] or "CREATE ").startswith("CREATE ")
    return tuple(values) if is_one else None


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    return value << 8 | page[at + 8], at + 9


def _leads_somewhere(content: Any, size: int, row: Row) -> bool:
    """Whether a row's first page is one of its kind; views and virtual tables have none."""
    kind, _, _, first, statement = row
    if first == 0:
        return statement is not None and statement.startswith(_WITHOUT_PAGES)
    possible = _OF_INDEXES if kind == "index" else _OF_TREES
    return 1 < first <= len(content) // size and content[(first - 1) * size] in possible
