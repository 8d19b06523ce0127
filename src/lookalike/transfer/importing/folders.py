"""Folders of vectors: those that `lookalike export` makes, and those of clip-retrieval (`clip_folder.py`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import DamagedError, NotFoundError, UsageError
from lookalike.files import open_text
from lookalike.records import Kind
from lookalike.transfer.importing.arrays import JoinedFiles, NpyFile, open_npy
from lookalike.transfer.importing.clip_folder import is_clip_folder, open_clip
from lookalike.transfer.importing.names import Entries, Entry
from lookalike.transfer.importing.parquet import damaged, open_parquet

VECTORS_FILE = "vectors.npy"
ITEMS_FILES = ("items.parquet", "items.jsonl")
"""What `exporting` writes."""

_READ_OF_ITEMS = ("uri", "text", "metadata")


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
        with open_parquet(self.path) as opened:
            names = [name for name in opened.schema_arrow.names if name in _READ_OF_ITEMS]
            try:
                for batch in opened.iter_batches(batch_size=1024, columns=names):
                    yield from batch.to_pylist()
            except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors, too
                raise damaged(self.path, error) from error


def open_folder(folder: Path, kind: Kind | None = None) -> tuple[NpyFile | JoinedFiles, Entries]:
    """Open a folder of vectors and what names them; raises `UsageError` for any other folder."""
    if (folder / VECTORS_FILE).is_file():
        items = next((folder / name for name in ITEMS_FILES if (folder / name).is_file()), None)
        if items is None:
            raise UsageError(f"{folder} has {VECTORS_FILE} but neither {' nor '.join(ITEMS_FILES)}")
        return open_npy(folder / VECTORS_FILE), ExportedItems(items)
    if is_clip_folder(folder):
        return open_clip(folder, kind)
    if not folder.exists():
        raise NotFoundError(f"no such file or folder: {folder}")
    if folder.suffix == ".lance" or any(folder.glob("*.arrow")):
        raise UsageError(
            f"{folder} is a table of LanceDB or datasets: write it as one file that other programs read, "
            "table.to_pandas().to_parquet('vectors.parquet') or dataset.to_parquet('vectors.parquet')"
        )
    raise UsageError(
        f"{folder} holds no vectors: expected img_emb/img_emb_*.npy and metadata/metadata_*.parquet, as "
        f"clip-retrieval writes them, or {VECTORS_FILE} and {ITEMS_FILES[0]}"
    )
