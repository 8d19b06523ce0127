"""The range of every layer, seen over the calibration photos (MinMax)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from models.graphs import Scale

BATCH = 10


def measure_ranges(
    model: onnx.ModelProto, taps: tuple[str, ...], pixels: NDArray[np.uint8]
) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value of each tapped tensor over `pixels`, `(n, size, size, 3)`."""
    session = _session(model)
    ranges = dict.fromkeys(taps, (0.0, 0.0))
    for part in _batches(pixels):
        values = session.run(list(taps), {"pixels": part})
        for tap, value in zip(taps, values, strict=True):
            low, high = ranges[tap]
            ranges[tap] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def measure_mean(model: onnx.ModelProto, tap: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean row of a tapped tensor over `pixels`, in steps that every processor agrees on."""
    session = _session(model)
    rows = np.concatenate([session.run([tap], {"pixels": part})[0] for part in _batches(pixels)])
    return np.asarray(np.round(rows.mean(axis=0, dtype=np.float64) * 16) / 16, np.float32)


def choose_scale(low: float, high: float) -> Scale:
    """Return the uint8 scale that covers `low` to `high` and stands for 0 exactly."""
    step = _round_up((high - low) / 255)
    return Scale(np.float32(step), np.uint8(min(255, max(0, round(-low / step)))))


def _round_up(step: float) -> float:
    """Round up to 8 significant bits, lest the last bits of another processor's sums change the file."""
    fraction, exponent = math.frexp(step)
    return math.ldexp(math.ceil(fraction * 256) / 256, exponent)


def _session(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # One thread adds numbers up in one order, so the numbers are the same in every run.
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def _batches(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))
