"""Where texts stand: giving items the right uri when their places change; for use inside a transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lookalike.records import FileStamp
from lookalike.store.filters import in_file
from lookalike.store.items import delete_item, fetch_items
from lookalike.store.rows import ItemRow, item_checksum, item_is_sound, select
from lookalike.store.text_rows import FORGET_END, is_loose, loose_uri, place_is_sound, put_places

_PAGE = 1000

STRAY = """SELECT id, items.uri FROM items LEFT JOIN places USING (uri)
           WHERE item_id IS NOT id AND id NOT IN (SELECT item_id FROM loose)"""
"""Items whose uri is no place of theirs."""


def place_items(
    connection: sqlite3.Connection, item_ids: Iterable[int], metadata: Mapping[str, str]
) -> set[int]:
    """Give each item the uri of its first place, unless it bears that of another; returns those without any.

    Such an item is loose: it waits for its text to turn up elsewhere. `metadata` has, encoded, that of some
    places.
    """
    loose = set()
    ids = list(item_ids)
    for at in range(0, len(ids), _PAGE):
        for item in fetch_items(connection, ids[at : at + _PAGE]):
            if not _place(connection, item, metadata):
                loose.add(item[0])
    return loose


def _place(connection: sqlite3.Connection, item: ItemRow, metadata: Mapping[str, str]) -> bool:
    """Give one item the right uri; says whether it has a place."""
    item_id, uri = item[:2]
    sql = "SELECT EXISTS (SELECT 1 FROM places WHERE uri = ? AND item_id = ?)"
    if connection.execute(sql, (uri, item_id)).fetchone()[0]:
        return True
    sql = "SELECT uri FROM places WHERE item_id = ? ORDER BY length(uri), uri LIMIT 1"
    row = connection.execute(sql, (item_id,)).fetchone()
    if row is None:
        write_item(connection, item, loose_uri(uri, item_id), item[5])
        connection.execute("INSERT OR IGNORE INTO loose VALUES (?, 0)", (item_id,))
    else:
        write_item(connection, item, row[0], metadata.get(row[0], item[5]))
        connection.execute("DELETE FROM loose WHERE item_id = ?", (item_id,))
    return row is not None


def write_item(connection: sqlite3.Connection, item: ItemRow, uri: str, metadata: str) -> None:
    """Say where a text stands first and what is known of it there."""
    item_id, _, content_hash, size, mtime_ns, _, checksum = item
    if item_is_sound(item):  # else the checksum stays, so that what is wrong stays known
        checksum = item_checksum(item_id, uri, content_hash, FileStamp(size, mtime_ns), metadata)
    sql = "UPDATE items SET uri = ?, metadata = ?, checksum = ? WHERE id = ?"
    connection.execute(sql, (uri, metadata, checksum, item_id))


def drop_places(connection: sqlite3.Connection, uris: Sequence[str]) -> None:
    """Forget places; texts that have no other become loose."""
    losing = {row[0] for row in select(connection, "SELECT item_id FROM places WHERE uri IN", uris)}
    connection.executemany("DELETE FROM places WHERE uri = ?", ((uri,) for uri in uris))
    place_items(connection, losing, {})


def remove_loose(connection: sqlite3.Connection, after: int, seq: int) -> tuple[int, int]:
    """Remove some loose texts beyond an id whose file was read to its end: they are truly gone from it.

    Returns how many of them nothing replaces, and the last id that was looked at, 0 when there are no more.
    """
    sql = (
        "SELECT item_id, replaced, uri FROM loose LEFT JOIN items ON id = item_id "
        f"WHERE item_id > ? ORDER BY item_id LIMIT {_PAGE}"
    )
    rows = connection.execute(sql, (after,)).fetchall()
    removed = 0
    for item_id, replaced, uri in rows:
        file = "" if uri is None else uri.rpartition("#")[0]
        ended = connection.execute("SELECT rows IS NULL FROM text_files WHERE uri = ?", (file,)).fetchone()
        if uri is None or _has_place(connection, item_id):
            connection.execute("DELETE FROM loose WHERE item_id = ?", (item_id,))
        elif ended in (None, (0,)):
            removed += delete_item(connection, item_id, seq) and not replaced
    return removed, rows[-1][0] if rows else 0


def _has_place(connection: sqlite3.Connection, item_id: int) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM places WHERE item_id = ?)"
    return bool(connection.execute(sql, (item_id,)).fetchone()[0])


def remove_file(connection: sqlite3.Connection, file: str, seq: int) -> int:
    """Forget a file and all places in it; returns how many items were removed, having no other."""
    where, values = in_file(file)
    standing = f"SELECT item_id FROM places WHERE {where} UNION SELECT id FROM items WHERE {where}"
    losing = [row[0] for row in connection.execute(standing, (*values, *values))]
    connection.execute(f"DELETE FROM places WHERE {where}", values)
    connection.execute("DELETE FROM text_files WHERE uri = ?", (file,))
    loose = place_items(connection, losing, {})
    return sum(delete_item(connection, item_id, seq) for item_id in loose)


def count_only_in(connection: sqlite3.Connection, files: Iterable[str]) -> int:
    """How many items have no place but in these files."""
    inside: Counter[int] = Counter()
    only: int = 0
    for file in files:
        where, values = in_file(file)
        inside.update(
            row[0] for row in connection.execute(f"SELECT item_id FROM places WHERE {where}", values)
        )
        sql = f"SELECT count(*) FROM items JOIN loose ON item_id = id WHERE {where}"
        only += int(connection.execute(sql, values).fetchone()[0])
    sql = "SELECT item_id, count(*) FROM places WHERE item_id IN"
    totals = select(connection, sql, list(inside), " GROUP BY item_id")
    return only + sum(1 for item_id, count in totals if inside[item_id] == count)


def mend_places(connection: sqlite3.Connection) -> None:
    """Put items and places in step after damage, as far as they tell of each other; files tell the rest."""
    rows = connection.execute("SELECT uri, item_id, checksum FROM places")
    wrong = [row[0] for row in rows if not place_is_sound(*row)]
    rows = connection.execute("SELECT uri FROM places WHERE item_id NOT IN (SELECT id FROM items)")
    wrong += [row[0] for row in rows]
    connection.executemany("DELETE FROM places WHERE uri = ?", ((uri,) for uri in wrong))
    stray = fetch_items(connection, [row[0] for row in connection.execute(STRAY)])
    free = "SELECT NOT EXISTS (SELECT 1 FROM places WHERE uri = ?)"
    for item in stray:
        item_id, uri = item[:2]
        sound = item_is_sound(item) and not is_loose(uri)
        if sound and connection.execute(free, (uri,)).fetchone()[0]:
            put_places(connection, [(uri, item_id)])
    place_items(connection, [item[0] for item in stray], {})
    if wrong or stray:
        connection.execute(FORGET_END)
