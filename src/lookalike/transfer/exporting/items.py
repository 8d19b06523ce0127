"""The items of an export as a table: Parquet, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from lookalike.errors import MissingExtraError
from lookalike.records import Item, Kind, Vectors

VECTOR_COLUMN = "vector"
"""Where an item's vector is, where the table has them."""

_GROUP = 10_000  # rows that Parquet keeps together
_FACTS: Mapping[str, type] = {
    "width": int,
    "height": int,
    "format": str,
    "taken": str,
    "camera": str,
    "lat": float,
    "lon": float,
}
"""Facts of photos that have columns of their own, beside the JSON of all metadata."""


class ItemsTable(Protocol):
    """Takes items in the order of their rows; a context manager that completes the file."""

    @property
    def name(self) -> str:
        """The file's name."""

    def add(self, item: Item, places: list[str], vector: Vectors) -> None:
        """Write an item that stands at these places, and its vector `(dim,)` where those are wanted."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and close the file."""


def items_table(folder: Path, kind: Kind, *, jsonl: bool, dim: int = 0) -> ItemsTable:
    """Make the table of an export, with vectors of `dim` numbers in it unless that is 0.

    Raises `MissingExtraError` where Parquet is not installed.
    """
    if jsonl:
        return _Lines(folder, kind, dim)
    try:
        import pyarrow  # an optional package
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("writing Parquet files (without it: --jsonl)", "parquet") from None
    return _Parquet(folder / "items.parquet", kind, dim, (pyarrow, parquet))


class _Lines:
    name = "items.jsonl"

    def __init__(self, folder: Path, kind: Kind, dim: int) -> None:
        self._kind = kind
        self._has_vectors = dim > 0
        self._file = (folder / self.name).open("w", encoding="utf-8")

    def add(self, item: Item, places: list[str], vector: Vectors) -> None:
        row = {**_plain(item, places, self._kind), "metadata": dict(item.metadata)}
        if self._has_vectors:
            row[VECTOR_COLUMN] = [float(str(each)) for each in vector]  # as short as float32 can be told by
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class _Parquet:
    name = "items.parquet"

    def __init__(self, path: Path, kind: Kind, dim: int, packages: tuple[Any, Any]) -> None:
        self._pyarrow, parquet = packages
        self._kind = kind
        self._dim = dim
        self._schema = _schema(self._pyarrow, kind)
        self._rows: list[dict[str, Any]] = []
        self._vectors: list[Vectors] = []
        whole = self._schema
        if dim:
            whole = whole.append(self._pyarrow.field(VECTOR_COLUMN, self._vector_type()))
        self._whole = whole
        self._writer = parquet.ParquetWriter(path, whole)

    def _vector_type(self) -> Any:
        return self._pyarrow.list_(self._pyarrow.float32(), self._dim)

    def add(self, item: Item, places: list[str], vector: Vectors) -> None:
        row = {
            **_plain(item, places, self._kind),
            "metadata": json.dumps(dict(item.metadata), ensure_ascii=False),
        }
        if self._kind == "photo":
            row |= {name: _fact(item.metadata.get(name), kind) for name, kind in _FACTS.items()}
        self._rows.append(row)
        if self._dim:
            self._vectors.append(vector)
        if len(self._rows) == _GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        batch = self._pyarrow.RecordBatch.from_pylist(self._rows, schema=self._schema)
        if self._dim:
            flat = self._pyarrow.array(np.concatenate(self._vectors).astype(np.float32))
            vectors = self._pyarrow.FixedSizeListArray.from_arrays(flat, self._dim)
            batch = self._pyarrow.RecordBatch.from_arrays([*batch.columns, vectors], schema=self._whole)
        self._writer.write_batch(batch)
        self._rows, self._vectors = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._writer.close()


def _schema(pyarrow: Any, kind: Kind) -> Any:
    types = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64()}
    columns = {"id": types[int], "uri": types[str], "sha256": types[str]}
    if kind == "text":
        columns |= {"text": types[str], "places": pyarrow.list_(types[str])}
    columns["metadata"] = types[str]
    if kind == "photo":
        columns |= {name: types[fact] for name, fact in _FACTS.items()}
    return pyarrow.schema(list(columns.items()))


def _plain(item: Item, places: list[str], kind: Kind) -> dict[str, Any]:
    row: dict[str, Any] = {"id": item.id, "uri": item.uri, "sha256": item.content_hash.hex()}
    return {**row, "text": item.text, "places": places} if kind == "text" else row


def _fact(value: Any, kind: type) -> Any:
    """Return a fact in the type of its column; imported metadata may have any other."""
    try:
        return None if value is None else kind(value)
    except (ValueError, TypeError, OverflowError):
        return None
