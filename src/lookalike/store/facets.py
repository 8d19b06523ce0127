"""What the items of a collection can be filtered by."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from dataclasses import dataclass

from lookalike.store.text_rows import file_of

MOST_VALUES = 500
"""Of each facet, at most."""

_FACT = "CASE WHEN json_valid(metadata) THEN json_extract(metadata, '$.{}') END"  # see `filters.to_sql`


@dataclass(frozen=True, slots=True)
class Facets:
    """Cameras and folders with the number of their items, the most frequent first; first and last `taken`.

    At most 500 of each. With `is_estimate` they are reckoned from a part of the items. `taken` is None where
    no item states it. Folders count what lies in them itself.
    """

    cameras: tuple[tuple[str, int], ...]
    folders: tuple[tuple[str, int], ...]
    taken: tuple[str, str] | None
    is_estimate: bool = False


def _is_sound(uri: str) -> bool:
    """Whether a uri is text, as all are unless they were damaged."""
    try:
        uri.encode()
    except (UnicodeEncodeError, AttributeError):
        return False
    return True


def read_facets(connection: sqlite3.Connection, *, texts: bool = False) -> Facets:
    """Read the facets, in one pass over the items for each.

    Those of texts are their files, or where these are too many their folders.
    """
    if texts:
        return Facets((), _text_places(connection), None)
    camera, taken = _FACT.format("camera"), _FACT.format("taken")
    cameras = connection.execute(
        f"SELECT {camera} AS camera, count(*) AS n FROM items GROUP BY camera ORDER BY n DESC, camera"
    )
    known = [(name, count) for name, count in cameras if isinstance(name, str)][:MOST_VALUES]
    first, last = connection.execute(f"SELECT min({taken}), max({taken}) FROM items").fetchone()
    uris = (uri for (uri,) in connection.execute("SELECT uri FROM items") if _is_sound(uri))
    folders = Counter(os.path.dirname(uri) for uri in uris)  # noqa: PTH120  # uris
    both = isinstance(first, str) and isinstance(last, str)
    return Facets(tuple(known), tuple(folders.most_common(MOST_VALUES)), (first, last) if both else None)


def _text_places(connection: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    uris = (uri for (uri,) in connection.execute("SELECT uri FROM items") if _is_sound(uri))
    files = Counter(map(file_of, uris))
    if len(files) > MOST_VALUES:
        folders: Counter[str] = Counter()
        for file, count in files.items():
            folders[os.path.dirname(file)] += count  # noqa: PTH120  # as above
        files = folders
    return tuple(files.most_common(MOST_VALUES))
