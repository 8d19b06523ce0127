"""Words find photos without a model that was trained on both: convex combination of semantic embeddings.

A classifier says how likely each of 1,000 named classes is; weighted so, the text vectors of the names give a
vector of the photo in the space of texts (Norouzi et al. 2013, "Zero-Shot Learning by Convex Combination of
Semantic Embeddings"). What all names have in common is taken off names and queries alike.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lookalike.embedders import COMPANION, EmbedderSpec, PairedEmbedder, TextEmbedder
from lookalike.embedders.known import known_shares
from lookalike.embedders.vectors import unit_length
from lookalike.errors import ModelError
from lookalike.models.words import ClassNames
from lookalike.records import Vectors

_CLASSES_PER_PRODUCT = 20  # of 1,000; with _PHOTOS_PER_PRODUCT within what OpenBLAS does in one thread
_PHOTOS_PER_PRODUCT = 32


class ConseEmbedder:
    """Puts photos and words into the space of the text model; that is loaded when words come."""

    def __init__(self, photos: PairedEmbedder, names: ClassNames, texts: Callable[[], TextEmbedder]) -> None:
        self._photos = photos
        self._names = names
        self._texts = texts
        self._mean, vectors = names.vectors()
        self._vectors = vectors.reshape(-1, _CLASSES_PER_PRODUCT, vectors.shape[1])
        self._lock = threading.Lock()
        self._text_embedder: TextEmbedder | None = None
        own = photos.spec
        made_by = (own.model_id, names.file.sha256, names.text_model_id, names.template, names.temperature)
        recipe = " ".join(map(str, made_by))
        self.spec = EmbedderSpec(
            f"{own.name}-words",
            hashlib.sha256(recipe.encode()).hexdigest(),
            own.view,
            len(self._mean),
            "photo",
            COMPANION + own.reference,
        )

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of RGB `pixels` `(n, height, width, 3)`."""
        return self._photos.embed_pair(pixels)[1]

    def of_scores(self, scores: npt.NDArray[np.float32]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of class scores `(n, classes)` before the softmax."""
        likely = np.exp((scores - scores.max(axis=1, keepdims=True)) / self._names.temperature)
        parts = range(0, len(likely), _PHOTOS_PER_PRODUCT)
        return unit_length(np.concatenate([self._sum(likely[at : at + _PHOTOS_PER_PRODUCT]) for at in parts]))

    def _sum(self, likely: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the sums of the names' vectors, weighted by each photo's classes.

        As many small products: a large one takes OpenBLAS' own threads, which wait for each other a hundred
        times as long as they work while the cores decode and embed.
        """
        weights = likely.reshape(len(likely), -1, _CLASSES_PER_PRODUCT).transpose(1, 0, 2)
        sums: npt.NDArray[np.float32] = (weights @ self._vectors).sum(axis=0)
        return sums

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of words."""
        texts = [self._names.template.format(text) for text in texts]
        return unit_length(self._words().embed_texts(texts) - self._mean)

    def known_shares(self, texts: Sequence[str]) -> list[float]:
        """See `known.TellsKnown`."""
        return known_shares(self._words(), texts)

    def _words(self) -> TextEmbedder:
        """Return what embeds words; raises `ModelError` for another model than that of the class names."""
        with self._lock:
            if self._text_embedder is None:
                embedder = self._texts()
                if embedder.spec.model_id != self._names.text_model_id:
                    raise ModelError(
                        f"the class names come from another {self._names.text_model}; install lookalike anew"
                    )
                self._text_embedder = embedder
            return self._text_embedder
