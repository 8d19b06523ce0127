"""What a model's files say of texts: tokens, pooling and prefixes.

Pooling, prompts and length are what sentence-transformers writes beside a model (`modules.json`,
`1_Pooling/config.json`, `sentence_bert_config.json`, `config_sentence_transformers.json`). Exports for other
programs often leave these out; then the families below are known by name, and mean pooling holds for the
rest, as it does in sentence-transformers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import ModelError
from lookalike.models.files import read_json, read_json_list
from lookalike.models.record import Pooling

_BGE_QUERY = "Represent this sentence for searching relevant passages: "
_BGE_ZH_QUERY = "为这个句子生成表示以用于检索相关文章："


@dataclass(frozen=True, slots=True)
class _Family:
    """Models whose names match: how they pool, and what goes before queries and texts."""

    names: str
    pooling: Pooling
    query: str = ""
    text: str = ""


_FAMILIES = (
    _Family(r"(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?", "mean", "query: ", "passage: "),
    _Family(r"bge-(small|base|large)-en(-v1\.5)?", "cls", _BGE_QUERY),
    _Family(r"bge-(small|base|large)-zh(-v1\.5)?", "cls", _BGE_ZH_QUERY),
    _Family(r"bge-m3", "cls"),
    _Family(r"mxbai-embed-(xsmall|large|2d-large)-v1", "cls", _BGE_QUERY),
    _Family(r"snowflake-arctic-embed-(xs|s|m|l)", "cls", _BGE_QUERY),
    _Family(r"snowflake-arctic-embed-[ml]-v2\.0", "cls", "query: "),
    _Family(r"gte-(base|large)-en-v1\.5|gte-multilingual-base", "cls"),
    _Family(r"nomic-embed-text-v1(\.5)?", "mean", "search_query: ", "search_document: "),
)
_SUFFIXES = re.compile(r"[-_](onnx|hf|quantized|int8)$")
_QUERY_PROMPTS, _TEXT_PROMPTS = ("query",), ("document", "passage", "corpus")  # as sentence-transformers 5
_SAME_DIRECTION: dict[str, Pooling] = {
    "mean": "mean", "mean_sqrt_len": "mean", "cls": "cls", "lasttoken": "last",
}  # fmt: skip
_SHIFTED = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"}
_NO_LIMIT = 1_000_000  # tokenizers without one write 1e30


def read_pooling(folder: Path, names: list[str]) -> tuple[Pooling, bool]:
    """Return how a sentence model makes one vector of its tokens', and whether that is known of it.

    Raises `ModelError` where we cannot.
    """
    for module in read_json_list(folder / "modules.json"):
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise ModelError(
                f"{folder} has a layer {kind} after its ONNX file; expected a file with an output "
                "sentence_embedding, as optimum-cli export onnx --task sentence-similarity makes it"
            )
    path = folder / "1_Pooling" / "config.json"
    facts = read_json(path)
    if not facts:
        families = _families(names)
        return (families[0].pooling, True) if families else ("mean", False)
    named = facts.get("pooling_mode")
    switches = [key for key, on in facts.items() if key.startswith("pooling_mode_") and on is True]
    modes = [re.sub(r"^pooling_mode_|_tokens?$", "", mode) for mode in ([named] if named else switches)]
    if len(modes) != 1 or modes[0] not in _SAME_DIRECTION:
        raise ModelError(
            f"{path} asks for the pooling {' + '.join(modes) or 'none'}; cls, mean and lasttoken are done"
        )
    return _SAME_DIRECTION[modes[0]], True


def read_prefixes(folder: Path, names: list[str]) -> tuple[str, str]:
    """Return what goes before the words of a query, and before the texts of a collection."""
    facts = read_json(folder / "config_sentence_transformers.json")
    prompts = facts.get("prompts")
    prompts = {key: value for key, value in prompts.items() if value} if isinstance(prompts, dict) else {}
    if prompts:
        default = prompts.get(facts.get("default_prompt_name"), "")
        query = next((prompts[name] for name in _QUERY_PROMPTS if name in prompts), default)
        text = next((prompts[name] for name in _TEXT_PROMPTS if name in prompts), default)
        if not isinstance(query, str) or not isinstance(text, str):
            raise ModelError(f"{folder / 'config_sentence_transformers.json'}: a prompt is not a text")
        return query, text
    return next(((each.query, each.text) for each in _families(names)), ("", ""))


def read_length(folder: Path, config: dict[str, Any], default: int) -> int:
    """Return how many tokens a model reads at most: the smallest of what its files say, else `default`."""
    sentence = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    tokenizer = read_json(folder / "tokenizer_config.json").get("model_max_length")
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else config
    positions = inner.get("max_position_embeddings")
    if isinstance(positions, int) and inner.get("model_type") in _SHIFTED:
        positions -= 2  # they count positions from 2 on
    said = [
        int(limit)
        for limit in (sentence, tokenizer, positions)
        if isinstance(limit, (int, float)) and 0 < limit < _NO_LIMIT
    ]
    if isinstance(text, dict):  # two towers: the text tower's configuration leaves out what is the usual
        said.append(default)
    return min(said, default=default)


def _families(names: list[str]) -> list[_Family]:
    """Return the known families that one of the names belongs to, in any order of theirs."""
    bare = [_SUFFIXES.sub("", name.lower().rstrip("/").rsplit("/", 1)[-1]) for name in names]
    return [each for each in _FAMILIES if any(re.fullmatch(each.names, name) for name in bare)]
