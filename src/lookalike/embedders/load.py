"""From the reference of a model to the object that runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from lookalike.cores import cpu_count
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.embedders.session import providers
from lookalike.errors import ModelError, ModelMismatchError
from lookalike.models import ModelRecord, bundled_names
from lookalike.models.find import find_model
from lookalike.models.words import load_class_names

_LOG = logging.getLogger(__name__)


def load_embedder(
    reference: str,
    device: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    model_id: str | None = None,
) -> Embedder | TextEmbedder:
    """Return what runs the model of a reference; see `records.Space`.

    `device` is "auto", "cpu" or "cuda". Where the model is fetched first, `on_progress` hears how many bytes
    of how many are there. With `model_id`, no other state of the model is run. Raises what `find_model`
    raises, `ModelMismatchError`, and `ModelError` where the model cannot be run.
    """
    providers(device)  # a device that is not there is said before anything is fetched
    record = find_model(reference, on_progress=on_progress)
    if model_id is not None:
        check_state(record, model_id)
    elif record.note:  # its user has just named it
        _LOG.warning("%s", record.note)
    threads = threads or cpu_count()
    is_bundled = record.reference in bundled_names()
    if is_bundled and device == "auto":
        device = "cpu"  # their int8 is made for it
    if record.photo is None:
        return _text_embedder(record, threads, device, measure=not is_bundled)
    if record.text is not None:
        from lookalike.embedders.towers import TwoTowerEmbedder  # few models have two

        return TwoTowerEmbedder(record, threads, device)
    if not (record.parts and is_bundled):
        return OnnxEmbedder(record, threads, device)
    from lookalike.embedders.ensemble import EnsembleEmbedder  # photos that are brought do not need it

    names = load_class_names()

    def texts() -> TextEmbedder:
        return _text_embedder(find_model(names.text_model), threads, "cpu", measure=False)

    return EnsembleEmbedder(record, threads, device, names, texts)


def check_state(record: ModelRecord, model_id: str) -> None:
    """Raise `ModelMismatchError` where a model is another one than vectors were made by."""
    if record.model_id != model_id:
        raise ModelMismatchError(
            f"the model {record.reference} has sha256 {record.model_id[:12]}…, but the vectors were made "
            f"with it as {model_id[:12]}…; bring that one back, or make a new collection"
        )


def _text_embedder(record: ModelRecord, threads: int, device: str, *, measure: bool) -> TextEmbedder:
    """Return what runs a text model; raises `ModelError` where it gives other vectors than it declares."""
    from lookalike.embedders.texts import OnnxTextEmbedder  # photos do not need it

    embedder = OnnxTextEmbedder(record, threads, device)
    if measure:
        rows = embedder.embed_texts(["a"])
        if rows.ndim != 2 or record.dim not in (0, rows.shape[1]):
            raise ModelError(
                f"model {record.name}: one text became {rows.shape}, expected (1, {record.dim or 'numbers'})"
            )
        embedder.spec = replace(embedder.spec, dim=rows.shape[1])
    return embedder
