"""A model with a tower for photos and one for words, which share one space."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.errors import ModelError

if TYPE_CHECKING:
    from lookalike.embedders.texts import OnnxTextEmbedder
    from lookalike.models import ModelRecord
    from lookalike.records import Vectors


class TwoTowerEmbedder(OnnxEmbedder):
    """Embeds photos, and the words of a query into the same space.

    The text tower, often the larger one, is opened when the first words come.
    """

    def __init__(self, record: ModelRecord, threads: int, device: str = "cpu") -> None:
        super().__init__(record, threads, device)
        self._record = record
        self._device = device
        self._texts: OnnxTextEmbedder | None = None
        self._lock = threading.Lock()

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return one vector per text, n ≥ 1; raises `ModelError` where the two towers do not fit."""
        rows = self._words().embed_words(texts)
        if rows.shape[1] != self.spec.dim:
            raise ModelError(
                f"model {self.spec.name}: words become {rows.shape[1]} numbers, photos {self.spec.dim}"
            )
        return rows

    def known_shares(self, texts: Sequence[str]) -> list[float]:
        """See `known.TellsKnown`."""
        return self._words().known_shares(texts)

    def _words(self) -> OnnxTextEmbedder:
        with self._lock:
            if self._texts is None:
                from lookalike.embedders.texts import OnnxTextEmbedder  # photos do not need it

                self._texts = OnnxTextEmbedder(self._record, self.batches.threads, self._device)
            return self._texts
