"""Small ONNX files and model folders, written byte by byte: no package that writes them is needed."""

from __future__ import annotations

import json
import struct
from pathlib import Path

FLOAT, INT64 = 1, 7
Shape = tuple[int | str, ...]


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def value_info(name: str, kind: int, shape: Shape) -> bytes:
    dims = b"".join(
        message(1, number(1, size) if isinstance(size, int) else message(2, size)) for size in shape
    )
    return message(1, name) + message(2, message(1, number(1, kind) + message(2, dims)))


def node(kind: str, source: str, target: str, domain: str = "", attributes: bytes = b"") -> bytes:
    return message(1, source) + message(2, target) + message(4, kind) + message(7, domain) + attributes


def integer(name: str, value: int) -> bytes:
    """An attribute."""
    return message(5, message(1, name) + number(3, value) + number(20, 2))


def model(inputs: list[bytes], outputs: list[bytes], nodes: list[bytes], extra: bytes = b"") -> bytes:
    graph = b"".join(message(1, each) for each in nodes) + message(2, "graph") + extra
    graph += b"".join(message(11, each) for each in inputs) + b"".join(message(12, each) for each in outputs)
    return number(1, 8) + message(7, graph) + message(8, message(1, "") + number(2, 17))


def photo_model(
    size: int | str = 8, output: str = "pooler_output", batch: int | str = "n", extra: bytes = b""
) -> bytes:
    """Takes photos, gives their mean colour: `(n, 3)`."""
    return model(
        [value_info("pixel_values", FLOAT, (batch, 3, size, size))],
        [value_info(output, FLOAT, (batch, 3))],
        [
            node("GlobalAveragePool", "pixel_values", "mean"),
            node("Flatten", "mean", output, "", integer("axis", 1)),
        ],
        extra,
    )


def map_model() -> bytes:
    """Takes photos, gives them as a map of features `(n, 3, height, width)`."""
    shape: Shape = ("n", 3, "height", "width")
    return model(
        [value_info("pixel_values", FLOAT, shape)],
        [value_info("last_hidden_state", FLOAT, shape)],
        [node("Identity", "pixel_values", "last_hidden_state")],
    )


def text_model(output: str = "last_hidden_state", length: int | str = "tokens", dim: int = 3) -> bytes:
    """Takes tokens; not to be run."""
    shape: Shape = ("n", "tokens", dim) if output in ("last_hidden_state", "token_embeddings") else ("n", dim)
    return model(
        [value_info("input_ids", INT64, ("n", length)), value_info("attention_mask", INT64, ("n", length))],
        [value_info(output, FLOAT, shape)],
        [node("Cast", "input_ids", output, "", integer("to", 1))],
    )


def weights(name: str, dims: Shape, where: bytes = b"", raw: bytes | None = None) -> bytes:
    """An initializer of floats: in the file, or where other fields say."""
    inside = b"" if raw is None else message(9, raw)
    return message(
        5, b"".join(number(1, size) for size in dims) + number(2, FLOAT) + message(8, name) + inside + where
    )


def beside(file: str, offset: int = 0, length: int = 36) -> bytes:
    """The fields of a tensor whose numbers are in another file."""
    said = {"location": file, "offset": str(offset), "length": str(length)}
    return b"".join(message(13, message(1, key) + message(2, value)) for key, value in said.items()) + number(
        14, 1
    )


def joined(kind: str, sources: list[str], targets: list[str], attributes: bytes = b"") -> bytes:
    """A node of several inputs or outputs."""
    ends = b"".join(message(1, each) for each in sources) + b"".join(message(2, each) for each in targets)
    return ends + message(4, kind) + attributes


def turned_model(where: bytes, raw: bytes | None = None) -> bytes:
    """Takes photos, gives their mean colour times a matrix `(3, 3)` that lies where `where` says."""
    nodes = [
        node("GlobalAveragePool", "pixel_values", "mean"),
        node("Flatten", "mean", "flat", "", integer("axis", 1)),
        joined("MatMul", ["flat", "w"], ["pooler_output"]),
    ]
    return model(
        [value_info("pixel_values", FLOAT, ("n", 3, 8, 8))],
        [value_info("pooler_output", FLOAT, ("n", 3))],
        nodes,
        weights("w", (3, 3), where, raw),
    )


