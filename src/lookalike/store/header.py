"""The first 100 bytes of the store's file, without which SQLite opens nothing; most are always the same.

The format: https://www.sqlite.org/fileformat2.html#the_database_header
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from lookalike.files import open_bytes
from lookalike.store import schema
from lookalike.store.schema import APPLICATION_ID
from lookalike.store.tables import lenient_text, listed_formats

_SIZE = 100
_PAGE_SIZE = 4096
_FORMAT_AT = 60
_MOST_AHEAD = 30  # formats of newer versions that are taken for such
_MOST_DAMAGED = 12  # bits; beyond, it is more likely something else

_KNOWN = {
    0: b"SQLite format 3\0" + _PAGE_SIZE.to_bytes(2, "big") + b"\2\2\0\x40\x20\x20",
    44: b"\0\0\0\4" + bytes(4) + bytes(4) + b"\0\0\0\1",  # schema format, cache, vacuum, UTF-8
    64: bytes(4) + APPLICATION_ID.to_bytes(4, "big") + bytes(20),
}
"""What stands where in each store that lookalike made; between are counters and the store's format."""


def is_damaged_header(path: Path) -> bool:
    """Tell whether a file begins as a store does but for some bits. Nobody may have it open."""
    with open_bytes(path) as file:
        head = file.read(_SIZE)
    damaged = _differing_bits(head)
    return 0 < damaged <= _MOST_DAMAGED or (damaged == 0 and _is_wrong_format(path, head))


def copy_with_header(path: Path, target: Path) -> None:
    """Copy a store, giving the copy the header that each store has, but for the number of its format."""
    shutil.copyfile(path, target)
    with target.open("rb+") as file:
        for at, right in _KNOWN.items():
            file.seek(at)
            file.write(right)


def is_no_format(version: int) -> bool:
    """Tell whether a number is no format that there is or may be for a long time to come."""
    return not 0 <= version <= schema.FORMAT + _MOST_AHEAD


def is_another_format(connection: sqlite3.Connection, version: int) -> bool:
    """Tell whether a file bears the number of a format that its tables are not of, but of another."""
    if version == schema.FORMAT:  # tables that lack are found anyway
        return False
    return is_no_format(version) or bool(listed_formats(connection, only=True) - {version})


def connect_untouched(path: Path) -> sqlite3.Connection:
    """Connect to a file without a lock, a log or a write."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.text_factory = lenient_text
    return connection


def _is_wrong_format(path: Path, head: bytes) -> bool:
    version = int.from_bytes(head[_FORMAT_AT : _FORMAT_AT + 4], "big", signed=True)
    try:
        with closing(connect_untouched(path)) as connection:
            return is_another_format(connection, version)
    except sqlite3.DatabaseError:  # more is damaged
        return is_no_format(version)


def is_nearly_ours(application_id: int) -> bool:
    """Tell whether an application id differs from ours by so few bits that it is ours, damaged."""
    return 0 < (application_id ^ APPLICATION_ID).bit_count() <= 2


def _differing_bits(head: bytes) -> int:
    if len(head) < _SIZE:
        return 8 * _SIZE
    return sum(
        (found ^ known).bit_count()
        for at, right in _KNOWN.items()
        for found, known in zip(head[at : at + len(right)], right, strict=True)
    )
