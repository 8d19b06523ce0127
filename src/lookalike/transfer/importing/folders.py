"""Folders of vectors: those that clip-retrieval makes, and those that `lookalike export` makes.

clip-retrieval (Beaumont 2022, https://github.com/rom1504/clip-retrieval) writes `img_emb/img_emb_*.npy` and,
with the same numbers, `metadata/metadata_*.parquet`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import DamagedError, MissingExtraError, NotAFileError, NotFoundError, UsageError
from lookalike.files import check_file, open_text
from lookalike.records import Kind
from lookalike.transfer.importing.arrays import JoinedFiles, NpyFile, open_npy
from lookalike.transfer.importing.names import Entries, Entry, Rows, counted

VECTORS_FILE = "vectors.npy"
ITEMS_FILES = ("items.parquet", "items.jsonl")
"""What `exporting` writes."""


@dataclass(frozen=True, slots=True)
class ClipRows:
    """The rows of the metadata files: `image_path` where that file exists, else `url` where there is one."""

    path: Path
    files: tuple[Path, ...]
    column: str | None = None

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Entries`."""
        for file in self.files:
            column = _clip_column(file)
            for entry in Rows(file, column).entries(kind):
                url = entry.metadata.get("url")
                if column != "url" and isinstance(url, str) and url and not self._is_there(entry.value):
                    others = {name: value for name, value in entry.metadata.items() if name != "url"}
                    yield Entry(url, {**others, **({column: entry.value} if entry.value else {})})
                else:
                    yield entry

    def _is_there(self, name: str | None) -> bool:
        try:
            return bool(name) and (self.path / str(name)).is_file()
        except (OSError, ValueError):
            return False


@dataclass(frozen=True, slots=True)
class ExportedItems:
    """The items that `lookalike export` wrote, texts at the places where they stood."""

    path: Path
    column: str | None = None

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Entries`; raises `UsageError` where the file is another one."""
        for row in self._rows():
            try:
                metadata = (
                    json.loads(row["metadata"]) if isinstance(row["metadata"], str) else row["metadata"]
                )
                value = row["text"] if kind == "text" else row["uri"]
                yield Entry(str(value), dict(metadata), place=str(row["uri"]))
            except (KeyError, TypeError, ValueError) as error:
                raise UsageError(f"{self.path} is not what lookalike export writes") from error

    def kind(self) -> Kind:
        """Return whether they are photos or texts."""
        return "text" if isinstance(next(self._rows(), {}).get("text"), str) else "photo"

    def _rows(self) -> Iterator[dict[str, Any]]:
        if self.path.suffix == ".jsonl":
            with open_text(self.path) as file:
                for line in file:
                    try:
                        row = json.loads(line)
                    except ValueError as error:
                        raise DamagedError(f"{self.path} is damaged: {error}") from error
                    yield row if isinstance(row, dict) else {}
            return
        try:
            from pyarrow import parquet  # an optional package
        except ImportError:
            raise MissingExtraError("reading Parquet files", "parquet") from None
        try:
            check_file(self.path)
            with parquet.ParquetFile(self.path) as opened:
                for batch in opened.iter_batches(batch_size=1024):
                    yield from batch.to_pylist()
        except NotAFileError:
            raise
        except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors, too
            raise DamagedError(f"{self.path} is damaged: {str(error).splitlines()[0]}") from error


def open_folder(folder: Path) -> tuple[NpyFile | JoinedFiles, Entries]:
    """Open a folder of vectors and what names them; raises `UsageError` for any other folder."""
    if (folder / VECTORS_FILE).is_file():
        items = next((folder / name for name in ITEMS_FILES if (folder / name).is_file()), None)
        if items is None:
            raise UsageError(f"{folder} has {VECTORS_FILE} but neither {' nor '.join(ITEMS_FILES)}")
        return open_npy(folder / VECTORS_FILE), ExportedItems(items)
    arrays = _numbered(folder / "img_emb", "img_emb_*.npy")
    tables = _numbered(folder / "metadata", "metadata_*.parquet")
    if not arrays:
        if not folder.exists():
            raise NotFoundError(f"no such file or folder: {folder}")
        raise UsageError(
            f"{folder} holds no vectors: expected img_emb/img_emb_*.npy and metadata/metadata_*.parquet, as "
            f"clip-retrieval writes them, or {VECTORS_FILE} and {ITEMS_FILES[0]}"
        )
    if list(arrays) != list(tables):
        odd = sorted(set(arrays) ^ set(tables))[0]
        which = "metadata" if odd in arrays else "img_emb"
        raise UsageError(f"{folder}: there is no file number {odd} in {which}")
    parts = [open_npy(path) for path in arrays.values()]
    for part, (number, table) in zip(parts, tables.items(), strict=True):
        _check_pair(part, parts[0], number, table)
    return JoinedFiles(parts), ClipRows(folder, tuple(tables.values()))


def _check_pair(part: NpyFile, first: NpyFile, number: int, table: Path) -> None:
    if part.dim != first.dim:
        raise UsageError(
            f"{part.path} has vectors of {part.dim:,} numbers, but {first.path.name} of {first.dim:,}"
        )
    rows = counted(Rows(table, _clip_column(table)), "photo")
    if rows != part.rows:
        raise UsageError(
            f"{part.path} has {part.rows:,} vectors, but {table.name} has {rows:,} rows (number {number})"
        )


def _numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the files of a pattern by the number in their name, ascending."""
    found = ((re.findall(r"\d+", path.stem), path) for path in folder.glob(pattern))
    return dict(sorted((int(numbers[-1]), path) for numbers, path in found if numbers))


def _clip_column(table: Path) -> str:
    """Return the column that names the photos."""
    problem: UsageError | None = None
    for column in ("image_path", "url"):
        try:
            next(Rows(table, column).entries("photo"), None)
            return column
        except UsageError as error:
            problem = problem or error
    assert problem is not None
    raise problem
