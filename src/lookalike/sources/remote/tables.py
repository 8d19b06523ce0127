"""Parquet tables with pictures in them, as datasets keep them: by Arrow, an optional package.

The pictures are a column of bytes, or of records of `bytes` and `path`. The number of a row is kept in its
stamp as `mtime_ns`: the table's own stamp tells whether anything has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from lookalike.errors import LookalikeError, MissingExtraError
from lookalike.sources.remote.ranges import opened
from lookalike.sources.remote.troubles import RemoteError, Trouble

_BATCH = 16  # rows
_BUFFER = 4 << 20
_LOOKED_AT = 64  # rows, to find a picture
_USUAL = ("image", "img", "photo", "picture", "jpg", "jpeg", "png", "webp", "bytes", "content")
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"\0\0\0\x0cjP  ",
    b"\xffO\xffQ",
)
NO_PICTURES = "a table without pictures"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, counted from 1, its picture (or why there is none), and its plain columns."""

    number: int
    content: bytes | None
    problem: str | None
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PictureTable:
    """A table whose pictures are in `column`; `others` are further columns of pictures."""

    file: Any
    column: str
    others: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many rows it has."""
        return int(self.file.metadata.num_rows)

    def rows(self, most_bytes: int) -> Iterator[Row]:
        """Yield the rows, in order; a picture above `most_bytes` comes with that as its problem."""
        columns = [self.column, *_plain_columns(self.file.schema_arrow)]
        number = 0
        with _translated():
            for batch in self.file.iter_batches(batch_size=_BATCH, columns=columns):
                pictures = batch.column(batch.schema.get_field_index(self.column))
                facts = batch.select([name for name in batch.schema.names if name != self.column])
                told = facts.to_pylist() if facts.num_columns else [{}] * len(pictures)
                for each, picture in zip(told, pictures, strict=True):
                    number += 1
                    yield _row(number, picture.as_py(), each, most_bytes)

    def rows_about(self, number: int, most_bytes: int) -> dict[int, Row]:
        """Return the group of rows that one is in, by their numbers; raises `RemoteError`."""
        with _translated():
            before = 0
            for group in range(self.file.num_row_groups):
                count = self.file.metadata.row_group(group).num_rows
                if before < number <= before + count:
                    values = self.file.read_row_group(group, columns=[self.column]).column(0).to_pylist()
                    numbered = enumerate(values, before + 1)
                    return {at: _row(at, value, {}, most_bytes) for at, value in numbered}
                before += count
        raise RemoteError(Trouble("it is not in its table any more"))


def _row(number: int, value: Any, facts: dict[str, Any], most_bytes: int) -> Row:
    content = value.get("bytes") if isinstance(value, dict) else value
    problem = None
    if not isinstance(content, bytes):
        names_a_file = isinstance(value, dict) and value.get("path")
        problem = "its row names a file, but does not hold it" if names_a_file else "its row has no picture"
        content = None
    elif not content:
        problem, content = "empty file", None
    elif len(content) > most_bytes:
        problem, content = f"larger than {most_bytes >> 20:,} MiB", None
    return Row(number, content, problem, facts)


@contextmanager
def open_table(file: IO[bytes]) -> Iterator[PictureTable]:
    """Give a table that holds pictures; raises `RemoteError` for any other, `MissingExtraError`."""
    try:
        from pyarrow import parquet  # an optional package
    except ImportError:
        raise MissingExtraError("reading Parquet files", "parquet") from None
    with _translated():
        table = parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
    with table:
        with _translated():
            found = [name for name in _candidates(table.schema_arrow) if _has_pictures(table, name)]
        if not found:
            raise RemoteError(Trouble(NO_PICTURES, is_lasting=True))
        yield PictureTable(table, found[0], tuple(found[1:]))


def holds_pictures(uri: str, path: str) -> bool:
    """Whether a file is a table with pictures; False where it cannot be read, which reading it says."""
    try:
        with opened(uri, path) as file, open_table(file):
            return True
    except (LookalikeError, OSError):
        return False


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (LookalikeError, GeneratorExit):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise RemoteError(Trouble("a Parquet file that is damaged", is_lasting=True)) from error
    except Exception as error:  # Arrow has its own tree of errors
        raise RemoteError(Trouble("not a Parquet file that can be read", is_lasting=True)) from error


def _candidates(schema: Any) -> list[str]:
    names = [each.name for each in schema if _holds_bytes(each.type) and "." not in each.name]
    return sorted(
        names, key=lambda name: _USUAL.index(name.lower()) if name.lower() in _USUAL else len(_USUAL)
    )


def _holds_bytes(kind: Any) -> bool:
    if str(kind).startswith("struct<"):
        return any(
            kind.field(at).name == "bytes" and _is_binary(kind.field(at).type)
            for at in range(kind.num_fields)
        )
    return _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    return str(kind) in ("binary", "large_binary", "binary_view")


def _has_pictures(table: Any, column: str) -> bool:
    """Whether the first value among those that are looked at begins like a picture."""
    for batch in islice(table.iter_batches(batch_size=_BATCH, columns=[column]), _LOOKED_AT // _BATCH):
        for value in batch.column(0):
            row = _row(0, value.as_py(), {}, 1 << 40)
            if row.content is not None:
                begins = row.content[:16]
                is_boxed = begins[4:8] == b"ftyp" or (begins[:4] == b"RIFF" and begins[8:12] == b"WEBP")
                return begins.startswith(_BEGINNINGS) or is_boxed
    return False


def _plain_columns(schema: Any) -> list[str]:
    """Return the columns whose values can be facts: no lists, records or bytes."""
    return [
        each.name
        for each in schema
        if each.type.num_fields == 0 and "binary" not in str(each.type) and "." not in each.name
    ]
