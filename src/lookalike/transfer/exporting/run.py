"""Writes a space as an array, a table and maybe a Faiss index: `export_vectors` names the steps."""

from __future__ import annotations

import glob
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.durable import sync_folder
from lookalike.engine.writing import SERVED_IN_PART, ItemStore
from lookalike.errors import StorageError, UnreachableError, UsageError
from lookalike.records import Item, OnStep, Space
from lookalike.transfer.exporting.faiss_index import Factory, build
from lookalike.transfer.exporting.items import ItemsTable, items_table
from lookalike.transfer.exporting.readme import readme

VECTORS_FILE = "vectors.npy"
INDEX_FILE = "index.faiss"
README_FILE = "README.txt"
SPACE_FILE = "space.json"
"""Says by which model the vectors were made; importing reads it."""

_PAGE = 250  # items
_SPARE_BYTES = 64 << 20
_LEFTOVER_SECONDS = 86_400  # an index may be trained for hours without a byte written


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is wanted: a Faiss index by its `factory` string, items as JSON lines instead of Parquet.

    `with_vectors` puts the vectors into the table of items, too. `on_step("exporting" or "indexing", done,
    total)` hears of progress.
    """

    factory: str | None = None
    jsonl: bool = False
    on_step: OnStep = lambda *_: None
    with_vectors: bool = False


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: the names of the `files` in `folder`, with `rows` items each.

    `left_out` are ids of items whose stored bytes are damaged. `trained_on` is how many vectors the Faiss
    index was trained on.
    """

    folder: Path
    files: tuple[str, ...]
    rows: int
    dim: int
    left_out: tuple[int, ...] = ()
    trained_on: int = 0


def export_vectors(
    store: ItemStore, space: Space, folder: Path, options: ExportOptions | None = None
) -> ExportReport:
    """Write the vectors and items of a space into `folder`, which must be new or empty; all of it or nothing.

    Row i of every file is the same item. Memory stays steady, but for what Faiss needs for its index. Raises
    `UsageError` for a folder that holds something, and for a factory string that Faiss does not know or that
    does not suit the vectors; `MissingExtraError` where Parquet is not installed; `StorageError`, and
    `UnreachableError` where an engine of many machines does not serve all just now.
    """
    options = options or ExportOptions()
    _check_target(folder)
    store.check_served()
    count = store.vectors(space).count()
    factory = None if options.factory is None else Factory(options.factory, space.dim, count)
    with _made_whole(folder, count * space.dim * (8 if options.with_vectors else 4)) as new:
        dim = space.dim if options.with_vectors else 0
        table = items_table(new, space.kind, jsonl=options.jsonl, dim=dim)
        rows, left_out = _write_rows(store, space, new, table, options)
        trained_on = 0
        if factory is not None:
            trained_on = build(
                factory,
                new / VECTORS_FILE,
                new / INDEX_FILE,
                lambda done: options.on_step("indexing", done, rows),
            )
        _write_space(new / SPACE_FILE, space, rows)
        text = readme(space, rows, table.name, factory, with_vectors=options.with_vectors)
        (new / README_FILE).write_text(text, encoding="utf-8")
        files = tuple(sorted(path.name for path in new.iterdir()))
    return ExportReport(folder, files, rows, space.dim, tuple(left_out), trained_on)


def _write_rows(
    store: ItemStore, space: Space, folder: Path, table: ItemsTable, options: ExportOptions
) -> tuple[int, list[int]]:
    """Write vectors and items side by side; returns how many, and the ids of damaged ones."""
    vectors = store.vectors(space)
    total = vectors.count()
    rows, left_out = 0, list[int]()
    with (folder / VECTORS_FILE).open("wb") as file, table:
        _write_header(file, 0, space.dim)
        start = file.tell()
        for block in vectors.blocks(_PAGE):
            items = _items(store, space, block.ids.tolist())
            whole = [at for at, item_id in enumerate(block.ids.tolist()) if item_id in items]
            left_out += block.damaged
            left_out += [item_id for item_id in block.ids.tolist() if item_id not in items]
            file.write(np.ascontiguousarray(block.rows[whole], "<f4").tobytes())
            for at in whole:
                item = items[int(block.ids[at])]
                places = store.texts.places(item.id) if item.places > 1 else [item.uri]
                table.add(item, places, block.rows[at])
            rows += len(whole)
            options.on_step("exporting", rows, total)
        if store.folder is None and not total == rows + len(left_out) == vectors.count():
            raise UnreachableError(f"the space {space.name} {SERVED_IN_PART}")
        if not rows:
            raise UsageError(f"the space {space.name} has no vectors to export")
        file.seek(0)
        _write_header(file, rows, space.dim)
        assert file.tell() == start  # the header has room for any number of rows
    return rows, left_out


def _items(store: ItemStore, space: Space, ids: list[int]) -> dict[int, Item]:
    """Return the sound ones of some items; another engine than a file may not serve all of them just now."""
    items = store.items.get(ids)
    absent = [item_id for item_id in ids if item_id not in items]
    if absent and store.folder is None and len(store.items.damaged(absent)) < len(absent):
        raise UnreachableError(f"the space {space.name} {SERVED_IN_PART}")
    return items


def _write_space(path: Path, space: Space, rows: int) -> None:
    facts = {
        "space": space.name,
        "kind": space.kind,
        "dim": space.dim,
        "rows": rows,
        "model": space.reference,
        "model_id": space.model_id,
        "approximate": space.approximate,
    }
    path.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_header(file: object, rows: int, dim: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]  # its stubs want a name


def _check_target(folder: Path) -> None:
    """Refuse a folder that holds something."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty; name a new or empty folder to export to")
    except OSError as error:
        raise StorageError(f"cannot look into {folder}: {error.strerror}") from error


@contextmanager
def _made_whole(folder: Path, least_bytes: int) -> Iterator[Path]:
    """Give a hidden folder to write into, and move it to its place when all of it is on disk."""
    folder = folder.absolute()
    new = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        _remove_leftovers(folder)
        new.mkdir(parents=True)
        free = shutil.disk_usage(new).free
        if free < least_bytes + _SPARE_BYTES:
            raise StorageError(
                f"{folder} needs {least_bytes / 1e9:,.2f} GB for the vectors, but its disk has "
                f"{free / 1e9:,.2f} GB free"
            )
        yield new
        for path in new.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(new)
        with suppress(FileNotFoundError):
            folder.rmdir()  # an empty one, or else this raises
        new.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed exports to the same folder left, and nothing that is being written."""
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.*.new"):
        times = [path.stat().st_mtime for path in (leftover, *leftover.iterdir())]
        if time.time() - max(times) > _LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
