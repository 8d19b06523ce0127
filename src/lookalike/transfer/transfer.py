"""Vectors made elsewhere come in, and a collection's own go out, as files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lookalike.embedders import COMPANION, CompanionEmbedder, EmbedderSpec, PairedEmbedder
from lookalike.embedders.loaded import AnyEmbedder
from lookalike.engine.writing import ItemStore
from lookalike.errors import LookalikeError, ModelMismatchError, UsageError
from lookalike.ingest.add import WITHOUT_A_MODEL, fill_spaces, refresh_indexes
from lookalike.models import bundled_names
from lookalike.models.trust import is_trusted, refusal
from lookalike.open_collection import OpenCollection
from lookalike.records import Committed, OnStep, Space
from lookalike.transfer.exporting.run import ExportOptions, ExportReport, export_vectors
from lookalike.transfer.importing.checks import check_model
from lookalike.transfer.importing.context import ImportContext, no_model
from lookalike.transfer.importing.embedded import is_embedded, open_embedded
from lookalike.transfer.importing.embedded_run import EmbeddedImport, check_request, head_of
from lookalike.transfer.importing.exported import exported_spec
from lookalike.transfer.importing.newcomers import DefaultModel
from lookalike.transfer.importing.run import ImportReport, import_vectors, space_for
from lookalike.transfer.importing.source import ImportRequest, open_source

_Runs = AnyEmbedder | CompanionEmbedder

__all__ = ["ExportOptions", "ExportReport", "ImportReport", "ImportRequest", "export_space", "import_space"]


def import_space(
    opened: OpenCollection, request: ImportRequest, on_step: OnStep, on_commit: Callable[[Committed], Any]
) -> tuple[ImportReport, str | None]:
    """Import vectors, then fill what other spaces lack and bring the indexes up to date.

    All is checked before anything is touched. Returns what was done and what hindered the other spaces or
    indexes, as one line.
    """
    if is_embedded(request.vectors):
        return _import_embedded(opened, request, on_step, on_commit)
    embedder, spec, note = _model(opened, request, on_step)
    with open_source(request, spec, held=opened.kind(), on_step=on_step) as source:
        if embedder is not None:
            check_model(source, embedder, opened.decoder)
        store = opened.store(create=True)
        model = partial(_default_model, opened, store)
        report = import_vectors(ImportContext(store, opened.decoder, on_step, on_commit, model), source)
    if isinstance(embedder, PairedEmbedder):
        opened.companion_of(store, embedder, create=True)  # words find photos, as after add
    return _ended(opened, store, report, note, on_step)


def _ended(
    opened: OpenCollection, store: ItemStore, report: ImportReport, note: str, on_step: OnStep
) -> tuple[ImportReport, str | None]:
    """Fill what other spaces lack, and bring the indexes up to date."""
    problem = fill_spaces(opened, store, on_step)
    store.checkpoint()
    on_step("indexing", 0, None)
    report = replace(report, notes=(*report.notes, *([note] if note else [])))
    return report, refresh_indexes(opened, store) or problem


def _import_embedded(
    opened: OpenCollection, request: ImportRequest, on_step: OnStep, on_commit: Callable[[Committed], Any]
) -> tuple[ImportReport, str | None]:
    """Import what a cluster embedded: items as they were read there, in both spaces."""
    check_request(request)
    with open_embedded(request.vectors, on_step) as embedded:
        embedder, spec, note = _model_of(opened, request, embedded.spec(), on_step)
        if spec is not None and spec.model_id != embedded.facts.own.model_id:
            raise ModelMismatchError(f"{embedded.place.address} was not made by the model {spec.name}")
        kind = opened.kind()
        if kind not in (None, embedded.facts.kind):
            raise UsageError(
                f"the collection holds {kind}s; put {embedded.facts.kind}s into one of their own with "
                "--collection"
            )
        source = head_of(embedded, request, with_model=spec is not None)
        if embedder is not None:
            check_model(source, embedder, opened.decoder)
        store = opened.store(create=True)
        default = store.default_space()
        if embedded.facts.kind == "text" and default is not None and default.model_id != source.model_id:
            raise UsageError(
                f"the collection's texts are embedded by {default.name}, these by {source.name}: put them "
                "into one of their own with --collection"
            )
        space = space_for(store, source)
        paired = embedder if isinstance(embedder, PairedEmbedder) else None
        companion = opened.companion_of(store, paired, create=True) if paired else None
        theirs = embedded.facts.companion
        is_same = companion is not None and theirs is not None and companion.model_id == theirs.model_id
        parts = ImportContext(store, opened.decoder, on_step, on_commit)
        run = EmbeddedImport(parts, embedded, space, companion if is_same else None, space.is_default)
        run.run()
        rows = embedded.items + (embedded.skipped_count if space.is_default else 0)
        report = ImportReport(space, rows, notes=run.notes(), **run.tally)
    return _ended(opened, store, report, note, on_step)


def _default_model(opened: OpenCollection, store: ItemStore, space: Space) -> DefaultModel:
    """Return what embeds new items for the default space, or why nothing can."""
    if not space.reference:
        return no_model(space)
    try:
        embedder = opened.embedder_of(space)
    except WITHOUT_A_MODEL as error:
        return DefaultModel(None, refusal=f"not in the collection, and {space.name} cannot embed it: {error}")
    return DefaultModel(embedder, opened.companion_of(store, embedder))


def _model(
    opened: OpenCollection, request: ImportRequest, on_step: OnStep
) -> tuple[_Runs | None, EmbedderSpec | None, str]:
    """Return what runs the model of the vectors, what its space is, and what there is to say.

    The model is the one that was named, or that of an export, unless the space gets another name.
    """
    if request.model is not None:
        embedder = opened.embedders.load(request.model, on_step)
        return embedder, embedder.spec, ""
    exported = exported_spec(request.vectors) if request.name is None else None
    return (None, None, "") if exported is None else _model_of(opened, request, exported, on_step)


def _model_of(
    opened: OpenCollection, request: ImportRequest, exported: EmbedderSpec, on_step: OnStep
) -> tuple[_Runs | None, EmbedderSpec | None, str]:
    """Return the same of a model that is named by what is imported, unless the user names one."""
    if request.model is not None:
        embedder = opened.embedders.load(request.model, on_step)
        return embedder, embedder.spec, ""
    if exported.reference.removeprefix(COMPANION) in bundled_names():
        made = _bundled(opened, exported.reference, on_step)
        if made is not None and made.spec.model_id == exported.model_id:
            return made, made.spec, ""
        note = f"the model {exported.reference} made other vectors then than now: these come without it"
        return None, None, note
    return _brought(opened, exported, on_step)


def _bundled(opened: OpenCollection, reference: str, on_step: OnStep) -> _Runs | None:
    """Return what runs a bundled model, or the space that one fills beside its own."""
    embedder = opened.embedders.load(reference.removeprefix(COMPANION), on_step)
    if not reference.startswith(COMPANION):
        return embedder
    return embedder.companion if isinstance(embedder, PairedEmbedder) else None


def _brought(
    opened: OpenCollection, exported: EmbedderSpec, on_step: OnStep
) -> tuple[_Runs | None, EmbedderSpec, str]:
    """Return what runs a model that did not come with lookalike, if its user has agreed to it.

    Else no more than its name is kept, as in a collection that others made.
    """
    if not is_trusted(exported.reference, exported.model_id):
        return None, exported, str(refusal(exported.reference))
    try:
        embedder = opened.embedders.load(exported.reference, on_step)
    except LookalikeError as error:  # searching will say so, too
        return None, exported, str(error)
    is_same = embedder.spec.model_id == exported.model_id
    return (embedder, embedder.spec, "") if is_same else (None, exported, "")


def export_space(
    opened: OpenCollection, folder: Path, space: str | None, options: ExportOptions | None
) -> ExportReport:
    """Write a space's vectors and items into a new folder; see `exporting.run.export_vectors`."""
    store = opened.store()
    return export_vectors(store, opened.space(space), folder, options)
