"""The text model: all-MiniLM-L6-v2, emitted as a graph in float32 or in 8-bit integers.

A BERT encoder of 6 layers and 384 numbers (Wang et al. 2020, "MiniLM"), its tokens averaged (Reimers and
Gurevych 2019, "Sentence-BERT"). In the 8-bit graph every product of activations and weights takes unsigned
activations of one fixed scale and signed weights of one scale per column. Fixed scales, so that a text's
vector does not depend on the texts beside it. Channels that are wider than others are narrowed first, and the
weights that read them widened (Xiao et al. 2022, "SmoothQuant").

Tokens come first and texts second, `(tokens, n, dim)`: so laid out, attention reads queries, keys and values
in place where others copy all three.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Activation:
    """How an activation is stored: each channel divided by its `spread`, then as `scale` says."""

    scale: Scale
    spread: Array


def float_graph(weights: Weights, taps: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the graph in float32, with tensors of these names, `(tokens, n, …)`, as further outputs."""
    return _build(weights, None, 8, taps)


def int8_graph(weights: Weights, stored: Mapping[str, Activation], bits: int) -> onnx.ModelProto:
    """Return the graph with weights of `bits` bits, and its activations as they are to be `stored`."""
    return _build(weights, stored, bits, ())


def linear_inputs() -> dict[str, tuple[str, ...]]:
    """Return the names of the activations that are multiplied with weights, and of those weights."""
    names: dict[str, tuple[str, ...]] = {}
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        parts = tuple(f"{prefix}.attention.self.{part}.weight" for part in ("query", "key", "value"))
        names[_hidden(layer)] = parts
        names[f"{prefix}.attended"] = (f"{prefix}.attention.output.dense.weight",)
        names[f"{prefix}.attention.output.LayerNorm"] = (f"{prefix}.intermediate.dense.weight",)
        names[f"{prefix}.gelu"] = (f"{prefix}.output.dense.weight",)
    return names


class _Graph:
    """Nodes and constants, as they are emitted."""

    def __init__(self, weights: Weights, stored: Mapping[str, Activation] | None, bits: int) -> None:
        self.weights = weights
        self.stored = stored
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

    def linear(self, source: str, name: str) -> str:
        """Multiply by a layer's weight and add its bias."""
        weight = self.weights[f"{name}.weight"].T
        own_bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        if self.stored is None:
            product = self.node(
                "MatMul", [source, self.constant(f"{name}.weight", weight)], f"{name}.product"
            )
            return self.node("Add", [product, own_bias], name)
        steps, scale = in_steps(weight * self.stored[source].spread[:, None], 0, self.most)
        own = [self.constant(f"{name}.weight", steps), self.constant(f"{name}.scale", scale.reshape(-1))]
        stored, its_scale, its_zero = self._store(source)
        inputs = [stored, own[0], its_scale, own[1], its_zero, "", own_bias]
        return self.node("MatMulIntegerToFloat", inputs, name, MICROSOFT)

    def _store(self, source: str) -> tuple[str, str, str]:
        """Turn an activation into unsigned integers; returns their name, and those of scale and zero."""
        assert self.stored is not None  # the caller has looked
        names = f"{source}.steps", f"{source}.scale", f"{source}.zero"
        if names[1] in self.constants:
            return names
        about = self.stored[source]
        given = [
            self.constant(names[1], np.asarray(about.scale.step)),
            self.constant(names[2], np.asarray(about.scale.zero)),
        ]
        narrow = source
        if (about.spread != 1).any():
            inverse = self.constant(f"{source}.spread", (1 / about.spread).astype(np.float32))
            narrow = self.node("Mul", [source, inverse], f"{source}.narrow")
        self.node("QuantizeLinear", [narrow, *given], names[0])
        return names

    def normalised(self, name: str, *inputs: str) -> str:
        """Normalise the sum of `inputs` over its numbers.

        "Sum", not "Add": with that, the runtime makes one node of both, which takes ten times as long.
        """
        total = self.node("Sum", inputs, f"{name}.sum") if len(inputs) > 1 else inputs[0]
        own = [self.constant(part, self.weights[part]) for part in (f"{name}.weight", f"{name}.bias")]
        return self.node("LayerNormalization", [total, *own], name, axis=-1, epsilon=_EPSILON)


