"""From the reference of a model to the object that runs it."""

from __future__ import annotations

import os

from lookalike.embed import Embedder, TextEmbedder
from lookalike.embed.onnx import OnnxEmbedder
from lookalike.embed.session import providers
from lookalike.models.find import find_model


def load_embedder(
    reference: str, device: str = "auto", threads: int | None = None
) -> Embedder | TextEmbedder:
    """Return what runs the model of a reference; see `records.Space`.

    `device` is "auto", "cpu" or "cuda". Raises what `find_model` raises, and `ModelError` where the model
    cannot be run.
    """
    providers(device)  # a device that is not there is said before anything is fetched
    record = find_model(reference)
    threads = threads or _cores()
    if record.photo is None:
        from lookalike.embed.texts import OnnxTextEmbedder  # photos do not need it

        return OnnxTextEmbedder(record, threads)
    if record.text is not None:
        from lookalike.embed.towers import TwoTowerEmbedder

        return TwoTowerEmbedder(record, threads, device)
    if record.photo.pixels is None and device == "auto":
        device = "cpu"  # the bundled int8 models are made for it
    return OnnxEmbedder(record, threads, device)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
