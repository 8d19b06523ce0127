"""What is to be imported, opened and checked as a whole before anything is touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.embedders import EmbedderSpec
from lookalike.errors import ModelMismatchError, UsageError
from lookalike.files import open_bytes
from lookalike.records import Kind, OnStep
from lookalike.transfer.importing.arrays import (
    VectorFile,
    check_file,
    open_npy,
    refuse_archive,
    refuse_pickle,
)
from lookalike.transfer.importing.clip_folder import ClipRows
from lookalike.transfer.importing.faiss_file import FaissFile
from lookalike.transfer.importing.folders import ExportedItems, open_folder
from lookalike.transfer.importing.names import Entries, Rows, counted, guess_kind, open_names, read_ids
from lookalike.transfer.importing.vector_table import is_vector_table, names_beside, open_vector_table

_LONGEST_NAME = 100
_ENDINGS = re.compile(
    r"(\.saved_predictions|\.npy|\.index|\.faiss|\.ivf|\.bin|\.parquet|\.csv|\.tsv|\.jsonl?|\.ndjson)+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the user asks for.

    `vectors` is an .npy file, a Faiss index, a folder (see `folders`) or a table with a `vector_column`;
    `names` the list of what its rows stand for, in `column` where it is a table, which may be that of the
    vectors itself. `id_column` has the ids of a Faiss index where they are no row numbers. Relative names of
    photos are taken from `base`, by default the folder of the list. `name` is that of the space, by default
    made of the file's. `model` is what the vectors were made by, named as for `Collection`, where that is
    known: then they are part of its space, and searched by its photos and words. `kind` tells names of
    photos from texts.
    """

    vectors: Path
    names: Path | None = None
    column: str | None = None
    base: Path | None = None
    name: str | None = None
    model: str | None = None
    kind: Kind | None = None
    vector_column: str | None = None
    id_column: str | None = None


@dataclass(frozen=True, slots=True)
class ImportSource:
    """Vectors and what they stand for, found to fit each other; use it as a context manager.

    `is_named` tells that the user chose the name of the space, `notes` what is left out, in words.
    """

    vectors: VectorFile
    names: Entries
    kind: Kind
    base: Path
    name: str
    model_id: str
    reference: str
    is_named: bool
    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go of the files."""
        self.vectors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    request: ImportRequest,
    model: EmbedderSpec | None = None,
    *,
    held: Kind | None = None,
    on_step: OnStep = lambda *_: None,
) -> ImportSource:
    """Open what is to be imported; `model` is the one requested, `held` what the collection holds.

    Raises `NotFoundError`, `UsageError`, `DamagedError`, `MissingExtraError`, and `ModelMismatchError` where
    the vectors cannot be those of the model.
    """
    if model is not None and request.name not in (None, model.name):
        raise UsageError(f"vectors of the model {model.name} are part of its space: leave out --name")
    vectors, names = _opened(request, held)
    try:
        base = (request.base or (names.path if names.path.is_dir() else names.path.parent)).absolute()
        kind = _kind(request, model, names, base, held)
        rows = counted(names, kind, lambda done: on_step("checking", done, vectors.rows))
        if rows != vectors.rows:
            raise UsageError(
                f"{request.vectors} has {vectors.rows:,} vectors, but {names.path} has {rows:,} names; "
                "they must be of the same length and order"
            )
        if model is not None:
            return _of_model(model, vectors, names, kind, base)
        name = request.name or _default_name(request.vectors)
        if not name.isprintable() or len(name) > _LONGEST_NAME or ":" in name:
            raise UsageError(f"{name[:_LONGEST_NAME]!r} cannot name a space: use letters, digits, - and .")
        facts = json.dumps([name, vectors.dim, vectors.identity()])
        model_id = hashlib.sha256(f"imported:{facts}".encode()).hexdigest()
        notes = names.notes if isinstance(names, ClipRows) else ()
        return ImportSource(vectors, names, kind, base, name, model_id, "", request.name is not None, notes)
    except BaseException:
        vectors.close()
        raise


def _opened(request: ImportRequest, held: Kind | None) -> tuple[VectorFile, Entries]:
    path = request.vectors
    if path.is_dir():
        if (request.names, request.column, request.vector_column, request.id_column) != (None,) * 4:
            raise UsageError(f"{path} is a folder, which names its own rows: leave out --names and columns")
        return open_folder(path, request.kind or held)
    check_file(path)
    if is_vector_table(path):
        table = open_vector_table(path, request.vector_column)
        if request.names is None:
            return table, names_beside(table, request.column, request.kind)
        return table, open_names(request.names, request.column, request.kind)
    if request.vector_column is not None:
        raise UsageError(f"{path} has no columns: leave out --vector-column")
    refuse_archive(path)
    refuse_pickle(path, "save the array with numpy.save")
    with open_bytes(path) as file:
        is_array = file.read(6) == b"\x93NUMPY" or path.suffix.lower() in (".npy", ".npz")
    if request.names is None:
        raise UsageError(f"say what the vectors of {path} stand for: --names FILE, a list or a table")
    names = open_names(request.names, request.column, request.kind)
    if not is_array:
        return FaissFile(path, _ids(names, request.id_column)), names
    if request.id_column is not None:
        raise UsageError(f"{path} is an array, which has no ids: leave out --id-column")
    return open_npy(path), names


def _ids(names: Entries, column: str | None) -> Callable[[], npt.NDArray[np.int64]] | None:
    """Return what reads the ids that a table of names has; None where there are none."""
    if not isinstance(names, Rows):
        if column is not None:
            raise UsageError(f"{names.path} has no columns: leave out --id-column")
        return None
    try:
        next(Rows(names.path, column or "id").entries("text"), None)
    except UsageError:
        if column is not None:
            raise
        return None
    return partial(read_ids, names.path, column or "id")


def _kind(
    request: ImportRequest, model: EmbedderSpec | None, names: Entries, base: Path, held: Kind | None
) -> Kind:
    """Return what the rows stand for; refuses to mix photos and texts."""
    if isinstance(names, ExportedItems | ClipRows):
        found: Kind = names.kind()
    else:
        found = request.kind or (model.kind if model else None) or held or guess_kind(names, base)
    if request.kind is not None and found != request.kind:
        raise UsageError(f"{names.path} holds {found}s")
    if model is not None and found != model.kind:
        raise ModelMismatchError(f"the model {model.name} embeds {model.kind}s")
    if held is not None and found != held:
        raise UsageError(
            f"the collection holds {held}s; put {found}s into one of their own with --collection"
        )
    return found


def _of_model(
    model: EmbedderSpec, vectors: VectorFile, names: Entries, kind: Kind, base: Path
) -> ImportSource:
    if vectors.dim != model.dim:
        raise ModelMismatchError(
            f"a dimension that contradicts: the vectors have {vectors.dim:,} numbers, those of the model "
            f"{model.name} {model.dim:,}"
        )
    notes = names.notes if isinstance(names, ClipRows) else ()
    return ImportSource(
        vectors, names, kind, base, model.name, model.model_id, model.reference, is_named=True, notes=notes
    )


def _default_name(path: Path) -> str:
    name = path.absolute().name if path.is_dir() else _ENDINGS.sub("", path.name)
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:_LONGEST_NAME] or "imported"
