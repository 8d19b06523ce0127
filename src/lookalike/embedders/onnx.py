"""Runs a model record with ONNX Runtime, on the processor's cores or on a GPU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.embedders import EmbedderSpec
from lookalike.embedders.batches import Batches
from lookalike.embedders.session import open_session, runs_on_gpu
from lookalike.embedders.vectors import unit_length
from lookalike.errors import ModelError
from lookalike.models import ModelRecord, PhotoTower, Pixels
from lookalike.records import Vectors

_Floats = npt.NDArray[np.floating]


class OnnxEmbedder:
    """One network, whose session is shared by as many threads as there are cores."""

    def __init__(self, record: ModelRecord, threads: int, device: str = "cpu") -> None:
        assert record.photo is not None  # the caller has looked
        tower = record.photo
        self._name = record.name
        self._tower = tower
        self._session = open_session(record.name, tower.file, device)
        (source,) = [each for each in self._session.get_inputs() if each.name == tower.input_name]
        # Exported for one photo at a time, or best so.
        one_by_one = source.shape[0] == 1 or tower.one_by_one
        self.batches = Batches(threads, on_gpu=runs_on_gpu(self._session), one_by_one=one_by_one)
        self._table = None if tower.pixels is None else _table(tower.pixels, source.type)
        dim = record.dim if tower.pixels is None else self._measured_dim(record)
        self.spec = EmbedderSpec(record.name, record.model_id, tower.view, dim, "photo", record.reference)

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of RGB `pixels` `(n, size, size, 3)`."""
        return unit_length(np.concatenate(self.batches.run(self._run, pixels)))

    def _run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        fed = pixels if self._table is None else _prepared(pixels, self._table)
        (output,) = self._session.run([self._tower.output_name], {self._tower.input_name: fed})
        return np.asarray(_pooled(output, self._tower), np.float32)

    def _measured_dim(self, record: ModelRecord) -> int:
        """Return how many numbers come out; raises `ModelError` where that is not what was declared."""
        size = self._tower.view.size
        try:
            rows = self._run(np.full((1, size, size, 3), 127, np.uint8))
        except ModelError:
            raise
        except Exception as error:  # whatever ONNX Runtime meets in a stranger's file
            raise ModelError(f"model {record.name}: it fails on a plain photo: {error}") from error
        if rows.ndim != 2 or len(rows) != 1 or record.dim not in (0, rows.shape[-1]):
            raise ModelError(
                f"model {record.name}: {self._tower.output_name} is {rows.shape} for one photo, "
                f"expected (1, {record.dim or 'numbers'})"
            )
        return int(rows.shape[1])


def _table(pixels: Pixels, kind: str) -> npt.NDArray[np.floating]:
    """Return what each of the 256 values of each colour becomes, shape `(3, 256)`."""
    values = (np.arange(256) * pixels.scale).astype(np.float32)
    mean, std = (np.asarray(each, np.float32)[:, None] for each in (pixels.mean, pixels.std))
    return ((values - mean) / std).astype(np.float16 if kind == "tensor(float16)" else np.float32)


def _prepared(pixels: npt.NDArray[np.uint8], table: _Floats) -> _Floats:
    """Return RGB `(n, size, size, 3)` as the numbers `(n, 3, size, size)` that the network takes."""
    fed = np.empty((len(pixels), 3, *pixels.shape[1:3]), table.dtype)
    for colour in range(3):
        np.take(table[colour], pixels[..., colour], out=fed[:, colour], mode="clip")
    return fed


def _pooled(output: _Floats, tower: PhotoTower) -> _Floats:
    """Return one row per photo."""
    rows = output
    if output.ndim == 4:  # a map of features `(n, dim, height, width)`
        rows = output.mean(axis=(2, 3), dtype=np.float32)
    elif output.ndim == 3 and tower.pooling == "cls":
        rows = output[:, 0]
    elif output.ndim == 3 and tower.pooling == "mean":
        rows = output.mean(axis=1, dtype=np.float32)
    return rows
