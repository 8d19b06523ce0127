"""The text model: all-MiniLM-L6-v2, emitted as a graph in float32 or in 8-bit integers.

A BERT encoder of 6 layers and 384 numbers (Wang et al. 2020, "MiniLM"), its tokens averaged (Reimers and
Gurevych 2019, "Sentence-BERT"). In the 8-bit graph every product of activations and weights takes unsigned
activations of one fixed scale and signed weights of one scale per column. Fixed scales, so that a text's
vector does not depend on the texts beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.graphs import Scale

Array = NDArray[Any]
Weights = Mapping[str, Array]

LAYERS, HEADS, DIM = 6, 12, 384
MAX_TOKENS = 256
MICROSOFT = "com.microsoft"
_EPSILON = 1e-12


def read_safetensors(data: bytes) -> dict[str, Array]:
    """Return the float32 tensors of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    body = memoryview(data)[8 + size :]
    return {
        name: np.frombuffer(body[slice(*about["data_offsets"])], "<f4").reshape(about["shape"])
        for name, about in header.items()
        if name != "__metadata__" and about["dtype"] == "F32"
    }


def float_graph(weights: Weights, taps: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the graph in float32, with tensors of these names as further outputs."""
    return _build(weights, None, 8, taps)


def int8_graph(weights: Weights, scales: Mapping[str, Scale], bits: int) -> onnx.ModelProto:
    """Return the graph with weights of `bits` bits; `scales` of the activations named by `linear_inputs`."""
    return _build(weights, scales, bits, ())


def linear_inputs() -> tuple[str, ...]:
    """Return the names of the activations that are multiplied with weights."""
    names = [_hidden(layer) for layer in range(LAYERS)]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        names += [f"{prefix}.attention.self", f"{prefix}.attention.output.LayerNorm", f"{prefix}.gelu"]
    return tuple(names)


class _Graph:
    """Nodes and constants, as they are emitted."""

    def __init__(self, weights: Weights, scales: Mapping[str, Scale] | None, bits: int) -> None:
        self.weights = weights
        self.scales = scales
        self.most = 2 ** (bits - 1) - 1
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Array) -> str:
        """Add a constant; returns its name."""
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **options: Any) -> str:
        """Add a node with one output; returns its name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **options))
        return output

    def linear(self, source: str, name: str, weight: Array) -> str:
        """Multiply by a weight `(out, in)`."""
        if self.scales is None:
            return self.node("MatMul", [source, self.constant(f"{name}.weight", weight.T)], name)
        steps, scale = in_steps(weight.T, 0, self.most)
        given = [
            self.constant(f"{source}.scale", np.asarray(self.scales[source].step)),
            self.constant(f"{source}.zero", np.asarray(self.scales[source].zero)),
        ]
        quantised = f"{source}.steps"
        if quantised not in {node.output[0] for node in self.nodes}:
            self.node("QuantizeLinear", [source, *given], quantised)
        own = [self.constant(f"{name}.weight", steps), self.constant(f"{name}.scale", scale.reshape(-1))]
        zeros = self.constant(f"{name}.zero", np.zeros(steps.shape[1], np.int8))
        inputs = [quantised, own[0], given[0], own[1], given[1], zeros]
        return self.node("MatMulIntegerToFloat", inputs, name, MICROSOFT)

    def normalised(self, name: str, inputs: list[str], bias: str = "") -> str:
        """Normalise the sum of `inputs` and a bias over its numbers."""
        scale, shift = (
            self.constant(part, self.weights[part]) for part in (f"{name}.weight", f"{name}.bias")
        )
        if len(inputs) == 1:
            return self.node("LayerNormalization", [*inputs, scale, shift], name, axis=-1, epsilon=_EPSILON)
        wanted = [*inputs, scale, shift, self.constant(bias, self.weights[bias])]
        return self.node("SkipLayerNormalization", wanted, name, MICROSOFT, epsilon=_EPSILON)


