"""Checksums of rows: CRC-32 of what is stored, bound to the place where it is stored.

The number of a row (and of its space) is part of its checksum, so that rows that change places are seen, too.
Formats before 5 did not bind; what they wrote is bound when a store is brought to this format, and is
accepted as it is where a store cannot be written to.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

_BITS = 0x7FFFFFFF  # with the highest one a number may need more bytes, and binding would move whole rows


def row_checksum(*cells: Any) -> int:
    """CRC-32 of cells of any type that SQLite has; the first one names the table."""
    crc = 0
    for cell in cells:
        encoded = cell if isinstance(cell, bytes) else str(cell).encode(errors="surrogatepass")
        crc = zlib.crc32(b"%s %d " % (type(cell).__name__.encode(), len(encoded)), crc)
        crc = zlib.crc32(encoded, crc)
    return crc


def place_key(table: str, row_id: int) -> int:
    """Return what binds a checksum to a row of a table: it is combined with it by exclusive or."""
    return zlib.crc32(b"%s %d" % (table.encode(), row_id)) & _BITS


def bound(checksum: Any, table: str, row_id: int) -> Any:
    """Return the checksum of a row bound to its place; what is no number stays what it is."""
    return checksum ^ place_key(table, row_id) if isinstance(checksum, int) else checksum


def agreeing(table: str) -> Callable[[Any, int, int], bool]:
    """Return `agrees` for the rows of one table, what binds to the table being reckoned once."""
    begun, crc32 = zlib.crc32(b"%s " % table.encode()), zlib.crc32

    def agree(stored: Any, crc: int, row_id: int) -> bool:
        return bool(stored == crc ^ (crc32(b"%d" % row_id, begun) & _BITS) or stored == crc)

    return agree


def agrees(stored: Any, crc: int, table: str, row_id: int) -> bool:
    """Tell whether a stored checksum is that of a content with that CRC-32 in that place."""
    return bool(stored == crc ^ place_key(table, row_id) or stored == crc)
