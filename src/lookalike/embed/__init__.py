"""Pixels to vectors: an embedder has a spec and one method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lookalike.records import Vectors, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What an embedder is: its model's name and sha256, what it wants to see, how many numbers it gives."""

    name: str
    model_id: str
    view: View
    dim: int


class Embedder(Protocol):
    """Turns decoded photos into vectors. Implementations may be called from several threads."""

    @property
    def spec(self) -> EmbedderSpec:
        """What this embedder is."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return one vector per photo: `pixels` is RGB 0–255 of shape `(n, size, size, 3)`, n ≥ 1."""


@runtime_checkable
class WordsEmbedder(Embedder, Protocol):
    """An embedder that puts words into the space of its photos."""

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return one vector per text, n ≥ 1."""