def in_steps(values: Array, axis: int, most: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers from −most to most, and the scale along `axis` that gives `values` back."""
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / np.float32(
        most
    )
    return np.clip(np.rint(values / scale), -most, most).astype(np.int8), scale


def _build(
    weights: Weights, scales: Mapping[str, Scale] | None, bits: int, taps: Sequence[str]
) -> onnx.ModelProto:
    graph = _Graph(weights, scales, bits)
    hidden = _embeddings(graph)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    graph.constant("parts", np.array([DIM] * 3))
    for layer in range(LAYERS):
        hidden = _layer(graph, hidden, layer)
    _pool(graph, hidden)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    out = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIM])]
    out += [helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["n", "tokens", None]) for tap in taps]
    made = helper.make_graph(graph.nodes, "all-minilm-l6-v2", ids, out, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name="lookalike")


def _hidden(layer: int) -> str:
    """Name what comes into a layer."""
    return f"encoder.layer.{layer - 1}.output.LayerNorm" if layer else "embeddings.LayerNorm"


def _embeddings(graph: _Graph) -> str:
    words = graph.weights["embeddings.word_embeddings.weight"]
    places = graph.weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    places = places + graph.weights["embeddings.token_type_embeddings.weight"][0]
    if graph.scales is None:
        graph.node("Gather", [graph.constant("words", words), "input_ids"], "word")
    else:
        steps, scale = in_steps(words, 1, 127)  # looked up, never multiplied: all 8 bits are safe
        graph.node("Gather", [graph.constant("words", steps), "input_ids"], "word_steps")
        graph.node("Gather", [graph.constant("word_scales", scale), "input_ids"], "word_scale")
        graph.node("Cast", ["word_steps"], "word_floats", to=TensorProto.FLOAT)
        graph.node("Mul", ["word_floats", "word_scale"], "word")
    graph.node("Shape", ["input_ids"], "tokens", start=1, end=2)
    zero = graph.constant("zero", np.array([0]))
    graph.node("Slice", [graph.constant("places", places), zero, "tokens", zero], "place")
    graph.node("Add", ["word", "place"], "placed")
    return graph.normalised("embeddings.LayerNorm", ["placed"])


def _layer(graph: _Graph, hidden: str, layer: int) -> str:
    weights, prefix = graph.weights, f"encoder.layer.{layer}"
    own, out = f"{prefix}.attention.self", f"{prefix}.attention.output"
    parts = [f"{own}.{part}" for part in ("query", "key", "value")]
    joint = graph.linear(
        hidden, f"{own}.joint", np.concatenate([weights[f"{part}.weight"] for part in parts])
    )
    graph.nodes.append(helper.make_node("Split", [joint, "parts"], parts, name=f"{own}.split", axis=2))
    bias = graph.constant(f"{own}.bias", np.concatenate([weights[f"{part}.bias"] for part in parts]))
    graph.node("MultiHeadAttention", [*parts, bias, "mask"], own, MICROSOFT, num_heads=HEADS)
    attended = graph.linear(own, f"{out}.dense", weights[f"{out}.dense.weight"])
    hidden = graph.normalised(f"{out}.LayerNorm", [attended, hidden], f"{out}.dense.bias")

    dense = f"{prefix}.intermediate.dense"
    inner = graph.linear(hidden, dense, weights[f"{dense}.weight"])
    graph.node(
        "BiasGelu",
        [inner, graph.constant(f"{dense}.bias", weights[f"{dense}.bias"])],
        f"{prefix}.gelu",
        MICROSOFT,
    )
    dense = f"{prefix}.output.dense"
    outer = graph.linear(f"{prefix}.gelu", dense, weights[f"{dense}.weight"])
    return graph.normalised(f"{prefix}.output.LayerNorm", [outer, hidden], f"{dense}.bias")


def _pool(graph: _Graph, hidden: str) -> None:
    """Average the tokens that are not padding."""
    one = graph.constant("one", np.array([1]))
    graph.node("Cast", ["attention_mask"], "mask_floats", to=TensorProto.FLOAT)
    graph.node("Unsqueeze", ["mask_floats", one], "mask_row")
    graph.node("MatMul", ["mask_row", hidden], "sum_row")
    graph.node("Squeeze", ["sum_row", one], "sum")
    graph.node("ReduceSum", ["mask_floats", one], "count", keepdims=1)
    graph.node("Div", ["sum", "count"], "embedding")