def dynamic_photo_model() -> bytes:
    """Takes photos, gives their mean colour in 8-bit integers of a range found anew for each batch."""
    nodes = [
        node("GlobalAveragePool", "pixel_values", "mean"),
        node("Flatten", "mean", "flat", "", integer("axis", 1)),
        joined("DynamicQuantizeLinear", ["flat"], ["q", "scale", "zero"]),
        joined("DequantizeLinear", ["q", "scale", "zero"], ["pooler_output"]),
    ]
    return model(
        [value_info("pixel_values", FLOAT, ("n", 3, 8, 8))],
        [value_info("pooler_output", FLOAT, ("n", 3))],
        nodes,
    )


def dynamic_text_model(dim: int = 3) -> bytes:
    """Takes tokens, gives numbers of theirs, likewise."""
    axis = message(
        5, number(1, 1) + number(2, INT64) + message(8, "axis") + message(9, (2).to_bytes(8, "little"))
    )
    table = weights("table", (dim,), raw=struct.pack(f"<{dim}f", *(0.37 * at - 0.5 for at in range(dim))))
    nodes = [
        node("Cast", "input_ids", "floats", "", integer("to", 1)),
        joined("Unsqueeze", ["floats", "axis"], ["rows"]),
        joined("Mul", ["rows", "table"], ["product"]),
        joined("Add", ["product", "table"], ["sum"]),
        joined("DynamicQuantizeLinear", ["sum"], ["q", "scale", "zero"]),
        joined("DequantizeLinear", ["q", "scale", "zero"], ["last_hidden_state"]),
    ]
    inputs = [value_info(name, INT64, ("n", "tokens")) for name in ("input_ids", "attention_mask")]
    return model(inputs, [value_info("last_hidden_state", FLOAT, ("n", "tokens", dim))], nodes, axis + table)


TOKENIZER = {
    "version": "1.0",
    "added_tokens": [
        {"id": 1, "content": "<pad>", "special": True},
        {"id": 2, "content": "</s>", "special": True},
    ],
    "model": {"type": "WordLevel", "vocab": {"a": 0, "<pad>": 1, "</s>": 2}, "unk_token": "a"},
}
PREPROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 8, "width": 8},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def write_folder(folder: Path, files: dict[str, object]) -> Path:
    """Write files by relative path: bytes as they are, anything else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def photo_folder(folder: Path, onnx: bytes | None = None, **facts: object) -> Path:
    """A model that only sees."""
    files = {
        "config.json": {"model_type": "convnext"},
        "preprocessor_config.json": {**PREPROCESSOR, **facts},
        "onnx/model.onnx": onnx or photo_model(),
    }
    return write_folder(folder, files)


def text_folder(folder: Path, onnx: bytes | None = None, **config: object) -> Path:
    """A sentence model."""
    files = {
        "config.json": {"model_type": "bert", "max_position_embeddings": 512, **config},
        "tokenizer.json": TOKENIZER,
        "tokenizer_config.json": {"pad_token": "<pad>", "model_max_length": 1e30},
        "onnx/model.onnx": onnx or text_model(),
    }
    return write_folder(folder, files)


def towers_folder(folder: Path, kind: str = "clip", **text: object) -> Path:
    """A model of two towers."""
    outputs = ("image_embeds", "text_embeds") if kind == "clip" else ("pooler_output", "pooler_output")
    files = {
        "config.json": {"model_type": kind, "text_config": text},
        "preprocessor_config.json": PREPROCESSOR,
        "tokenizer.json": TOKENIZER,
        "tokenizer_config.json": {"pad_token": "<pad>", "eos_token": {"content": "</s>"}},
        "onnx/vision_model.onnx": photo_model(output=outputs[0]),
        "onnx/text_model.onnx": text_model(outputs[1]),
    }
    return write_folder(folder, files)
