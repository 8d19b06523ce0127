"""What the rows of vectors made elsewhere stand for: a list of names, or a column of a table."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.decode.encodings import encoding_of
from lookalike.decode.tables import MAX_FIELD, TableFile
from lookalike.decode.texts import is_table
from lookalike.errors import LookalikeError, QueryError, UsageError
from lookalike.files import open_text
from lookalike.records import Kind, Metadata
from lookalike.sources.kinds import TEXT_SUFFIXES
from lookalike.sources.uris import uri_of
from lookalike.transfer.importing.arrays import check_file, refuse_pickle

_PHOTO_COLUMNS = (
    *("image_path", "path", "filepath", "file_path", "file", "filename", "file_name", "image", "name", "uri"),
    *("url", "image_url"),
)
_PHOTO = re.compile(r"\.(jpe?g|png|gif|webp|tiff?|bmp|avif|hei[cf]|jp2)(\?.*)?$", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOOKED_AT = 1_000  # names


@dataclass(frozen=True, slots=True)
class Entry:
    """What one row of vectors stands for: a photo's name or a text, or None where that cannot be read.

    `place` is where a text stands, unless that is its row of the list.
    """

    value: str | None
    metadata: Metadata = field(default_factory=dict)
    problem: str = ""
    place: str | None = None


class Entries(Protocol):
    """Something that names the rows of vectors, in their order."""

    @property
    def path(self) -> Path:
        """The file that holds it."""

    @property
    def column(self) -> str | None:
        """The column of a table that is read."""

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """Yield what each row stands for; may be asked again."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A text file with one name or text a line; empty lines do not count."""

    path: Path
    column: str | None = None

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Entries`; raises `UsageError` for what is no text file."""
        encoding, errors = encoding_of(str(self.path)), "replace"
        if kind == "photo":  # names are bytes, and need not be text in any encoding
            encoding, errors = ("utf-16" if encoding == "utf-16" else "utf-8-sig"), "surrogateescape"
        with open_text(self.path, encoding, errors) as file:
            while line := file.readline(MAX_FIELD):
                if "\0" in line or len(line) == MAX_FIELD:
                    raise UsageError(f"{self.path} is no list: it must be a text file, one name a line")
                if name := line.rstrip("\n"):
                    yield Entry(name)


@dataclass(frozen=True, slots=True)
class Rows:
    """A column of a CSV, TSV, JSONL or Parquet file; the other columns become metadata."""

    path: Path
    column: str | None

    def entries(self, kind: Kind) -> Iterator[Entry]:  # noqa: ARG002  # texts and names look alike here
        """See `Entries`; raises what `TableFile.rows` raises."""
        table = TableFile(str(self.path), self.column)
        last = 0
        for number, value, metadata in _named(table, self.path):
            yield from (_damaged(table, at) for at in range(last + 1, number))
            yield Entry(value, metadata)
            last = number
        numbers = [int(re.findall(r"\d+", each)[0]) for each in table.damaged]
        yield from (_damaged(table, at) for at in range(last + 1, max([last, *numbers]) + 1))


def open_names(path: Path, column: str | None, kind: Kind | None = None) -> Entries:
    """Open a list of names or texts; raises `NotFoundError`, `UsageError`, and what tables raise."""
    check_file(path)
    refuse_pickle(path, "write the list as a text file, one name a line")
    if not is_table(str(path)):
        if column is not None:
            raise UsageError(f"{path} has no columns: they are read from {', '.join(TEXT_SUFFIXES[:6])}")
        return Lines(path)
    return Rows(path, column or usual_column(Rows, path, kind))


def guess_kind(names: Entries, base: Path) -> Kind:
    """Tell photos from texts by the first names; raises `UsageError` where they may be either."""
    values = [entry.value for entry in islice(names.entries("photo"), _LOOKED_AT) if entry.value]
    photos = sum(_is_photo(value, base) for value in values)
    if 2 * photos > len(values):
        return "photo"
    usual = (
        not isinstance(names, Lines) and names.column is None
    )  # that of texts, by its name, or the only one
    if not photos and (usual or any(" " in value for value in values)):
        return "text"
    raise UsageError(f"does {names.path} hold names of photos, or texts? say so with --photos or --texts")


def photo_uri(name: str, base: Path) -> str:
    """Return the uri of a photo: an address stays what it is, a relative name is taken from `base`."""
    return name if _ADDRESS.match(name) else uri_of(base / name)


def is_address(uri: str) -> bool:
    """Whether a uri leads to another place than the disks of this machine."""
    return bool(_ADDRESS.match(uri)) and not uri.startswith("file://")


def counted(names: Entries, kind: Kind, on_row: Callable[[int], None] = lambda _: None) -> int:
    """Return how many rows there are, reading them all."""
    count = 0
    for _ in names.entries(kind):
        count += 1
        if count % _LOOKED_AT == 0:
            on_row(count)
    return count


def read_ids(path: Path, column: str) -> npt.NDArray[np.int64]:
    """Return the whole numbers in a column of a table; raises `UsageError` for any other value."""
    ids = array("q")
    for number, entry in enumerate(Rows(path, column).entries("text"), 1):
        try:
            ids.append(int(entry.value or ""))
        except (ValueError, OverflowError):
            shown = "nothing" if entry.value is None else repr(entry.value[:40])
            raise UsageError(f"{path}: row {number} of the column {column} has no id but {shown}") from None
    return np.array(ids, np.int64)


def _named(table: TableFile, path: Path) -> Iterator[tuple[int, str, Metadata]]:
    """Yield a table's rows; what is wrong with it is said together with its name."""
    try:
        yield from table.rows()
    except LookalikeError as error:
        if isinstance(error, UsageError | QueryError):
            raise UsageError(f"{path}: {error}") from error
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _damaged(table: TableFile, number: int) -> Entry:
    reasons = (each for each in table.damaged if each.startswith(f"row {number}: "))
    return Entry(None, problem=next(reasons, "it cannot be read").partition(": ")[2] or "it cannot be read")


def usual_column(rows: Callable[[Path, str | None], Entries], path: Path, kind: Kind | None) -> str | None:
    """Return the column that holds names of photos or texts, by its name; None for the usual one of texts.

    Raises `UsageError` where a table has none.
    """
    tried = (*_PHOTO_COLUMNS, None) if kind == "photo" else (None, *_PHOTO_COLUMNS)
    problem: LookalikeError | None = None
    for wanted in tried:
        try:
            next(rows(path, wanted).entries("text"), None)
        except UsageError as error:
            problem = error if wanted is None else problem
        else:
            return wanted
    raise problem or UsageError(f"{path} has no column of names")


def _is_photo(value: str, base: Path) -> bool:
    if _PHOTO.search(value):
        return True
    try:
        return len(value) < 1000 and "\n" not in value and (base / value).is_file()
    except (OSError, ValueError):
        return False
