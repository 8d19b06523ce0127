"""What an ONNX file says of itself, read from its bytes without running anything.

ONNX files are Protocol Buffers (https://onnx.ai/onnx/repo-docs/IR.html, onnx.proto). Only the few fields that
tell whether a file can be used are looked at; weights are stepped over, so a gigabyte takes milliseconds.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.errors import ModelError, NotAFileError
from lookalike.files import open_bytes

_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_RUN_BY_US = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
_MAX_DEPTH = 16  # of graphs within graphs
_READS_FILES = {"EPContext"}  # operators whose attributes may name a file
_RANGES_ANEW = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
_PLAIN_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)  # of a file in the same folder, and of nothing else
_SAYS_WHERE = {"location", "offset", "length", "checksum"}
_HOLDS = {  # kinds of messages, and which of their fields hold messages that lead to tensors and operators
    "model": {7: "main", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "main": {1: "node", 5: "tensor", 15: "sparse"},  # a graph, that of the model
    "function": {7: "node", 11: "attribute"},  # its body, and defaults of its attributes
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},  # values, and where they stand
}

_Bytes = memoryview
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_Fields = Iterator[tuple[int, "int | _Bytes"]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: its element type, and its shape with None for what may vary."""

    type: str
    shape: tuple[int | None, ...]


@dataclass(slots=True)
class Graph:
    """What a model file takes and gives, and what it needs beside ONNX Runtime."""

    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Operators that ONNX Runtime does not bring along, as `domain:name`."""
    beside: set[str] = field(default_factory=set)
    """Names of files in its folder that hold plain weights (initializers) of the main graph."""
    external: bool = False
    """Whether it takes anything else from other files, or from any other place."""
    ranges_anew: bool = False
    """Whether it quantizes by the range of what it is given: then a result depends on all of a batch."""


def read_graph(path: Path) -> Graph:
    """Return what a file says of itself; raises `ModelError` when it is no ONNX model."""
    try:
        with open_bytes(path) as file:  # the mapping goes with its last view, which an error may still hold
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _read_model(memoryview(mapped))
    except NotAFileError as error:
        raise ModelError(str(error)) from None
    except (OSError, ValueError, IndexError, RecursionError) as error:
        raise ModelError(f"{path} is not an ONNX model that can be read: {error}") from None


def _read_model(model: _Bytes) -> Graph:
    graph = Graph()
    local: set[str] = set()  # operators that the file defines itself
    for number, value in _fields(model):
        if number == 25:  # FunctionProto: name, domain
            facts = _texts(value, (1, 10))
            local.add(f"{facts.get(10, '')}:{facts.get(1, '')}")
        elif number == 7:
            _read_ends(value, graph)
    _look_through(model, "model", graph, 0)
    if not graph.outputs:
        raise ValueError("it has no outputs")
    graph.foreign -= local
    return graph


def _read_ends(data: int | _Bytes, graph: Graph) -> None:
    """Note what the main graph takes and gives."""
    names: set[str] = set()  # initializers are listed among the inputs of old files
    for number, value in _fields(data):
        if number == 5:
            names.add(_texts(value, (8,)).get(8, ""))
        elif number in (11, 12):
            name, tensor = _read_value(value)
            (graph.inputs if number == 11 else graph.outputs)[name] = tensor
    for name in names & graph.inputs.keys():
        del graph.inputs[name]


def _look_through(data: int | _Bytes, kind: str, graph: Graph, depth: int) -> None:
    """Note foreign operators and weights in other files, wherever in a message of a kind they are."""
    if depth > _MAX_DEPTH:
        raise ValueError("its graphs lie too deep in each other")
    if kind == "tensor":
        graph.external |= _is_external(data)
        return
    if kind == "node":
        facts = _texts(data, (4, 7))
        domain, name = facts.get(7, ""), facts.get(4, "")
        if domain not in _RUN_BY_US:
            graph.foreign.add(f"{domain}:{name}")
        graph.external |= name in _READS_FILES
        graph.ranges_anew |= name in _RANGES_ANEW
    below = _HOLDS[kind]
    for number, value in _fields(data):
        if kind == "main" and below.get(number) == "tensor":
            _note_weights(value, graph)
        elif number in below:
            _look_through(value, below[number], graph, depth + (below[number] in ("graph", "main")))


def _note_weights(tensor: int | _Bytes, graph: Graph) -> None:
    """Note in which file an initializer of the main graph is: only one with a plain name may be."""
    if not _is_external(tensor):
        return
    said = [_texts(value, (1, 2)) for number, value in _fields(tensor) if number == 13]
    names = [each.get(2, "") for each in said if each.get(1) == "location"]
    places = [value for number, value in _fields(tensor) if number == 14]
    is_plain = len(names) == 1 and _PLAIN_NAME.fullmatch(names[0]) is not None
    if is_plain and set(places) == {1} and all(each.get(1) in _SAYS_WHERE for each in said):
        graph.beside.add(names[0])
    else:
        graph.external = True


def _is_external(tensor: int | _Bytes) -> bool:
    """Whether a tensor says where else its numbers are: `external_data`, or any `data_location` but 0."""
    return any(number == 13 or (number == 14 and value != 0) for number, value in _fields(tensor))


def _read_value(data: int | _Bytes) -> tuple[str, Tensor]:
    name, kind = "", "unknown"
    shape: tuple[int | None, ...] = ()
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for part, tensor in _fields(value):
                if part == 1:
                    kind, shape = _read_tensor_type(tensor)
    return name, Tensor(kind, shape)


def _read_tensor_type(data: int | _Bytes) -> tuple[str, tuple[int | None, ...]]:
    kind, shape = "unknown", []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            kind = _TYPES.get(value, f"type {value}")
        elif number == 2:
            for _, dimension in _fields(value):
                sizes = [size for part, size in _fields(dimension) if part == 1 and isinstance(size, int)]
                shape.append(sizes[0] if sizes else None)
    return kind, tuple(shape)


def _texts(data: int | _Bytes, wanted: tuple[int, ...]) -> dict[int, str]:
    return {number: _text(value) for number, value in _fields(data) if number in wanted}


def _text(value: int | _Bytes) -> str:
    return bytes(_message(value)).decode("utf-8")


def _message(value: int | _Bytes) -> _Bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")
    return value


def _fields(data: int | _Bytes) -> _Fields:
    """Yield number and value of each field of a message; raises `ValueError` where it is cut short."""
    message = _message(data)
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        if key >> 32:  # other readers would leave out its upper bits, and read another field
            raise ValueError("it is not in its format")
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("it is not in its format")
        if at + length > end:
            raise ValueError("it is cut short")
        yield number, message[at : at + length]
        at += length


def _varint(data: _Bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("it is not in its format")
