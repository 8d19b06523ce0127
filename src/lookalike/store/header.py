"""The first 100 bytes of the store's file, without which SQLite opens nothing; most are always the same.

The format: https://www.sqlite.org/fileformat2.html#the_database_header
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lookalike.files import open_bytes
from lookalike.store.schema import APPLICATION_ID

_SIZE = 100
_PAGE_SIZE = 4096
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
    return 0 < _differing_bits(head) <= _MOST_DAMAGED


def copy_with_header(path: Path, target: Path) -> None:
    """Copy a store, giving the copy the header that each store has."""
    shutil.copyfile(path, target)
    with target.open("rb+") as file:
        for at, known in _KNOWN.items():
            file.seek(at)
            file.write(known)


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
