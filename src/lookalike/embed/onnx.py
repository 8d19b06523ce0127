"""Runs a model record with ONNX Runtime on the processor's cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from lookalike.embed import EmbedderSpec
from lookalike.embed.vectors import unit_length
from lookalike.errors import ModelError
from lookalike.models import ModelFile, ModelRecord
from lookalike.records import Vectors

_PHOTOS_PER_CALL = 8  # as fast as larger batches (docs/models.md), in less memory


class OnnxEmbedder:
    """One ONNX Runtime session, shared by as many threads as there are cores.

    Each thread runs its part of a batch alone: threads inside one run would wait for each other at every
    layer, and longer still while decode workers use the same cores.
    """

    def __init__(self, record: ModelRecord, threads: int) -> None:
        assert record.photo is not None  # the caller has looked
        self.spec = EmbedderSpec(
            record.name, record.model_id, record.photo.view, record.dim, "photo", record.reference
        )
        self._tower = record.photo
        self._session = open_session(record.name, record.photo.file)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of RGB `pixels` `(n, size, size, 3)`."""
        parts = [pixels[at : at + _PHOTOS_PER_CALL] for at in range(0, len(pixels), _PHOTOS_PER_CALL)]
        if len(parts) == 1:  # in the caller's own thread: to wake another takes time
            return unit_length(self._run(parts[0]))
        return unit_length(np.concatenate(list(self._pool.map(self._run, parts))))

    def _run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        (embedding,) = self._session.run([self._tower.output_name], {self._tower.input_name: pixels})
        return np.asarray(embedding, np.float32)


def open_session(name: str, file: ModelFile) -> ort.InferenceSession:
    """Return a session of one thread; raises `ModelError` where the file cannot be run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime has a dozen exception classes without a common base
        raise ModelError(f"model {name}: ONNX Runtime cannot run it: {error}") from error
