"""Rows of Parquet files, by Arrow: an optional package."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from lookalike import files
from lookalike.decode.columns import choose
from lookalike.decode.formats import HEAD_BYTES, sniff
from lookalike.decode.packed import open_bytes
from lookalike.errors import LookalikeError, MissingExtraError, QueryError, UsageError

_BATCH = 1024
_MAGIC = b"PAR1"


def parquet_rows(path: str, column: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the column of the texts, a path with dots where it lies inside others, and each row.

    A row has that column and those that hold plain values. Raises `UsageError`, also for a column of photos,
    `QueryError`,
    `MissingExtraError`, `OSError`.
    """
    try:
        from pyarrow import parquet  # an optional package
    except ImportError:
        raise MissingExtraError("reading Parquet files", "parquet") from None
    try:
        with _unpacked(path) as source, parquet.ParquetFile(source) as file:
            schema = file.schema_arrow
            wanted = choose([name for each in schema for name in _paths(each)], column)
            needed = [each.name for each in schema if _is_plain(each.type) or _holds(each.name, wanted)]
            has_files = _has_files(schema.field(wanted).type if wanted in schema.names else None)
            dotted = any("." in name for name in schema.names)  # which Arrow takes for paths
            for batch in file.iter_batches(batch_size=_BATCH, columns=None if dotted else needed):
                for row in batch.select(needed).to_pylist():
                    if has_files or _is_photo(row.get(wanted)):
                        raise _no_texts(wanted)
                    yield wanted, row
    except (OSError, LookalikeError):
        raise
    except Exception as error:  # Arrow has its own tree of errors
        raise QueryError(f"not a Parquet file that can be read: {str(error).splitlines()[0]}") from error


@contextmanager
def _unpacked(path: str) -> Iterator[str | IO[bytes]]:
    """Give what Arrow reads: the path, or a packed file's content in a temporary one, as it needs to seek."""
    with files.open_bytes(path) as file:
        is_plain = file.read(len(_MAGIC)) == _MAGIC
    if is_plain or not path.lower().endswith(".gz"):
        yield path
        return
    with open_bytes(path) as packed, tempfile.TemporaryFile() as plain:
        shutil.copyfileobj(packed, plain)
        plain.seek(0)
        yield plain


def _paths(field: Any) -> list[str]:
    """Return the names of a field of a schema: its own, and those inside it after a dot."""
    inner = [field.type.field(at) for at in range(field.type.num_fields)] if _is_struct(field.type) else []
    return [field.name, *(f"{field.name}.{path}" for each in inner for path in _paths(each))]


def _holds(name: str, wanted: str) -> bool:
    return wanted == name or wanted.startswith(f"{name}.")


def _is_struct(kind: Any) -> bool:
    return str(kind).startswith("struct<")


def _is_plain(kind: Any) -> bool:
    """Whether a column has values that can be conditions: no lists, records or bytes."""
    return kind.num_fields == 0 and not str(kind).endswith("binary") and "binary[" not in str(kind)


def _has_files(kind: Any) -> bool:
    """Whether a column holds files with their names, as datasets keeps photos and sounds."""
    return _is_struct(kind) and {"bytes", "path"} <= {kind.field(at).name for at in range(kind.num_fields)}


def _is_photo(value: Any) -> bool:
    return isinstance(value, bytes) and sniff(value[:HEAD_BYTES]) not in (
        None,
        "BMP",
    )  # texts begin with BM, too


def _no_texts(column: str) -> UsageError:
    return UsageError(
        f"the column {column!r} holds photos or other files themselves, not texts; photos are added without "
        "--column and --texts: lookalike add TABLE.parquet"
    )
