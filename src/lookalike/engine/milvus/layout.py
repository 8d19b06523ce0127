"""How a collection lies in Milvus: a Milvus collection of books, and one for the vectors of each space.

A Milvus collection has one vector field, and conditions can only be on what lies beside it. So each space has
a Milvus collection of its own, `NAME__<number>`, in which every row is a whole item with its vector in that
space; those of the default space are what counts as the items. The collection `NAME` has the books: the
spaces, which of them is the default, what was skipped, votes, credits, decisions, and where texts stand.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from lookalike.engine.milvus.client import MilvusConnection
from lookalike.errors import NewerFormatError, NotACollectionError, UsageError
from lookalike.records import Space

FORMAT = 1
"""Of the layout; written into the description of every Milvus collection."""

MOST_BYTES = 65_535
"""Of a text in a field; Milvus takes no longer ones."""

ITEM_FIELDS = ["id", "uri", "sha256", "size", "mtime_ns", "metadata", "text", "places", "checksum"]
"""What makes an item, see `rows.py`."""

_INDEX_VARIABLE = "LOOKALIKE_MILVUS_INDEX"
INDEXES: dict[str, dict[str, int]] = {
    "HNSW": {"M": 24, "efConstruction": 200},
    "IVF_FLAT": {"nlist": 1024},
    "IVF_SQ8": {"nlist": 1024},
    "FLAT": {},
    "AUTOINDEX": {},
}
"""The indexes that servers of all versions have, with what they are built by."""


def books_name(name: str) -> str:
    """Return the Milvus collection that has a collection's books."""
    return name


def vectors_name(name: str, space_id: int) -> str:
    """Return the Milvus collection that has the items and vectors of a space."""
    return f"{name}__{space_id}"


def space_number(name: str, model_id: str) -> int:
    """Return the number of a space, the same whoever makes it, so that two who do so at once make one."""
    digest = hashlib.sha256(f"{name}\0{model_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF or 1


def check_ours(connection: MilvusConnection, name: str) -> bool:
    """Return whether there is a Milvus collection of lookalike; refuses any other of that name.

    Raises `NotACollectionError`, `NewerFormatError`; nothing is touched.
    """
    if not connection.has(name):
        return False
    try:
        facts = json.loads(connection.describe(name).get("description") or "null")
        written = facts["lookalike"]
    except (ValueError, TypeError, KeyError):
        raise NotACollectionError(
            f"{connection.address}: the Milvus collection {name} is another program's; name another one"
        ) from None
    if not isinstance(written, int) or written > FORMAT:
        raise NewerFormatError(
            f"{connection.address} was written by a newer lookalike (format {written!r}; this one knows up "
            f"to {FORMAT}); update lookalike"
        )
    return True


def create_books(connection: MilvusConnection) -> None:
    """Make the books of a collection."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(description=_description("books"))
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=80)
    schema.add_field("book", DataType.VARCHAR, max_length=32)
    schema.add_field("uri", DataType.VARCHAR, max_length=MOST_BYTES)
    schema.add_field("item", DataType.INT64)
    schema.add_field("seq", DataType.INT64)
    schema.add_field("data", DataType.VARCHAR, max_length=MOST_BYTES)
    schema.add_field("unused", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants one
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("unused", index_type="FLAT", metric_type="L2")
    indexes.add_index("uri", index_type="Trie")
    indexes.add_index("item", index_type="STL_SORT")
    connection.create(books_name(connection.address.name), schema, indexes)


def create_space(connection: MilvusConnection, space: Space) -> None:
    """Make the Milvus collection of a space."""
    from pymilvus import DataType, MilvusClient

    kind = index_kind()
    schema = MilvusClient.create_schema(description=_description("vectors"))
    schema.add_field("id", DataType.INT64, is_primary=True)
    for name, length in (("uri", MOST_BYTES), ("sha256", 64), ("metadata", MOST_BYTES), ("text", MOST_BYTES)):
        schema.add_field(name, DataType.VARCHAR, max_length=length)
    for name in ("size", "mtime_ns", "places", "chance", "checksum"):
        schema.add_field(name, DataType.INT64)
    schema.add_field("facts", DataType.JSON)  # what conditions are on; of texts, their words
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=space.dim)
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type=kind, metric_type="IP", params=INDEXES[kind])
    for name in ("uri", "sha256"):
        indexes.add_index(name, index_type="Trie")
    indexes.add_index("chance", index_type="STL_SORT")
    connection.create(vectors_name(connection.address.name, space.id), schema, indexes)


def index_kind() -> str:
    """Return the index that new spaces get: HNSW, unless `LOOKALIKE_MILVUS_INDEX` names another."""
    kind = os.environ.get(_INDEX_VARIABLE, "HNSW").upper()
    if kind not in INDEXES:
        raise UsageError(f"{_INDEX_VARIABLE} is one of {', '.join(INDEXES)}; got {kind!r}")
    return kind


def search_params(kind: str, k: int) -> dict[str, Any]:
    """Return how thoroughly an index is searched for `k` hits."""
    if kind == "HNSW":
        return {"ef": max(200, 2 * k)}
    return {"nprobe": 96} if kind.startswith("IVF") else {}


def _description(part: str) -> str:
    return json.dumps({"lookalike": FORMAT, "part": part})
