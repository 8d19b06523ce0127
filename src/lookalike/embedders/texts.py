"""Texts to vectors: tokenized, sorted by length, and run in batches on the processor's cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.embedders import EmbedderSpec
from lookalike.embedders.known import share
from lookalike.embedders.session import open_session
from lookalike.embedders.vectors import unit_length
from lookalike.embedders.wordpiece import WordPiece
from lookalike.errors import ModelError
from lookalike.models import ModelRecord, TextTower
from lookalike.records import Vectors, View

_TOKENS_PER_CALL = 512  # more is no faster (docs/models.md)
_TOKENS_ENOUGH = 160  # for a call with texts of one length, which need no padding
_TEXTS_PER_CALL = 64
_NO_VIEW = View(0)


class Tokenizer(Protocol):
    """Turns texts into the numbers that a model reads."""

    def encode(self, text: str, limit: int) -> list[int]:
        """Return the tokens of a text, special ones included, no more than `limit`."""

    def reach(self, text: str, limit: int) -> int:
        """Return how many letters of `text`, from the first on, `encode` reads."""

    def known(self, text: str) -> tuple[float, float]:
        """Return how many parts of a text with a meaning have a token of their own, and how many have not."""


class OnnxTextEmbedder:
    """One ONNX Runtime session for a text tower, shared by as many threads as there are cores.

    Texts of like length go together, so that little is computed for padding.
    """

    def __init__(self, record: ModelRecord, threads: int, device: str = "cpu") -> None:
        assert record.text is not None  # the caller has looked
        self._tower = record.text
        self._name = record.name
        self.spec = EmbedderSpec(
            record.name, record.model_id, _NO_VIEW, record.dim, record.kind, record.reference
        )
        self._tokenizer = _tokenizer(self._tower)
        self._session = open_session(record.name, self._tower.file, device)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of texts of a collection, in order."""
        return self._embed([self._tower.text_prefix + text for text in texts])

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of the words of queries, in order."""
        return self._embed([self._tower.query_prefix + text for text in texts])

    def reach(self, text: str) -> int:
        """Return how many letters of `text`, from the first on, the model reads."""
        prefix = self._tower.text_prefix
        return max(0, self._tokenizer.reach(prefix + text, self._tower.max_tokens) - len(prefix))

    def known_shares(self, texts: Sequence[str]) -> list[float]:
        """Return for each text which share of its words and signs with a meaning the model knows, 0 to 1."""
        return [share(*self._tokenizer.known(text)) for text in texts]

    def _embed(self, texts: list[str]) -> Vectors:
        tokens = [self._tokenizer.encode(text, self._tower.max_tokens) for text in texts]
        batches = [[at] for at in range(len(texts))]
        if not self._tower.one_by_one:
            batches = list(_batches([len(each) for each in tokens]))
        if len(batches) == 1:  # in the caller's own thread: to wake another takes time
            rows = [self._run(tokens)]
            batches = [list(range(len(texts)))]
        else:
            rows = list(self._pool.map(lambda batch: self._run([tokens[at] for at in batch]), batches))
        out = np.empty((len(texts), rows[0].shape[1]), np.float32)
        for batch, some in zip(batches, rows, strict=True):
            out[batch] = some
        return unit_length(out)

    def _run(self, tokens: Sequence[list[int]]) -> npt.NDArray[np.float32]:
        """Return the vectors of one batch, not yet of unit length."""
        longest = self._tower.max_tokens if self._tower.pad_to_max else max(map(len, tokens))
        ids = np.full((len(tokens), longest), self._tower.pad_id, np.int64)
        mask = np.zeros_like(ids)
        for at, each in enumerate(tokens):
            ids[at, : len(each)] = each
            mask[at, : len(each)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._tower.inputs:
            inputs["token_type_ids"] = np.zeros_like(ids)
        if "position_ids" in self._tower.inputs:
            inputs["position_ids"] = np.broadcast_to(np.arange(longest), ids.shape)
        wanted = {name: inputs[name] for name in self._tower.inputs}
        try:
            (output,) = self._session.run([self._tower.output_name], wanted)
        except Exception as error:  # ONNX Runtime has a dozen exception classes without a common base
            raise ModelError(f"model {self._name}: ONNX Runtime failed: {str(error)[:200]}") from error
        return _pooled(np.asarray(output, np.float32), mask, self._tower)


def _pooled(
    output: npt.NDArray[np.float32], mask: npt.NDArray[np.int64], tower: TextTower
) -> npt.NDArray[np.float32]:
    """Turn `(n, tokens, dim)` into `(n, dim)`."""
    pooled = output
    if tower.pooling == "cls":
        pooled = output[:, 0]
    elif tower.pooling == "last":
        pooled = output[np.arange(len(output)), mask.sum(axis=1) - 1]
    elif tower.pooling == "mean":
        weights = mask[:, :, None].astype(np.float32)
        pooled = (output * weights).sum(axis=1) / weights.sum(axis=1)
    return pooled


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield places of texts of like length, together no more than `_TOKENS_PER_CALL` tokens with padding.

    A batch ends with the texts of one length where it has `_TOKENS_ENOUGH`. The longest come first, so that
    no thread is left with a large batch at the end.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    at = 0
    while at < len(order):
        longest = lengths[order[at]]
        last = min(len(order), at + max(1, min(_TEXTS_PER_CALL, _TOKENS_PER_CALL // longest)))
        end = at + 1
        while end < last and (
            lengths[order[end]] == lengths[order[end - 1]] or (end - at) * longest < _TOKENS_ENOUGH
        ):
            end += 1
        yield order[at:end]
        at = end


def _tokenizer(tower: TextTower) -> Tokenizer:
    if tower.tokenizer_kind == "wordpiece":
        return WordPiece(tower.tokenizer.read_bytes())
    from lookalike.embedders.tokens import load_tokenizer  # an optional package

    return load_tokenizer(tower)
