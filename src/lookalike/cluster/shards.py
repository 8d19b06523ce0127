"""Shards: what one unit of work came to, as one Parquet table with a row for each photo or text.

Columns: `uri`, `size` and `mtime_ns` (the stamp); of items `sha256`, `metadata` (canonical JSON), `text`,
`vector` and, where the model fills a second space, `companion`; of what was skipped `reason`, `lasting` and
`reader`. Texts have a `version`: the moment of their file as the walk found it. A shard or table of pictures
that was read to its end has a row of its own, after those of its pictures, with their number as `members` and
how they were read as `reader`. Vectors are unit-length float32. Pages carry checksums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.cluster.layout import EmbeddedSpace, Facts
from lookalike.cluster.place import Place
from lookalike.errors import DamagedError, MissingExtraError
from lookalike.records import FileStamp, Skipped, Vectors
from lookalike.store.rows import as_text
from lookalike.store.shards import ShardRead

VECTOR, COMPANION = "vector", "companion"
ABOUT = ("uri", "size", "mtime_ns", "reason", "lasting", "reader", "members")
"""The columns that tell which row counts, and why something was skipped."""

_MADE_BY = b"lookalike.model_id"


@dataclass(frozen=True, slots=True)
class ShardItem:
    """One item on its way into a shard; `metadata` is encoded as the store keeps it."""

    uri: str
    content_hash: bytes
    stamp: FileStamp
    metadata: str
    vector: npt.NDArray[np.float32]
    companion: npt.NDArray[np.float32] | None = None
    text: str | None = None


@dataclass(slots=True)
class ShardRows:
    """What one unit came to; of texts the `versions` of items, then of what was skipped."""

    items: list[ShardItem] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    read: list[ShardRead] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)


def arrow() -> Any:
    """Return `pyarrow`; raises `MissingExtraError`."""
    try:
        import pyarrow  # an optional package
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("what a cluster embeds", "cluster") from None
    return pyarrow


def schema_of(facts: Facts) -> Any:
    """Return the `pyarrow.Schema` of the shards of an embedding."""
    pa = arrow()
    fields = [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("sha256", pa.binary(32)),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("metadata", pa.string()),
    ]
    if facts.kind == "text":
        fields += [pa.field("text", pa.string()), pa.field("version", pa.int64())]
    fields.append(pa.field(VECTOR, pa.list_(pa.float32(), facts.own.dim)))
    if facts.companion is not None:
        fields.append(pa.field(COMPANION, pa.list_(pa.float32(), facts.companion.dim)))
    fields += [
        pa.field("reason", pa.string()),
        pa.field("lasting", pa.bool_()),
        pa.field("reader", pa.string()),
        pa.field("members", pa.int64()),
    ]
    return pa.schema(fields, {_MADE_BY: facts.own.model_id.encode()})


def encode_shard(rows: ShardRows, facts: Facts, reader: str) -> bytes:
    """Return a shard as the bytes of a Parquet file; the same rows give the same bytes.

    `reader` is what decoded them.
    """
    pa = arrow()
    items, skipped = rows.items, rows.skipped
    if facts.kind == "photo":  # texts come in the order of their files
        items = sorted(items, key=lambda item: item.uri)
        skipped = sorted(skipped, key=lambda each: each.uri)
    read = rows.read
    none = [None] * (len(skipped) + len(read))
    stamps = [each.stamp for part in (items, skipped, read) for each in part]
    columns: dict[str, Any] = {
        "uri": [each.uri for part in (items, skipped, read) for each in part],
        "sha256": [each.content_hash for each in items] + none,
        "size": [stamp.size if stamp else None for stamp in stamps],
        "mtime_ns": [stamp.mtime_ns if stamp else None for stamp in stamps],
        "metadata": [each.metadata for each in items] + none,
        "text": [each.text for each in items] + none,
        "version": rows.versions,
        VECTOR: _lists([each.vector for each in items], len(none), facts.own),
        "reason": [None] * len(items) + [as_text(each.reason) for each in skipped] + [None] * len(read),
        "lasting": [None] * len(items) + [each.lasting for each in skipped] + [None] * len(read),
        "reader": [reader] * (len(stamps) - len(read)) + [each.manner for each in read],
        "members": [None] * (len(stamps) - len(read)) + [each.members for each in read],
    }
    if facts.companion is not None:
        columns[COMPANION] = _lists([each.companion for each in items], len(none), facts.companion)
    schema = schema_of(facts)
    arrays = [
        each if isinstance(each, pa.Array) else pa.array(each, kind.type)
        for each, kind in ((columns[kind.name], kind) for kind in schema)
    ]
    made = BytesIO()
    table = pa.Table.from_arrays(arrays, schema=schema)
    pa.parquet.write_table(table, made, compression="zstd", write_page_checksum=True, use_dictionary=False)
    return made.getvalue()


def _lists(rows: Sequence[npt.NDArray[np.float32] | None], more: int, space: EmbeddedSpace) -> Any:
    """Return rows `(dim,)` as a column of lists, with so many empty cells after them."""
    pa = arrow()
    missing = np.array([row is None for row in rows] + [True] * more, bool)
    values = np.zeros((len(missing), space.dim), np.float32)
    for at, row in enumerate(rows):
        if row is not None:
            values[at] = row
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1)), space.dim, mask=pa.array(missing) if missing.any() else None
    )


def read_about(place: Place, name: str, facts: Facts) -> Any:
    """Return the columns `ABOUT`, and of texts `version`, as a `pyarrow.Table`; raises as `read_shard`."""
    with place.open(name) as file:
        return _read(file, place, name, facts, columns=[*ABOUT, *["version"] * (facts.kind == "text")])


def read_shard(place: Place, name: str, facts: Facts) -> Any:
    """Return a shard as a `pyarrow.Table`, every byte of it checked.

    Raises `DamagedError` for one that is not whole, or no shard of this embedding.
    """
    return _read(BytesIO(place.read(name)), place, name, facts)


def _read(file: Any, place: Place, name: str, facts: Facts, columns: list[str] | None = None) -> Any:
    pa = arrow()
    schema = schema_of(facts)
    try:
        opened = pa.parquet.ParquetFile(file, page_checksum_verification=True)
        found = opened.schema_arrow
        if not found.equals(schema) or (found.metadata or {}).get(_MADE_BY) != schema.metadata[_MADE_BY]:
            raise DamagedError(f"{place.address}/{name} is no shard of this embedding: remove it")
        return opened.read(columns=columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise DamagedError(
            f"{place.address}/{name} is damaged ({lines[0]}): remove it, and embed the same again"
        ) from error


def vectors_of(table: Any, column: str, dim: int) -> Vectors:
    """Return a column of vectors without empty cells as `(n, dim)`."""
    rows = [
        np.asarray(chunk.flatten(), np.float32).reshape(-1, dim)
        for chunk in table[column].chunks
        if len(chunk)
    ]
    return np.ascontiguousarray(np.concatenate(rows)) if rows else np.empty((0, dim), np.float32)


def items_of(table: Any) -> Any:
    """Return the rows of a table that are items."""
    pa = arrow()
    return table.filter(pa.compute.and_(table["reason"].is_null(), table["members"].is_null()))


def read_rows(table: Any) -> Iterator[ShardRead]:
    """Yield which shards and tables of pictures were read to their end."""
    for row in table.filter(table["members"].is_valid()).select(list(ABOUT)).to_pylist():
        yield ShardRead(row["uri"], FileStamp(row["size"], row["mtime_ns"]), row["reader"], row["members"])


def skipped_rows(table: Any) -> Iterator[tuple[Skipped, str]]:
    """Yield what a table with the columns `ABOUT` says of skipped inputs, with what read them."""
    for row in table.select(list(ABOUT)).to_pylist():
        if row["reason"] is not None:
            stamp = None if row["size"] is None else FileStamp(row["size"], row["mtime_ns"])
            yield Skipped(row["uri"], row["reason"], stamp, bool(row["lasting"])), row["reader"]
