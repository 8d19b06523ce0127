"""The towers of a model in the usual Hugging Face layout: which output is the vector, pooled how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lookalike.errors import ModelError
from lookalike.models.files import read_json
from lookalike.models.graph import Graph, Tensor
from lookalike.models.preprocessor import read_preprocessor
from lookalike.models.record import PhotoTower, Pooling, TextTower
from lookalike.models.sentences import read_length, read_pooling, read_prefixes
from lookalike.models.source import Source

_TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_POOLED_BY_TOKEN = {  # the first token stands for the photo; their pooler, if any, was seldom trained
    "vit", "deit", "vit_mae", "vit_msn", "dinov2", "dinov2_with_registers", "dinov3_vit",
}  # fmt: skip
_POOLED_BY_MEAN = {"swin", "swinv2", "beit", "data2vec-vision", "levit", "ijepa", "hiera", "pvt"}
_WORDS_LENGTH = {"clip": 77, "siglip": 64, "siglip2": 64}
_SIGLIP = ("siglip", "siglip2")


@dataclass(frozen=True, slots=True)
class _Vector:
    """The output that is taken, and how it becomes one vector."""

    name: str
    pooling: Pooling


def photo_tower(source: Source, name: str, *, two_towers: bool) -> PhotoTower:
    """Return the photo tower in an ONNX file; raises `ModelError` where it cannot be one."""
    graph = source.graph(name)
    path = source.folder / name
    if "pixel_values" in graph.inputs:
        taken = "pixel_values"
    else:
        taken = next((each for each, tensor in graph.inputs.items() if len(tensor.shape) == 4), "")
    if not taken or len(graph.inputs) != 1:
        raise ModelError(f"{path} takes {_listed(graph.inputs)}; expected pixel_values alone")
    view, pixels = read_preprocessor(source.folder, source.model_type)
    tensor = graph.inputs[taken]
    if tensor.type not in ("float32", "float16") or len(tensor.shape) != 4:
        raise ModelError(f"{path}: its input {taken} is {_shown(tensor)}; expected float32 of 4 dimensions")
    for size, wanted in zip(tensor.shape[1:], (3, view.size, view.size), strict=True):
        if size not in (None, wanted):
            raise ModelError(
                f"{path} takes photos of shape {_shown(tensor)}, but preprocessor_config.json makes "
                f"3 × {view.size} × {view.size}"
            )
    vector = _photo_output(source, graph, two_towers=two_towers)
    if vector is None:
        raise ModelError(
            f"{path} gives {_listed(graph.outputs)}; expected "
            + ("image_embeds" if two_towers else "pooler_output or last_hidden_state")
            + (" (class scores are no features: export it for feature-extraction)" if _scores(graph) else "")
        )
    return PhotoTower(
        source.onnx(name),
        view,
        taken,
        vector.name,
        pixels,
        vector.pooling,
        one_by_one=graph.ranges_anew,
    )


def text_tower(source: Source, name: str, *, two_towers: bool) -> TextTower:
    """Return the text tower in an ONNX file; raises `ModelError` where it cannot be one."""
    graph = source.graph(name)
    path = source.folder / name
    strange = [each for each in graph.inputs if each not in _TEXT_INPUTS]
    if "input_ids" not in graph.inputs or strange:
        raise ModelError(f"{path} takes {_listed(graph.inputs)}; expected some of {', '.join(_TEXT_INPUTS)}")
    vector = _words_output(source, graph) if two_towers else _sentence_output(source, graph)
    if vector is None:
        wanted = "text_embeds" if two_towers else "sentence_embedding, last_hidden_state or token_embeddings"
        raise ModelError(f"{path} gives {_listed(graph.outputs)}; expected {wanted}")
    shape = graph.inputs["input_ids"].shape
    fixed = shape[1] if len(shape) == 2 else None
    longest = read_length(source.folder, source.config, _WORDS_LENGTH.get(source.model_type, 512))
    tower = TextTower(
        file=source.onnx(name),
        tokenizer=source.file("tokenizer.json"),
        tokenizer_kind="tokenizers",
        inputs=tuple(graph.inputs),
        output_name=vector.name,
        pooling=vector.pooling,
        max_tokens=fixed or longest,
        pad_to_max=bool(fixed) or source.model_type in _SIGLIP,
        one_by_one=graph.ranges_anew,
    )
    tower = _with_special_tokens(tower, source)
    if not two_towers:
        query, text = read_prefixes(source.folder, source.names)
        tower = replace(tower, query_prefix=query, text_prefix=text)
    return tower


def _photo_output(source: Source, graph: Graph, *, two_towers: bool) -> _Vector | None:
    if (
        two_towers
    ):  # a pooler's output is not yet in the common space, but for SigLIP, which has no projection
        wanted = ("image_embeds", "pooler_output") if source.model_type in _SIGLIP else ("image_embeds",)
        return next((_Vector(name, "none") for name in wanted if name in graph.outputs), None)
    hidden = graph.outputs.get("last_hidden_state")
    if source.pooling is not None:
        if hidden is None or len(hidden.shape) != 3 or source.pooling not in ("mean", "cls"):
            raise ModelError(
                f"{source.folder}: a pooling of photos is mean or cls, of an output last_hidden_state; there "
                f"is "
                f"{_listed(graph.outputs)}"
            )
        return _Vector("last_hidden_state", source.pooling)
    pooling = None if hidden is None else _pooling_of_hidden(source.model_type, len(hidden.shape))
    if pooling == "cls":
        return _Vector("last_hidden_state", "cls")
    for name in ("image_embeds", "pooler_output"):
        if name in graph.outputs:
            return _Vector(name, "mean" if len(graph.outputs[name].shape) == 4 else "none")
    return _Vector("last_hidden_state", pooling) if pooling else None


def _pooling_of_hidden(model_type: str, dimensions: int) -> Pooling | None:
    """Return how a family makes one vector of its last layer; None where that is not known."""
    if dimensions == 4:  # a map of features, without tokens
        return "mean"
    if dimensions != 3:
        return None
    if model_type in _POOLED_BY_TOKEN:
        return "cls"
    return "mean" if model_type in _POOLED_BY_MEAN else None


def _words_output(source: Source, graph: Graph) -> _Vector | None:
    wanted = ("text_embeds", "pooler_output") if source.model_type in _SIGLIP else ("text_embeds",)
    return next((_Vector(name, "none") for name in wanted if name in graph.outputs), None)


def _sentence_output(source: Source, graph: Graph) -> _Vector | None:
    tokens = next((name for name in ("last_hidden_state", "token_embeddings") if name in graph.outputs), None)
    if source.pooling is not None:
        if tokens is None:
            raise ModelError(
                f"{source.folder} gives {_listed(graph.outputs)}, and no vectors of tokens that could be "
                f"pooled: leave "
                "out --pooling"
            )
        return _Vector(tokens, source.pooling)
    for name in ("sentence_embedding", "text_embeds"):
        if name in graph.outputs:
            return _Vector(name, "none")
    if tokens is None:
        return None
    pooling, is_known = read_pooling(source.folder, source.names)
    if not is_known:
        source.note = (
            f"pooling: {pooling} is assumed, for {source.folder.name} has no 1_Pooling/config.json; another "
            f"one by "
            "--pooling cls or last"
        )
    return _Vector(tokens, pooling)


def _with_special_tokens(tower: TextTower, source: Source) -> TextTower:
    """Fill in what the tokenizer's own file may leave to the library that reads it."""
    facts = read_json(source.folder / "tokenizer_config.json")
    special = {**read_json(source.folder / "special_tokens_map.json"), **facts}
    siglip = source.model_type in _SIGLIP
    ends = siglip or facts.get("add_eos_token") is True
    pad = _token_id(source, facts, _content(special.get("pad_token")))
    end = _token_id(source, facts, _content(special.get("eos_token"))) if ends else None
    if siglip and (pad is None or end is None):
        raise ModelError(f"{source.folder} does not say which tokens end and fill up a text")
    if tower.pad_to_max and facts.get("padding_side") == "left":
        raise ModelError(f"{source.folder} fills up texts at their beginning, which is not supported")
    return replace(
        tower,
        pad_id=pad or 0,
        end_id=end,
        lower_case=siglip and facts.get("do_lower_case", True) is not False,
    )


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _token_id(source: Source, facts: dict[str, Any], token: str) -> int | None:
    """Return the number of a special token."""
    if not token:
        return None
    listed = facts.get("added_tokens_decoder")
    if isinstance(listed, dict):
        for number, each in listed.items():
            if _content(each) == token and str(number).isdecimal():
                return int(number)
    tokenizer = read_json(source.folder / "tokenizer.json")
    for each in tokenizer.get("added_tokens") or ():
        if isinstance(each, dict) and _content(each) == token and isinstance(each.get("id"), int):
            return int(each["id"])
    return None


def _scores(graph: Graph) -> bool:
    return any("logits" in name for name in graph.outputs)


def _listed(tensors: dict[str, Tensor]) -> str:
    return ", ".join(list(tensors)[:8]) or "nothing"


def _shown(tensor: Tensor) -> str:
    return f"{tensor.type} {' × '.join('?' if size is None else str(size) for size in tensor.shape)}"
