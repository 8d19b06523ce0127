"""The list of tables, found in a file's pages themselves where SQLite cannot read it any more.

That list is a table like any other, whose first page is the first of the file and whose rows say where each
table begins. A damaged page or row of it hides tables whole, while all of their rows are still there. What
the statements in it say is known beforehand, so that only the numbers of first pages are looked for: a
number stands between a table's name and its statement.

The format: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import mmap
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.store.schema import FORMAT
from lookalike.store.tables import Table, tables_of, vectors_tables

_FILE_HEADER = 100
_PAGE_SIZE_AT, _CHANGES_AT, _COUNT_AT, _FREE_AT, _VALID_FOR_AT = 16, 24, 28, 32, 92
_LEAF = 0x0D  # of a table
_KINDS_OF_PAGES = {0x02, 0x05, 0x0A, 0x0D}
_LONGEST_NUMBER = 4  # bytes
_SPACE = re.compile(rb"vectors_(\d{1,9})")


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages that hold rows of the list, those in use first, and how many pages the file has."""

    content: Any
    size: int
    listing: list[bytes]

    def leads_somewhere(self, page: int) -> bool:
        count = len(self.content) // self.size
        return 1 < page <= count and self.content[(page - 1) * self.size] in _KINDS_OF_PAGES


def rebuild_list(path: Path) -> list[str]:
    """Give the file at `path`, which has no log, a list of all the tables that can be found.

    The list that it had is given up. Its format is the one of which most tables are found. Returns the names
    of those that are not.
    """
    tries = [find_tables(path, number) for number in range(FORMAT, 0, -1)]
    first, lost = max(tries, key=lambda found: len(found[0]) - len(found[1]))
    _empty_list(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany(
            "INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)",
            ((table.kind, table.name, table.owner, page, table.plain) for table, page in first),
        )
    names = {table.name for table, _ in first}
    if "places" in names and "places_by_item" not in names:  # without, who reads by items takes for ever
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, isolation_level=None)) as again:
            again.execute("CREATE INDEX places_by_item ON places (item_id)")
    return lost


def _empty_list(path: Path) -> None:
    """Make the first page one without rows; new pages come at the end, whatever was noted of free ones."""
    with path.open("rb+") as file:
        head = bytearray(file.read(_FILE_HEADER))
        size = _page_size(head)
        head[_COUNT_AT : _COUNT_AT + 4] = (path.stat().st_size // size).to_bytes(4, "big")
        head[_FREE_AT : _FREE_AT + 8] = bytes(8)
        head[_VALID_FOR_AT : _VALID_FOR_AT + 4] = head[_CHANGES_AT : _CHANGES_AT + 4]
        empty = bytes([_LEAF, 0, 0, 0, 0, *(size & 0xFFFF).to_bytes(2, "big"), 0])
        file.seek(0)
        file.write(bytes(head) + empty.ljust(size - _FILE_HEADER, b"\0"))


def find_tables(path: Path, version: int) -> tuple[list[tuple[Table, int]], list[str]]:
    """Return the tables and indexes of a format with their first pages, and the names of tables not found."""
    with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        size = _page_size(content)
        pages = _Pages(content, size, list(_listing(content, size)))
        spaces = {int(number) for page in pages.listing for number in _SPACE.findall(page)}
        found, lost = [], []
        for table in (each for each in tables_of(version) if not each.is_cache and each.kind != "view"):
            first = _first_page(pages, table)
            if first is not None:
                found.append((table, first))
            elif table.kind == "table":
                lost.append(table.name)
        for table in (each for space in sorted(spaces) for each in vectors_tables(space)):
            first = _first_page(pages, table)  # of those that a flip made up there is none
            if first is not None:
                found.append((table, first))
    return found, lost


def _page_size(content: Any) -> int:
    size = int.from_bytes(content[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
    return 65536 if size == 1 else size


def _listing(content: Any, size: int) -> Iterator[bytes]:
    free = set(_free_pages(content, size))
    numbers = sorted(range(1, len(content) // size + 1), key=lambda number: number in free)
    for number in numbers:
        begin = (number - 1) * size
        if content.find(b"CREATE ", begin, begin + size) >= 0:
            yield content[begin : begin + size]


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


def _first_page(pages: _Pages, table: Table) -> int | None:
    """Return the number before a statement; one half of that, and the name before it, are to be found."""
    statement, owner = table.statement.encode(), table.owner.encode()
    middle = len(statement) // 2
    for page in pages.listing:
        for half, skipped in ((statement[:middle], 0), (statement[middle:], middle)):
            for match in re.finditer(re.escape(half), page):
                number = _number_before(page, match.start() - skipped, owner)
                if number is not None and pages.leads_somewhere(number):
                    return number
    return None


def _number_before(page: bytes, at: int, owner: bytes) -> int | None:
    """Return the number that ends at `at`, behind the name of the table, in which one letter may be wrong."""
    for length in range(1, _LONGEST_NUMBER + 1):
        begin = at - length - len(owner)
        if begin < 0:
            return None
        name = page[begin : at - length]
        if sum(one != other for one, other in zip(name, owner, strict=True)) <= 1:
            return int.from_bytes(page[at - length : at], "big")
    return None
