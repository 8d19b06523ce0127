"""Rows of texts, of the words in them and of the places where they stand; for use inside a transaction."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from lookalike.store.checksums import agrees, place_key
from lookalike.store.rows import select
from lookalike.store.schema import WORDS_INDEX, run_script
from lookalike.store.words import indexed

WORDS_TABLE = "text_words"
TEXT_FILE_CELLS = "uri, size, mtime_ns, column_name, manner, rows"
"""What the checksum of a row of `text_files` is over."""

FORGET_END = (
    "UPDATE text_files SET rows = NULL, "
    "checksum = row_checksum('text_files', uri, size, mtime_ns, column_name, manner, NULL)"
)
"""Says of files that they were not read to their end, so that they are read anew."""

_KIND = "SELECT kind FROM spaces ORDER BY id LIMIT 1"


class HoldsTexts:
    """Tells whether a collection is one of texts; what has been told once stays so, as a kind does."""

    def __init__(self) -> None:
        self._known: bool | None = None

    def __call__(self, connection: sqlite3.Connection) -> bool:
        """Whether it is; False while nothing was added, and for formats that had no texts."""
        if self._known is None:
            try:
                row = connection.execute(_KIND).fetchone()
            except sqlite3.OperationalError as error:
                if "no such column" not in str(error):
                    raise
                row = ("photo",)  # a format of before there were kinds, on a read-only medium
            if row is not None:
                self._known = row[0] == "text"
        return bool(self._known)


def file_of(uri: str) -> str:
    """Return the uri of the file in which a place is: that of `tweets.csv#12` is `tweets.csv`."""
    return uri.rpartition("#")[0] or uri


def loose_uri(uri: str, item_id: int) -> str:
    """Return what stands for the place of a text that has none, although it was in the file of `uri`."""
    return f"{file_of(uri)}#?{item_id}"


def is_loose(uri: str) -> bool:
    """Whether a uri is one of `loose_uri`."""
    return uri.rpartition("#")[2].startswith("?")


def text_checksum(item_id: int, text: str) -> int:
    """CRC-32 of a text, bound to its item."""
    return zlib.crc32(text.encode()) ^ place_key("texts", item_id)


def text_is_sound(item_id: Any, text: Any, checksum: Any) -> bool:
    """Tell whether a stored text is what was written for that item."""
    try:
        return agrees(checksum, zlib.crc32(text.encode()), "texts", item_id)
    except (AttributeError, ValueError, TypeError):  # damage changes types, and makes what is no UTF-8
        return False


def place_checksum(uri: str, item_id: int) -> int:
    """CRC-32 over all that is stored of a place."""
    return zlib.crc32(b"%s\0%d" % (uri.encode(), item_id))


def place_is_sound(uri: Any, item_id: Any, checksum: Any) -> bool:
    """Tell whether a stored place is what was written."""
    try:
        return bool(place_checksum(uri, item_id) == checksum)
    except (AttributeError, ValueError, TypeError):
        return False


def read_texts(connection: sqlite3.Connection, item_ids: Sequence[int]) -> dict[int, str]:
    """Return those texts that exist and are sound, by item id."""
    rows = select(connection, "SELECT item_id, text, checksum FROM texts WHERE item_id IN", item_ids)
    return {item_id: text for item_id, text, checksum in rows if text_is_sound(item_id, text, checksum)}


def count_places(connection: sqlite3.Connection, item_ids: Sequence[int]) -> dict[int, int]:
    """Return at how many places each text stands."""
    sql = "SELECT item_id, count(*) FROM places WHERE item_id IN"
    return dict(select(connection, sql, item_ids, " GROUP BY item_id"))


def put_texts(connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Store new texts by item id, and the words in them."""
    rows = [(item_id, text, text_checksum(item_id, text)) for item_id, text in texts]
    connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", rows)
    connection.executemany(
        f"INSERT INTO {WORDS_TABLE} (rowid, text) VALUES (?, ?)", ((row[0], indexed(row[1])) for row in rows)
    )


def put_places(connection: sqlite3.Connection, places: Iterable[tuple[str, int]]) -> None:
    """Say which text stands at each uri."""
    rows = ((uri, item_id, place_checksum(uri, item_id)) for uri, item_id in places)
    connection.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", rows)


def restore_text(connection: sqlite3.Connection, item_id: int, text: str) -> None:
    """Put the text of an item back where it is missing or damaged."""
    row = connection.execute("SELECT text, checksum FROM texts WHERE item_id = ?", (item_id,)).fetchone()
    if row is None:
        put_texts(connection, [(item_id, text)])
    elif row[0] != text or not text_is_sound(item_id, *row):
        sql = "UPDATE texts SET text = ?, checksum = ? WHERE item_id = ?"
        connection.execute(sql, (text, text_checksum(item_id, text), item_id))
        rebuild_words(connection)  # what stood there before is needed to take its words out


def delete_text(connection: sqlite3.Connection, item_id: int) -> None:
    """Delete the text of an item, its words and its places; their files are read anew next time."""
    row = connection.execute("SELECT text, checksum FROM texts WHERE item_id = ?", (item_id,)).fetchone()
    if row is not None:
        sound = text_is_sound(item_id, *row)
        if sound:
            sql = f"INSERT INTO {WORDS_TABLE} ({WORDS_TABLE}, rowid, text) VALUES ('delete', ?, ?)"
            connection.execute(sql, (item_id, indexed(row[0])))
        connection.execute("DELETE FROM texts WHERE item_id = ?", (item_id,))
        if not sound:
            rebuild_words(connection)
    places = connection.execute("SELECT uri FROM places WHERE item_id = ?", (item_id,)).fetchall()
    if places:
        connection.execute("DELETE FROM places WHERE item_id = ?", (item_id,))
        files = {(file_of(uri),) for (uri,) in places}
        connection.executemany(f"{FORGET_END} WHERE uri = ?", files)
    connection.execute("DELETE FROM loose WHERE item_id = ?", (item_id,))


def rebuild_words(connection: sqlite3.Connection) -> None:
    """Make the index of words anew from the texts."""
    try:
        connection.execute(f"DROP TABLE IF EXISTS {WORDS_TABLE}")
    except sqlite3.DatabaseError:  # too damaged even for that
        _cut_out_words(connection)
    run_script(connection, WORDS_INDEX)
    connection.execute(f"INSERT INTO {WORDS_TABLE} ({WORDS_TABLE}) VALUES ('rebuild')")


def _cut_out_words(connection: sqlite3.Connection) -> None:
    """Take the index of words out of the schema, with the tables that SQLite keeps it in."""
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (WORDS_TABLE,))
        for part in ("data", "idx", "docsize", "config"):
            connection.execute(f"DROP TABLE IF EXISTS {WORDS_TABLE}_{part}")
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
