"""EfficientNet-Lite as data: the layers in order, each with its batch norm folded into its weights.

Channel counts and kernel sizes are read off the weights; only strides and depths are written down here
(Tan & Le 2019, https://arxiv.org/abs/1905.11946, "lite" variant: ReLU6, no squeeze-and-excitation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Weights: TypeAlias = Mapping[str, Floats]

STAGE_REPEATS = (1, 2, 2, 3, 3, 4, 1)
STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
BATCH_NORM_EPSILON = 1e-3
STRENGTH_POWER = -0.25


@dataclass(frozen=True)
class Conv:
    """A convolution with 'same' padding; `clip` is whether ReLU6 follows."""

    name: str
    source: str
    weight: Floats
    bias: Floats
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    groups: int
    clip: bool


@dataclass(frozen=True)
class Add:
    """The residual sum of two earlier layers."""

    name: str
    left: str
    right: str


@dataclass(frozen=True)
class Network:
    """The layers up to the last feature map, and the classifier over its average."""

    size: int
    feature_size: int
    layers: tuple[Conv | Add, ...]
    classes: Floats
    classes_bias: Floats
    blind_mean: Floats
    """Where photos lie on average along the blind directions; measured after the rest is laid out."""

    @property
    def features(self) -> str:
        """The name of the last feature map."""
        return self.layers[-1].name


def build_network(weights: Weights, size: int, depth: float) -> Network:
    """Lay out the network that `weights` belong to, for square photos of `size` pixels."""
    builder = _Builder(weights, size)
    builder.conv("stem", "_conv_stem", "_bn0", stride=2, clip=True)
    for index, stride in enumerate(_strides(depth)):
        builder.block(index, stride)
    builder.conv("features", "_conv_head", "_bn1", stride=1, clip=True)
    return Network(
        size=size,
        feature_size=builder.size,
        layers=tuple(builder.layers),
        classes=weights["_fc.weight"],
        classes_bias=weights["_fc.bias"],
        blind_mean=np.zeros(blind_directions(weights["_fc.weight"]).shape[1], np.float32),
    )


def pack_columns(stem: Conv) -> Conv:
    """Return the same 3 x 3 convolution of stride 2 for rows read as groups of 4 pixels, giving 2 at once.

    12 channels in and 64 out instead of 3 and 32, on a quarter of the columns. The sums are the same and
    regrouping moves no byte, but the runtime's fast kernels want channels in multiples of 4, not RGB's 3.
    """
    outputs, channels, rows, columns = stem.weight.shape
    weight = np.zeros((2, outputs, 4, channels, rows, 2), np.float32)
    for place in range(2):
        for column in range(columns):
            group, pixel = divmod(2 * place + column, 4)
            weight[place, :, pixel, :, :, group] = stem.weight[:, :, :, column]
    packed = weight.reshape(2 * outputs, 4 * channels, rows, 2)
    return replace(stem, weight=packed, bias=np.tile(stem.bias, 2), strides=(2, 1))


def blind_directions(classes: Floats) -> Floats:
    """Return orthonormal columns spanning the features that change no class probability.

    Training never rewarded or punished what lies there, so for likeness it is noise. The basis is made unique
    (a QR with a positive diagonal of the projection's first columns), as an SVD's is not.
    """
    rows = classes.astype(np.float64) - classes.astype(np.float64).mean(axis=0)
    dim, seen = rows.shape[1], np.linalg.matrix_rank(rows)
    projection = np.eye(dim) - np.linalg.pinv(rows) @ rows
    basis, upper = np.linalg.qr(projection[:, : dim - seen])
    return (basis * np.sign(np.diag(upper))).astype(np.float32)


def strongest_directions(classes: Floats, blind_mean: Floats, count: int) -> Floats:
    """Return orthogonal columns `(dim, count)`: the first for what all photos share, then the strongest.

    Those are the right singular vectors of the classifier's weights, by falling strength: along them a
    photo's scores change most. The weaker are made a little longer, by the fourth root of their strength,
    which finds a little more. The first points to the average photo within the directions that change none,
    and is as long as the 256th. The sign, which a singular vector does not have, makes the largest number
    positive.
    """
    rows = classes.astype(np.float64) - classes.astype(np.float64).mean(axis=0)
    _, strengths, directions = np.linalg.svd(rows, full_matrices=False)
    strengths, strongest = strengths[: count - 1], directions[: count - 1].T
    largest = np.take_along_axis(strongest, np.abs(strongest).argmax(axis=0)[None], axis=0)
    lengths = (strengths / strengths[255]) ** STRENGTH_POWER
    shared = blind_directions(classes).astype(np.float64) @ blind_mean
    shared /= max(float(np.linalg.norm(shared)), 1e-12)  # 0 until it is measured
    return np.column_stack([shared, strongest * np.sign(largest) * lengths]).astype(np.float32)


def _strides(depth: float) -> list[int]:
    """One stride per block; the first and the last stage are not deepened in the lite variant."""
    strides: list[int] = []
    last = len(STAGE_REPEATS) - 1
    for stage, (repeats, stride) in enumerate(zip(STAGE_REPEATS, STAGE_STRIDES, strict=True)):
        count = repeats if stage in (0, last) else math.ceil(depth * repeats)
        strides += [stride] + [1] * (count - 1)
    return strides


def _same_pads(size: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """TensorFlow's 'same' padding, which puts the odd pixel at the bottom and the right."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    return before, before, after, after


class _Builder:
    def __init__(self, weights: Weights, size: int) -> None:
        self.layers: list[Conv | Add] = []
        self._weights = weights
        self.size = size
        self._source = "input"

    def conv(self, name: str, key: str, norm: str, stride: int, clip: bool) -> None:
        weight = self._weights[f"{key}.weight"]
        gain = self._weights[f"{norm}.weight"] / np.sqrt(
            self._weights[f"{norm}.running_var"] + np.float32(BATCH_NORM_EPSILON)
        )
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * gain
        depthwise = weight.shape[1] == 1
        pads = _same_pads(self.size, weight.shape[2], stride)
        folded = (weight * gain[:, None, None, None]).astype(np.float32)
        groups = weight.shape[0] if depthwise else 1
        self.layers.append(
            Conv(name, self._source, folded, bias.astype(np.float32), (stride, stride), pads, groups, clip)
        )
        self._source = name
        self.size = math.ceil(self.size / stride)

    def block(self, index: int, stride: int) -> None:
        key, name = f"_blocks.{index}", f"block{index:02d}"
        entry = self._source
        if f"{key}._expand_conv.weight" in self._weights:
            self.conv(f"{name}.expand", f"{key}._expand_conv", f"{key}._bn0", 1, clip=True)
        self.conv(f"{name}.depthwise", f"{key}._depthwise_conv", f"{key}._bn1", stride, clip=True)
        self.conv(f"{name}.project", f"{key}._project_conv", f"{key}._bn2", 1, clip=False)
        channels = self._weights[f"{key}._project_conv.weight"].shape[0]
        if stride == 1 and self._channels(entry) == channels:
            self.layers.append(Add(f"{name}.sum", entry, self._source))
            self._source = f"{name}.sum"

    def _channels(self, name: str) -> int:
        layer = next(layer for layer in self.layers if layer.name == name)
        return layer.weight.shape[0] if isinstance(layer, Conv) else self._channels(layer.right)
