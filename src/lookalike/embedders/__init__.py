"""Photos and texts to vectors: an embedder has a spec and one method, or one more for words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lookalike.records import Kind, Vectors, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


COMPANION = "words:"
"""Begins the reference of a companion's space; the reference of the model whose run fills it follows."""


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What an embedder is: its model's name and sha256, what it wants to see, how many numbers it gives."""

    name: str
    model_id: str
    view: View
    dim: int
    kind: Kind = "photo"
    reference: str = ""
    """How the model is found again; see `records.Space`."""


class Embedder(Protocol):
    """Turns decoded photos into vectors. Implementations may be called from several threads."""

    @property
    def spec(self) -> EmbedderSpec:
        """What this embedder is."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return one vector per photo: `pixels` is RGB 0–255 `(n, height, width, 3)`, n ≥ 1.

        Height and width are those of the spec's view.
        """


@runtime_checkable
class WordsEmbedder(Protocol):
    """An embedder that puts the words of a query into the space of its photos or texts."""

    @property
    def spec(self) -> EmbedderSpec:
        """What this embedder is."""

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return one vector per text, n ≥ 1."""


@runtime_checkable
class TextEmbedder(WordsEmbedder, Protocol):
    """Turns texts into vectors; its spec's view means nothing. May be called from several threads."""

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Return one vector per text, n ≥ 1, in order; what is beyond `reach` is not read."""

    def reach(self, text: str) -> int:
        """Return how many of the letters of `text`, from the first on, the model reads at most."""


@runtime_checkable
class PairedEmbedder(Embedder, Protocol):
    """A photo embedder whose one run also gives the vectors of a second space, which takes words."""

    @property
    def companion(self) -> CompanionEmbedder:
        """What fills the second space."""

    def embed_pair(self, pixels: npt.NDArray[np.uint8]) -> tuple[Vectors, Vectors]:
        """Return the vectors of `embed` and those of `companion.embed`, at the cost of the first."""


class CompanionEmbedder(Embedder, WordsEmbedder, Protocol):
    """Puts photos and words into one space."""
