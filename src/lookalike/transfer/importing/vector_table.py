"""Tables with a column of vectors, as pandas, datasets, FiftyOne, LanceDB and embedding-atlas write them.

Such a column holds lists of numbers (Parquet, JSON, JSON lines), or texts of numbers (CSV, and Parquet, too).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.decode.columns import names_of
from lookalike.decode.texts import is_table
from lookalike.errors import UsageError
from lookalike.records import Kind
from lookalike.transfer.importing.arrays import check_dim, sha256_of
from lookalike.transfer.importing.json_table import JsonRows, columns_of, is_json_object, json_rows
from lookalike.transfer.importing.names import Entry, Rows, usual_column
from lookalike.transfer.importing.parquet import damaged, open_parquet

USUAL = ("embedding", "embeddings", "vector", "vectors", "emb", "image_embedding", "text_embedding")
"""What such a column is called where nobody says, by preference."""

_NUMBERS = re.compile(r"\[([^\[\]]*)\]")
_Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class VectorTable:
    """The vectors in a column of a table; a row without one is all NaN."""

    path: Path
    column: str
    rows: int
    dim: int
    approximate: bool = False

    def identity(self) -> str:
        """See `VectorFile`."""
        return hashlib.sha256(f"{self.column}:{sha256_of(self.path)}".encode()).hexdigest()

    def head(self, size: int) -> npt.NDArray[Any]:
        """See `VectorFile`."""
        return next(self.blocks(size))

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """See `VectorFile`; a block may be smaller than `size`."""
        for some in _vectors(self.path, self.column, size):
            block = np.full((len(some), self.dim), np.nan)
            for at, vector in enumerate(some):
                if vector is not None and len(vector) == self.dim:
                    block[at] = vector
            yield block

    def close(self) -> None:
        """See `VectorFile`."""


@dataclass(frozen=True, slots=True)
class TableNames:
    """A column of the table that holds the vectors, too; those are no metadata."""

    inner: Rows | JsonRows
    vectors: str

    @property
    def path(self) -> Path:
        """See `Entries`."""
        return self.inner.path

    @property
    def column(self) -> str | None:
        """See `Entries`."""
        return self.inner.column

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Entries`."""
        (left_out,) = names_of((self.vectors,))
        for entry in self.inner.entries(kind):
            others = {name: value for name, value in entry.metadata.items() if name != left_out}
            yield replace(entry, metadata=others)


def is_vector_table(path: Path) -> bool:
    """Whether a file may be such a table, by its name."""
    return is_table(str(path))


def open_vector_table(path: Path, column: str | None) -> VectorTable:
    """Open a table with vectors in `column`, by default one that is called as such columns are.

    Raises `UsageError` where there are none, `DamagedError`, `MissingExtraError`.
    """
    column = _chosen(path, column)
    rows, dim = 0, 0
    for some in _vectors(path, column, 1024):
        rows += len(some)
        dim = dim or next((len(each) for each in some if each is not None and len(each)), 0)
    if not dim:
        raise UsageError(f"{path}: its column {column} holds no vectors: expected lists of numbers")
    check_dim(path, dim)
    return VectorTable(path, column, rows, dim)


def names_beside(table: VectorTable, column: str | None, kind: Kind | None) -> TableNames:
    """Return what the vectors of a table stand for, in another column; raises `UsageError` for none."""
    kind_of_rows = JsonRows if is_json_object(table.path) else Rows
    inner = kind_of_rows(table.path, column or usual_column(kind_of_rows, table.path, kind))
    first = next(inner.entries("text"), None)
    if inner.column == table.column or (first is not None and _parsed(first.value) is not None):
        raise UsageError(
            f"{table.path}: which column holds what the vectors stand for? say so with --column NAME"
        )
    return TableNames(inner, table.column)


def _chosen(path: Path, column: str | None) -> str:
    """Return the column that holds the vectors."""
    if not _is_parquet(path) and not is_json_object(path):
        return _chosen_of_lines(path, column)
    if _is_parquet(path):
        with open_parquet(path) as file:
            names, lists = list(file.schema_arrow.names), _lists(file.schema_arrow)
    else:
        names, lists = columns_of(json_rows(path)), []
    if column is not None and column not in names:
        raise UsageError(f"{path} has no column {column!r}: it has {', '.join(names[:20])}")
    usual = [name for each in USUAL for name in names if name.lower() == each]
    found = [column] if column is not None else usual or lists
    if not usual and len(found) != 1:
        raise _unclear(path, names)
    return found[0]


def _chosen_of_lines(path: Path, column: str | None) -> str:
    for name in USUAL if column is None else (column,):
        try:
            next(Rows(path, name).entries("text"), None)
        except UsageError as error:
            refused = error
        else:
            return name
    there = str(refused).partition("it has ")[2].partition(";")[0]
    if column is not None or not there:
        raise refused
    raise _unclear(path, [there])


def _unclear(path: Path, names: list[str]) -> UsageError:
    return UsageError(
        f"{path} has the columns {', '.join(names[:20])}; say which holds the vectors: --vector-column NAME; "
        "or bring vectors of their own, and this table as what they stand for: --names"
    )


def _vectors(path: Path, column: str, size: int) -> Iterator[list[_Floats | None]]:
    """Yield the vectors of a table, up to `size` at a time, None where there is none."""
    if _is_parquet(path):
        yield from _of_parquet(path, column, size)
        return
    values: Iterator[Any]
    if is_json_object(path):
        values = (row.get(column) for row in json_rows(path))
    else:
        values = (entry.value for entry in Rows(path, column).entries("text"))
    while some := list(islice(values, size)):
        yield [_parsed(each) for each in some]


def _of_parquet(path: Path, column: str, size: int) -> Iterator[list[_Floats | None]]:
    with open_parquet(path) as file:
        try:
            for batch in file.iter_batches(batch_size=size, columns=[column]):
                yield [_of_arrow(each) for each in batch.column(0)]
        except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors, too
            raise damaged(path, error) from error


def _of_arrow(value: Any) -> _Floats | None:
    """Return the numbers of one value of an Arrow column."""
    if not value.is_valid:
        return None
    numbers = getattr(value, "values", None)
    if numbers is None:
        return _parsed(value.as_py())
    try:
        return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)
    except (ValueError, TypeError):
        return None


def _parsed(value: Any) -> _Floats | None:
    """Return the numbers of a list, or of a text such as "[0.1, 0.2]"; None for anything else."""
    if isinstance(value, str):
        inside = _NUMBERS.search(value)
        value = (inside[1] if inside else value).replace(",", " ").split()
    if not isinstance(value, list) or not value:
        return None
    try:
        vector = np.array([np.nan if each is None else each for each in value], np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return vector if vector.ndim == 1 else None


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _lists(schema: Any) -> list[str]:
    """Return the columns that hold lists of floats."""
    kinds = ("halffloat", "float", "double")
    return [
        each.name
        for each in schema
        if each.type.num_fields == 1 and str(getattr(each.type, "value_type", "")) in kinds
    ]
