"""Rows that come from another collection, ids and all; for use inside a transaction."""

from __future__ import annotations

import sqlite3

import numpy as np
import numpy.typing as npt

from lookalike.records import Item, Space, Vote
from lookalike.store.commit import put_vector
from lookalike.store.items import delete_item
from lookalike.store.rows import encode_metadata, encode_vector, item_checksum
from lookalike.store.text_rows import put_places, put_texts
from lookalike.store.votes import COLUMNS, vote_checksum


def put_copied_item(
    connection: sqlite3.Connection,
    item: Item,
    places: list[str],
    vectors: dict[Space, npt.NDArray[np.float32]],
    seq: int,
) -> None:
    """Write an item under the id that it has, in the place of one with that id."""
    delete_item(connection, item.id, seq)
    connection.execute("DELETE FROM removals WHERE item_id = ?", (item.id,))
    metadata = encode_metadata(item.metadata)
    checksum = item_checksum(item.id, item.uri, item.content_hash, item.stamp, metadata)
    cells = (item.id, item.uri, item.content_hash, item.stamp.size, item.stamp.mtime_ns, metadata, checksum)
    connection.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)", cells)
    if item.text is not None:
        put_texts(connection, [(item.id, item.text)])
        put_places(connection, ((uri, item.id) for uri in places))
    for space, row in vectors.items():
        put_vector(connection, space, item.id, seq, encode_vector(row))


def put_copied_vote(connection: sqlite3.Connection, vote: Vote) -> None:
    """Write a vote as it was given; its id tells its turn."""
    cells = (vote.query, vote.item_id, vote.content_hash, vote.value, vote.space, vote.at)
    names = COLUMNS.partition(", ")[2]
    sql = f"INSERT OR REPLACE INTO votes ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    connection.execute(sql, (*cells, vote_checksum(cells)))
