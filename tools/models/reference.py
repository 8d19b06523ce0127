"""A check that our float32 graph is the network its authors published."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from models.network import Weights
from models.sources import REFERENCE, wheel_path

TOLERANCE = 2e-3


def check_scores(
    wheels: Path, name: str, weights: Weights, model: onnx.ModelProto, pixels: NDArray[np.uint8]
) -> None:
    """Raise `ValueError` unless `model` gives the class scores that the reference code gives for `pixels`."""
    sys.path.insert(0, str(wheel_path(wheels, REFERENCE)))
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
    # Only the batch norms' counters of training steps are missing from `weights`.
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()}, strict=False)
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float()
    with torch.inference_mode():
        expected = network.eval()((planes - 127) / 128).numpy()
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"pixels": pixels})
    worst = float(np.abs(scores - expected).max())
    if worst > TOLERANCE:
        raise ValueError(
            f"{name}: scores differ from the reference by {worst:.2g}, at most {TOLERANCE} is expected"
        )