def in_steps(values: Array, axis: int, most: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers from −most to most, and the scale along `axis` that gives `values` back."""
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / np.float32(
        most
    )
    return np.clip(np.rint(values / scale), -most, most).astype(np.int8), scale


def _build(
    weights: Weights, stored: Mapping[str, Activation] | None, bits: int, taps: Sequence[str]
) -> onnx.ModelProto:
    graph = _Graph(weights, stored, bits)
    hidden = _embeddings(graph)
    _mask(graph)
    graph.constant("heads", np.array([0, 0, HEADS, DIM // HEADS]))
    graph.constant("joined", np.array([0, 0, DIM]))
    for layer in range(LAYERS):
        hidden = _layer(graph, hidden, layer)
    _pool(graph, hidden)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    out = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIM])]
    out += [helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["tokens", "n", None]) for tap in taps]
    made = helper.make_graph(graph.nodes, "all-minilm-l6-v2", ids, out, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, producer_name="lookalike")


def _hidden(layer: int) -> str:
    """Name what comes into a layer."""
    return f"encoder.layer.{layer - 1}.output.LayerNorm" if layer else "embeddings.LayerNorm"


def _embeddings(graph: _Graph) -> str:
    words = graph.weights["embeddings.word_embeddings.weight"]
    places = graph.weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    places = places + graph.weights["embeddings.token_type_embeddings.weight"][0]
    ids = graph.node("Transpose", ["input_ids"], "ids", perm=[1, 0])
    if graph.stored is None:
        graph.node("Gather", [graph.constant("words", words), ids], "word")
    else:
        steps, scale = in_steps(words, 1, 127)  # looked up, never multiplied: all 8 bits are safe
        graph.node("Gather", [graph.constant("words", steps), ids], "word_steps")
        graph.node("Gather", [graph.constant("word_scales", scale), ids], "word_scale")
        graph.node("Cast", ["word_steps"], "word_floats", to=TensorProto.FLOAT)
        graph.node("Mul", ["word_floats", "word_scale"], "word")
    graph.node("Shape", ["input_ids"], "tokens", start=1, end=2)
    zero = graph.constant("zero", np.array([0]))
    graph.node("Slice", [graph.constant("places", places[:, None]), zero, "tokens", zero], "place")
    graph.node("Add", ["word", "place"], "placed")
    return graph.normalised("embeddings.LayerNorm", "placed")


def _mask(graph: _Graph) -> None:
    """Make `mask`, `(n, 1, 1, tokens)`: 0, or far below 0 where there is `padding`; and whether any is."""
    graph.node("ReduceMin", ["attention_mask"], "least", keepdims=0)
    graph.node("Equal", ["least", graph.constant("none", np.int64(0))], "padding")
    graph.node("Cast", ["attention_mask"], "mask_floats", to=TensorProto.FLOAT)
    graph.node("Sub", ["mask_floats", graph.constant("one", np.float32(1))], "mask_below")
    graph.node("Mul", ["mask_below", graph.constant("far", np.float32(10_000))], "mask_far")
    graph.node("Unsqueeze", ["mask_far", graph.constant("mask_axes", np.array([1, 2]))], "mask")


def _layer(graph: _Graph, hidden: str, layer: int) -> str:
    prefix = f"encoder.layer.{layer}"
    attended = graph.linear(_attention(graph, hidden, prefix), f"{prefix}.attention.output.dense")
    hidden = graph.normalised(f"{prefix}.attention.output.LayerNorm", attended, hidden)
    inner = graph.linear(hidden, f"{prefix}.intermediate.dense")
    # By tanh, which is quicker than the error function; the vectors stay at cosine 0.999999.
    options = {} if graph.stored is None else {"approximate": "tanh"}
    graph.node("Gelu", [inner], f"{prefix}.gelu", **options)
    outer = graph.linear(f"{prefix}.gelu", f"{prefix}.output.dense")
    return graph.normalised(f"{prefix}.output.LayerNorm", outer, hidden)


def _attention(graph: _Graph, hidden: str, prefix: str) -> str:
    """Let every token look at all tokens of its text, 12 times for 32 numbers each."""
    query, key, value = (
        graph.node(
            "Reshape", [graph.linear(hidden, f"{prefix}.attention.self.{part}"), "heads"], f"{prefix}.{part}"
        )
        for part in ("query", "key", "value")
    )
    turned = {"transBatchA": 1, "transBatchB": 1, "transB": 1, "alpha": (DIM // HEADS) ** -0.5}
    graph.node("FusedMatMul", [query, key], f"{prefix}.likeness", MICROSOFT, **turned)
    either = {"then_branch": _shares(f"{prefix}.padded", f"{prefix}.likeness", "mask")}
    either["else_branch"] = _shares(f"{prefix}.full", f"{prefix}.likeness")
    graph.node("If", ["padding"], f"{prefix}.shares", **either)
    graph.node("FusedMatMul", [f"{prefix}.shares", value], f"{prefix}.seen", MICROSOFT, transBatchB=1)
    graph.node("Transpose", [f"{prefix}.seen"], f"{prefix}.by_token", perm=[2, 0, 1, 3])
    return graph.node("Reshape", [f"{prefix}.by_token", "joined"], f"{prefix}.attended")


def _shares(name: str, likeness: str, *mask: str) -> onnx.GraphProto:
    """Return the part that turns likenesses, plus a mask where there is padding, into shares of 1."""
    nodes = [helper.make_node("Add", [likeness, *mask], [f"{name}.masked"])] if mask else []
    source = nodes[0].output[0] if nodes else likeness
    nodes.append(helper.make_node("Softmax", [source], [name], name=name, axis=-1))
    shares = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", HEADS, "tokens", "tokens"])
    return helper.make_graph(nodes, name, [], [shares])


def _pool(graph: _Graph, hidden: str) -> None:
    """Average the tokens that are not padding."""
    axis = graph.constant("text_axis", np.array([1]))
    graph.node("Transpose", [hidden], "by_text", perm=[1, 0, 2])
    graph.node("Unsqueeze", ["mask_floats", axis], "mask_row")
    graph.node("MatMul", ["mask_row", "by_text"], "sum_row")
    graph.node("Squeeze", ["sum_row", axis], "sum")
    graph.node("ReduceSum", ["mask_floats", axis], "count", keepdims=1)
    graph.node("Div", ["sum", "count"], "embedding")
