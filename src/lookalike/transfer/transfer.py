"""Vectors made elsewhere come in, and a collection's own go out, as files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.ingest.add import fill_spaces, refreshed
from lookalike.open_collection import Wiring
from lookalike.records import Committed, Kind, OnStep
from lookalike.transfer.exporting.run import ExportReport, ExportWish, export
from lookalike.transfer.importing.checks import check_model
from lookalike.transfer.importing.run import Importing, ImportReport, import_vectors
from lookalike.transfer.importing.source import ImportRequest, open_source

__all__ = ["Bringing", "ExportReport", "ExportWish", "ImportReport", "bring", "take_out"]


@dataclass(frozen=True, slots=True)
class Bringing:
    """What an import brings (see `importing.source.ImportRequest`); `model` is named as for `Collection`."""

    vectors: Path
    names: Path | None = None
    column: str | None = None
    base: Path | None = None
    name: str | None = None
    model: str | None = None
    kind: Kind | None = None


def bring(
    wiring: Wiring, what: Bringing, on_step: OnStep, on_commit: Callable[[Committed], Any]
) -> tuple[ImportReport, str | None]:
    """Import vectors, then fill what other spaces lack and bring the indexes up to date.

    All is checked before anything is touched. Returns what was done and what hindered the other spaces or
    indexes, as one line.
    """
    embedder = wiring.loaded(what.model, on_step) if what.model is not None else None
    spec = embedder.spec if embedder is not None else None
    request = ImportRequest(what.vectors, what.names, what.column, what.base, what.name, spec, what.kind)
    with open_source(request, held=wiring.kind(), on_step=on_step) as source:
        if embedder is not None:
            check_model(source, embedder, wiring.decoder)
        store = wiring.store(create=True)
        report = import_vectors(Importing(store, wiring.decoder, on_step, on_commit), source)
    problem = fill_spaces(wiring, store, on_step)
    on_step("indexing", 0, None)
    return report, refreshed(wiring, store) or problem


def take_out(wiring: Wiring, folder: Path, space: str | None, wish: ExportWish | None) -> ExportReport:
    """Write a space's vectors and items into a new folder; see `exporting.run.export`."""
    store = wiring.store()
    return export(store, wiring.space(store, space), folder, wish)
