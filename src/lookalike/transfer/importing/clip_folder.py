"""The folders that clip-retrieval writes (Beaumont 2022, https://github.com/rom1504/clip-retrieval).

::

    img_emb/img_emb_0.npy …     text_emb/text_emb_0.npy …     metadata/metadata_0.parquet …

Files of one number are of the same rows. There may be photos, texts or both; a part may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.errors import UsageError
from lookalike.files import check_file, open_bytes
from lookalike.records import Kind
from lookalike.transfer.importing.arrays import JoinedFiles, NpyFile, open_npy
from lookalike.transfer.importing.names import Entry, Rows, counted
from lookalike.transfer.importing.parquet import open_parquet

_FOLDERS: dict[Kind, str] = {"photo": "img_emb", "text": "text_emb"}
_COLUMNS: dict[Kind, tuple[str, ...]] = {"photo": ("image_path", "url"), "text": ("caption", "text")}
"""The column of the metadata that holds what the vectors stand for, by preference."""


@dataclass(frozen=True, slots=True)
class ClipRows:
    """The rows of the metadata files, each by its first column of those that there are.

    For photos that is `image_path` where that file exists, else `url` where there is one: out of webdataset's
    archives, the path is no more than a key. `notes` tell in words what of the folder is left out.
    """

    path: Path
    files: tuple[Path, ...]
    held: Kind
    notes: tuple[str, ...] = ()
    column: str | None = None

    def kind(self) -> Kind:
        """Return whether they are photos or texts."""
        return self.held

    def entries(self, kind: Kind) -> Iterator[Entry]:  # noqa: ARG002  # the folder holds one
        """See `Entries`."""
        for file in self.files:
            column = _column(file, self.held)
            for number, entry in enumerate(Rows(file, column).entries(self.held), 1):
                if self.held == "text":
                    yield Entry(entry.value, entry.metadata, entry.problem, f"{file}#{number}")
                else:
                    yield self._photo(entry, column)

    def _photo(self, entry: Entry, column: str) -> Entry:
        url = entry.metadata.get("url")
        if column == "url" or not isinstance(url, str) or not url or self._is_there(entry.value):
            return entry
        others = {name: value for name, value in entry.metadata.items() if name != "url"}
        return Entry(url, {**others, **({column: entry.value} if entry.value else {})})

    def _is_there(self, name: str | None) -> bool:
        try:
            return bool(name) and (self.path / str(name)).is_file()
        except (OSError, ValueError):
            return False


def is_clip_folder(folder: Path) -> bool:
    """Whether there are vectors as clip-retrieval writes them."""
    return any(_numbered(folder / name, f"{name}_*.npy") for name in _FOLDERS.values())


def open_clip(folder: Path, kind: Kind | None) -> tuple[JoinedFiles, ClipRows]:
    """Open a folder's vectors of photos, or those of texts where there are no others or they are wanted.

    Raises `UsageError` where vectors and metadata do not fit each other, and what reading them raises.
    """
    arrays = {each: _numbered(folder / name, f"{name}_*.npy") for each, name in _FOLDERS.items()}
    held: Kind = kind or ("photo" if arrays["photo"] else "text")
    tables = _numbered(folder / "metadata", "metadata_*.parquet")
    wanted = arrays[held]
    if not wanted:
        raise UsageError(
            f"{folder} has no vectors of {held}s: there is no {_FOLDERS[held]}/{_FOLDERS[held]}_*.npy"
        )
    empty = [
        number
        for number in sorted({*wanted, *tables})
        if _is_empty_array(wanted.get(number)) and _is_empty_table(tables.get(number))
    ]
    wanted, tables = (
        {number: path for number, path in files.items() if number not in empty} for files in (wanted, tables)
    )
    if list(wanted) != list(tables):
        odd = sorted(set(wanted) ^ set(tables))[0]
        which = "metadata" if odd in wanted else _FOLDERS[held]
        raise UsageError(f"{folder}: there is no file number {odd} in {which}")
    if not wanted:
        raise UsageError(f"{folder}: all its parts are empty")
    parts = [open_npy(path) for path in wanted.values()]
    for part, (number, table) in zip(parts, tables.items(), strict=True):
        _check_pair(part, parts[0], number, table, held)
    notes = [f"left out part {number} of {folder}, which is empty" for number in empty]
    other: Kind = "text" if held == "photo" else "photo"
    if arrays[other] and kind is None:
        notes.append(
            f"left out the vectors of {other}s in {folder / _FOLDERS[other]}: they come in with --{other}s"
        )
    return JoinedFiles(parts), ClipRows(folder, tuple(tables.values()), held, tuple(notes))


def _check_pair(part: NpyFile, first: NpyFile, number: int, table: Path, held: Kind) -> None:
    if part.dim != first.dim:
        raise UsageError(
            f"{part.path} has vectors of {part.dim:,} numbers, but {first.path.name} of {first.dim:,}"
        )
    rows = counted(Rows(table, _column(table, held)), held)
    if rows != part.rows:
        raise UsageError(
            f"{part.path} has {part.rows:,} vectors, but {table.name} has {rows:,} rows (number {number})"
        )


def _is_empty_array(path: Path | None) -> bool:
    """Whether an array is missing or has no rows; what is no array, opening it says."""
    if path is None or check_file(path).st_size == 0:
        return True
    try:
        with open_bytes(path) as file:
            np.lib.format.read_magic(file)
            shape, _, _ = np.lib.format.read_array_header_1_0(file)
    except (OSError, ValueError):
        return False
    return 0 in shape


def _is_empty_table(path: Path | None) -> bool:
    if path is None or check_file(path).st_size == 0:
        return True
    with open_parquet(path) as file:
        return bool(file.metadata.num_rows == 0)


def _numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the files of a pattern by the number in their name, ascending."""
    found = ((re.findall(r"\d+", path.stem), path) for path in folder.glob(pattern))
    return dict(sorted((int(numbers[-1]), path) for numbers, path in found if numbers))


def _column(table: Path, held: Kind) -> str:
    """Return the column that names the photos or holds the texts."""
    problem: UsageError | None = None
    for column in _COLUMNS[held]:
        try:
            next(Rows(table, column).entries(held), None)
            return column
        except UsageError as error:
            problem = problem or error
    assert problem is not None
    raise problem
