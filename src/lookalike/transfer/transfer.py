"""Vectors made elsewhere come in, and a collection's own go out, as files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lookalike.ingest.add import fill_spaces, refresh_indexes
from lookalike.open_collection import OpenCollection
from lookalike.records import Committed, OnStep
from lookalike.transfer.exporting.run import ExportOptions, ExportReport, export_vectors
from lookalike.transfer.importing.checks import check_model
from lookalike.transfer.importing.run import ImportContext, ImportReport, import_vectors
from lookalike.transfer.importing.source import ImportRequest, open_source

__all__ = ["ExportOptions", "ExportReport", "ImportReport", "ImportRequest", "export_space", "import_space"]


def import_space(
    opened: OpenCollection, request: ImportRequest, on_step: OnStep, on_commit: Callable[[Committed], Any]
) -> tuple[ImportReport, str | None]:
    """Import vectors, then fill what other spaces lack and bring the indexes up to date.

    All is checked before anything is touched. Returns what was done and what hindered the other spaces or
    indexes, as one line.
    """
    embedder = opened.embedders.load(request.model, on_step) if request.model is not None else None
    spec = embedder.spec if embedder is not None else None
    with open_source(request, spec, held=opened.kind(), on_step=on_step) as source:
        if embedder is not None:
            check_model(source, embedder, opened.decoder)
        store = opened.store(create=True)
        report = import_vectors(ImportContext(store, opened.decoder, on_step, on_commit), source)
    problem = fill_spaces(opened, store, on_step)
    store.database.checkpoint()
    on_step("indexing", 0, None)
    return report, refresh_indexes(opened, store) or problem


def export_space(
    opened: OpenCollection, folder: Path, space: str | None, options: ExportOptions | None
) -> ExportReport:
    """Write a space's vectors and items into a new folder; see `exporting.run.export_vectors`."""
    store = opened.store()
    return export_vectors(store, opened.space(space), folder, options)
