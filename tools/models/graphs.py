"""The ONNX graphs of a network: float32 (the yardstick, not shipped) and int8 (shipped).

Both take `pixels`, uint8 `(n, size, size, 3)`, RGB 0 to 255, and give `embedding`, float32 `(n, dim)`,
`strongest`, float32 `(n, STRONGEST)`, and `scores`, float32 `(n, classes)`. The weights expect
(pixel - 127) / 128, which is what a uint8 with scale 1/128 and zero point 127 means: the int8 graph reads raw
pixels and computes nothing to prepare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.network import (
    Add,
    Conv,
    Floats,
    Network,
    blind_directions,
    pack_columns,
    strongest_directions,
)

OPSET = 17
IR_VERSION = 8
BLIND_SHRINKAGE = 0.5
STRONGEST = 672  # of the directions; a record takes the first of them, as many as it wants
PIXEL_SCALE, PIXEL_ZERO = np.float32(1 / 128), np.uint8(127)


@dataclass(frozen=True)
class Scale:
    """How a uint8 stands for a real number: (value - zero) * step."""

    step: np.float32
    zero: np.uint8


def float_graph(network: Network, taps: tuple[str, ...] = ()) -> onnx.ModelProto:
    """Return the float32 graph; `taps` names layers to give as further outputs."""
    graph = _Graph()
    graph.node("Transpose", ["pixels"], "planes", perm=[0, 3, 1, 2])
    graph.node("Cast", ["planes"], "planes_f32", to=TensorProto.FLOAT)
    shift = graph.constant("pixel_zero", np.float32(PIXEL_ZERO))
    graph.node("Sub", ["planes_f32", shift], "shifted")
    graph.node("Mul", ["shifted", graph.constant("pixel_scale", PIXEL_SCALE)], "input")
    low, high = graph.constant("zero", np.float32(0)), graph.constant("six", np.float32(6))
    for layer in network.layers:
        if isinstance(layer, Add):
            graph.node("Add", [layer.left, layer.right], layer.name)
            continue
        sources = [layer.source] + [
            graph.constant(f"{layer.name}.{part}", getattr(layer, part)) for part in ("weight", "bias")
        ]
        graph.conv(layer, sources, f"{layer.name}.raw" if layer.clip else layer.name)
        if layer.clip:
            graph.node("Clip", [f"{layer.name}.raw", low, high], layer.name)
    graph.head(network)
    classes = [
        graph.constant("classes.weight", network.classes.T.copy()),
        graph.constant("classes.bias", network.classes_bias),
    ]
    graph.node("Gemm", ["pooled", *classes], "scores")
    return graph.finish(network, taps)


def int8_graph(network: Network, scales: Mapping[str, Scale], weight_bits: int) -> onnx.ModelProto:
    """Return the quantised graph, as pairs of QuantizeLinear and DequantizeLinear that the runtime fuses.

    ReLU6 needs no node: a layer that clips is stored with a range inside 0 to 6, and storing saturates.
    """
    graph = _Graph()
    graph.regroup("pixels", "input.u8", network.size // 4, 12)
    graph.dequantize("input", Scale(PIXEL_SCALE, PIXEL_ZERO))
    steps = {"input": PIXEL_SCALE} | {name: scale.step for name, scale in scales.items()}
    stem, *rest = network.layers
    assert isinstance(stem, Conv)  # every network of this kind starts with one
    for layer in (pack_columns(stem), *rest):
        raw = f"{layer.name}.raw"
        if isinstance(layer, Add):
            graph.node("Add", [layer.left, layer.right], raw)
        else:
            parts = graph.int8_weights(layer.name, layer.weight, layer.bias, steps[layer.source], weight_bits)
            graph.conv(layer, [layer.source, *parts], raw)
        if layer.name == stem.name:
            graph.quantize(layer.name, raw, scales[layer.name], f"{layer.name}.packed")
            graph.node("Transpose", [f"{layer.name}.packed"], f"{layer.name}.rows", perm=[0, 2, 3, 1])
            graph.regroup(f"{layer.name}.rows", f"{layer.name}.u8", network.size // 2, len(stem.weight))
        else:
            graph.quantize(layer.name, raw, scales[layer.name], f"{layer.name}.u8")
        graph.dequantize(layer.name, scales[layer.name])
    graph.head(network)
    graph.quantize("classes.input", "pooled", scales["pooled"], "classes.input.u8")
    graph.dequantize("classes.input", scales["pooled"])
    parts = graph.int8_weights(
        "classes", network.classes, network.classes_bias, scales["pooled"].step, weight_bits, transpose=True
    )
    graph.node("Gemm", ["classes.input", *parts], "scores")
    return graph.finish(network, ())


class _Graph:
    """Nodes and constants in the order they were asked for, so that the same bytes come out every time."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._constants.setdefault(name, numpy_helper.from_array(np.asarray(value), name))
        return name

    def conv(self, layer: Conv, inputs: list[str], output: str) -> None:
        self.node(
            "Conv",
            inputs,
            output,
            kernel_shape=layer.weight.shape[2:],
            strides=layer.strides,
            pads=layer.pads,
            group=layer.groups,
        )

    def head(self, network: Network) -> None:
        """Add `pooled`, the averages that the classifier reads, `embedding` and `strongest`.

        The embedding is the root mean square of each channel (GeM with p = 2, https://arxiv.org/abs/1711.02512),
        moved half the way to the average photo along the directions to which the classifier is blind.
        `strongest` is what of it lies along the directions that the classifier tells apart best.
        """
        self.node("GlobalAveragePool", [network.features], "pooled4")
        self.node("Flatten", ["pooled4"], "pooled", axis=1)
        self.node("ReduceL2", [network.features], "lengths", axes=[2, 3], keepdims=0)
        self.node("Mul", ["lengths", self.constant("per_pixel", np.float32(network.feature_size**-1))], "rms")
        # Half precision halves the file; the runtime widens a constant once, when it loads.
        blind = blind_directions(network.classes)
        half = self.constant("blind.half", blind.astype(np.float16))
        self.node("Cast", [half], "blind", to=TensorProto.FLOAT)
        self.node("Gemm", ["rms", "blind"], "unseen")
        self.node("Sub", ["unseen", self.constant("blind.mean", network.blind_mean)], "unusual")
        self.node("Gemm", ["unusual", "blind"], "correction", alpha=-BLIND_SHRINKAGE, transB=1)
        self.node("Add", ["rms", "correction"], "embedding")
        directions = strongest_directions(network.classes, network.blind_mean, STRONGEST)
        half = self.constant("directions.half", directions.astype(np.float16))
        self.node("Cast", [half], "directions", to=TensorProto.FLOAT)
        self.node("Gemm", ["embedding", "directions"], "strongest")

    def regroup(self, rows: str, planes: str, width: int, channels: int) -> None:
        """Read `(n, height, …)` rows of bytes as `width` columns of `channels`, and turn them into planes."""
        shape = self.constant(f"{planes}.shape", np.array([0, 0, width, channels]))
        self.node("Reshape", [rows, shape], f"{planes}.grouped")
        self.node("Transpose", [f"{planes}.grouped"], planes, perm=[0, 3, 1, 2])

    def quantize(self, name: str, source: str, scale: Scale, output: str) -> None:
        self.node("QuantizeLinear", [source, *self._scale(name, scale)], output)

    def dequantize(self, name: str, scale: Scale) -> None:
        self.node("DequantizeLinear", [f"{name}.u8", *self._scale(name, scale)], name)

    def _scale(self, name: str, scale: Scale) -> list[str]:
        return [self.constant(f"{name}.step", scale.step), self.constant(f"{name}.zero", scale.zero)]

    def int8_weights(
        self, name: str, weight: Floats, bias: Floats, step: np.float32, bits: int, transpose: bool = False
    ) -> list[str]:
        """Add a layer's weights, one scale per output channel, and its bias in int32; return their names."""
        limit = 2 ** (bits - 1) - 1
        rows = weight.reshape(len(weight), -1).astype(np.float64)
        # A channel whose weights have died still has a bias, which must fit int32 in the channel's scale.
        least = np.abs(bias) / (float(step) * 2**30)
        steps = np.maximum(np.abs(rows).max(axis=1) / limit, least + 1e-12).astype(np.float32)
        whole = np.rint(rows / steps[:, None]).clip(-limit, limit).astype(np.int8).reshape(weight.shape)
        bias_steps = steps * step
        whole_bias = np.rint(bias.astype(np.float64) / bias_steps).astype(np.int32)
        stored = np.ascontiguousarray(whole.T) if transpose else whole
        return [
            self._dequantized(f"{name}.weight", stored, steps, axis=1 if transpose else 0),
            self._dequantized(f"{name}.bias", whole_bias, bias_steps, axis=0),
        ]

    def _dequantized(self, name: str, whole: NDArray[np.generic], steps: Floats, axis: int) -> str:
        inputs = [
            self.constant(f"{name}.int", whole),
            self.constant(f"{name}.step", steps),
            self.constant(f"{name}.zero", np.zeros(len(steps), whole.dtype)),
        ]
        self.node("DequantizeLinear", inputs, name, axis=axis)
        return name

    def finish(self, network: Network, taps: tuple[str, ...]) -> onnx.ModelProto:
        dim, classes = network.classes.shape[1], network.classes.shape[0]
        pixels = helper.make_tensor_value_info(
            "pixels", TensorProto.UINT8, ["n", network.size, network.size, 3]
        )
        outputs = [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", dim]),
            helper.make_tensor_value_info("strongest", TensorProto.FLOAT, ["n", STRONGEST]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes]),
        ]
        outputs += [helper.make_tensor_value_info(tap, TensorProto.FLOAT, None) for tap in taps]
        graph = helper.make_graph(
            self._nodes, "photo", [pixels], outputs, initializer=list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lookalike"
        )
