"""From a Keras network to an ONNX file; runs only in the conversion's own process.

The weights are handed to the traced function as arguments and put into the ONNX graph afterwards. Left
inside, they go through TensorFlow's constant folding again and again: for VGG16 that took more than 20 GB of
memory, where this takes 5.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.errors import ModelError
from lookalike.models.keras.network import Network
from lookalike.models.keras.wire import INPUT_NAME, OUTPUT_NAME

_OPSET = 17
_LARGEST = (2 << 30) - (16 << 20)  # an ONNX file is a protobuf, below 2 GiB


def write_onnx(network: Network, path: Path, about: dict[str, str]) -> int:
    """Write the graph from uint8 RGB `(n, size, size, 3)` to float32 `(n, dim)`; return dim."""
    variables = [*network.model.trainable_variables, *network.model.non_trainable_variables]
    size = sum(int(np.prod(each.shape)) * 4 for each in variables)
    if size > _LARGEST:
        raise ModelError(
            f"{network.name} has weights of {size >> 20:,} MiB; one ONNX file holds {_LARGEST >> 20:,}"
        )
    unfolded = path.with_suffix(".unfolded")
    unfolded.write_bytes(_with_weights(_traced(network, variables), variables))
    try:
        _fold(unfolded, path)
    finally:
        unfolded.unlink()
    return _finish(path, about)


def _traced(network: Network, variables: list[Any]) -> Any:
    """Return the ONNX model whose weights are inputs: `weight_0`, `weight_1` and so on."""
    import tensorflow as tf  # the `keras` extra
    import tf2onnx

    split = len(network.model.trainable_variables)

    def run(pixels: Any, *weights: Any) -> Any:
        prepared = network.prepare(tf.cast(pixels, tf.float32))
        found, _ = network.model.stateless_call(
            list(weights[:split]), list(weights[split:]), prepared, training=False
        )
        return tf.cast(found, tf.float32)

    signature = [
        tf.TensorSpec((None, network.size, network.size, 3), tf.uint8, name=INPUT_NAME),
        *(tf.TensorSpec(each.shape, each.dtype, name=f"weight_{at}") for at, each in enumerate(variables)),
    ]
    function = tf.function(run, input_signature=signature)
    tf.config.run_functions_eagerly(True)  # else Keras' grouped convolutions stay calls, which ONNX lacks
    model, _ = tf2onnx.convert.from_function(
        function, input_signature=signature, opset=_OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
    )
    graph = function.get_concrete_function().graph
    _bind(model, {inner.name: outer.numpy() for outer, inner in graph.captures if hasattr(outer, "numpy")})
    return model


def _erfc(context: Any, node: Any, name: str, args: Any) -> None:  # noqa: ARG001  # as tf2onnx calls it
    """Write `1 - erf(x)`, of which ONNX has the second half only (GELU takes it)."""
    one = context.make_const(f"{name}_one", np.array(1, np.float32))
    (source,), outputs = node.input, node.output
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(name)
    half = context.make_node("Erf", [source], shapes=shapes, dtypes=dtypes)
    context.make_node(
        "Sub", [one.output[0], half.output[0]], name=name, outputs=outputs, shapes=shapes, dtypes=dtypes
    )


def _with_weights(model: Any, variables: list[Any]) -> bytes:
    import onnx  # the `keras` extra

    _bind(model, {f"weight_{at}": np.asarray(each) for at, each in enumerate(variables)})
    lacking = sorted(
        {each.op_type for each in model.graph.node if not onnx.defs.has(each.op_type, each.domain)}
    )
    if lacking:
        raise ModelError(f"its layers use operations of TensorFlow that ONNX lacks: {', '.join(lacking)}")
    left = [each.name for each in model.graph.input]
    if left != [INPUT_NAME]:
        raise ModelError(f"its graph in ONNX wants {', '.join(left)}; expected {INPUT_NAME} only")
    content: bytes = model.SerializeToString()
    return content


def _bind(model: Any, values: dict[str, Any]) -> None:
    """Turn inputs of a graph into constants."""
    from onnx import numpy_helper  # the `keras` extra

    kept = []
    for each in model.graph.input:
        if each.name in values:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(values[each.name]), each.name))
        else:
            kept.append(each)
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _fold(source: Path, target: Path) -> None:
    """Compute once what depends on weights alone, such as their transposes; the same on every processor."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = os.fspath(target)
    options.log_severity_level = 3
    ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _finish(path: Path, about: dict[str, str]) -> int:
    """Name the output, say what it is made of, and return how many numbers it gives."""
    import onnx

    model = onnx.load(path)
    (output,) = model.graph.output
    names = {output.name: OUTPUT_NAME} | _weight_names(model.graph)
    for node in model.graph.node:
        node.output[:] = [names.get(each, each) for each in node.output]
        node.input[:] = [names.get(each, each) for each in node.input]
    for each in (*model.graph.initializer, output):
        each.name = names[each.name]
    model.graph.initializer.sort(key=lambda each: each.name)
    used = {node.domain for node in model.graph.node}
    domains = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(domains)
    model.producer_name, model.producer_version = "lookalike", ""
    onnx.helper.set_model_props(model, about)
    onnx.save(model, path)
    return int(output.type.tensor_type.shape.dim[-1].dim_value)


def _weight_names(graph: Any) -> dict[str, str]:
    """Return new names, by first use: ONNX Runtime keeps any of those that equal weights had."""
    there = {each.name for each in graph.initializer}
    used = dict.fromkeys(each for node in graph.node for each in node.input if each in there)
    return {name: f"weight_{at}" for at, name in enumerate([*used, *sorted(there - set(used))])}
