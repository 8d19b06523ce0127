"""An embedder for tests: fast, deterministic, and photos that look alike stay alike."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt

from lookalike.embedders import COMPANION, EmbedderSpec
from lookalike.embedders.vectors import unit_length
from lookalike.records import Vectors, View


class FakeEmbedder:
    """Averages the photo over a 4 × 4 grid and turns the 48 numbers by a fixed random projection."""

    def __init__(self, dim: int = 32, size: int = 32, name: str = "fake") -> None:
        model_id = hashlib.sha256(f"{name} {dim} {size}".encode()).hexdigest()
        self.spec = EmbedderSpec(name, model_id, View(size, resample="BOX"), dim)
        self._projection = np.random.default_rng(7).standard_normal((48, dim), dtype=np.float32)

    def embed(self, pixels: npt.NDArray[np.uint8]) -> Vectors:
        """Return unit-length vectors `(n, dim)` of RGB `pixels` `(n, size, size, 3)`."""
        n, size = len(pixels), self.spec.view.size
        grid = pixels.reshape(n, 4, size // 4, 4, size // 4, 3).mean(axis=(2, 4), dtype=np.float32)
        # One by one: a matrix product may round otherwise for another number of rows.
        return unit_length(np.stack([row @ self._projection for row in grid.reshape(n, 48) - 127.5]))


_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}


class FakeWordsEmbedder(FakeEmbedder):
    """A fake that also knows the words for some plain colours; texts without one are grey."""

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return unit-length vectors `(n, dim)`: those of photos of the colours named."""
        size = self.spec.view.size
        pixels = np.empty((len(texts), size, size, 3), np.uint8)
        for at, text in enumerate(texts):
            named = [_COLOURS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _COLOURS]
            pixels[at] = np.mean(named, axis=0) if named else 128
        return self.embed(pixels)


class FakePairedEmbedder(FakeEmbedder):
    """A fake whose run also fills a second space, which takes words for plain colours."""

    def __init__(self, dim: int = 32, size: int = 32, name: str = "fake") -> None:
        super().__init__(dim, size, name)
        words = FakeWordsEmbedder(dim=12, size=size, name=f"{name}-words")
        words.spec = replace(words.spec, reference=COMPANION + name)
        self.spec = replace(self.spec, reference=name)
        self.companion = words

    def embed_pair(self, pixels: npt.NDArray[np.uint8]) -> tuple[Vectors, Vectors]:
        """Return the vectors of both spaces."""
        return self.embed(pixels), self.companion.embed(pixels)


class FakeTextEmbedder:
    """Adds up a fixed random direction for each word, so that texts which share words are near.

    It reads `words` words of a text; `name` and `dim` tell it from others.
    """

    def __init__(self, dim: int = 32, words: int = 40, name: str = "fake-texts") -> None:
        model_id = hashlib.sha256(f"{name} {dim} {words}".encode()).hexdigest()
        self.spec = EmbedderSpec(name, model_id, View(1), dim, kind="text", reference=name)
        self._words = words

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Return unit-length vectors `(n, dim)`."""
        return unit_length(np.stack([self._row(text) for text in texts]))

    def embed_words(self, texts: list[str]) -> Vectors:
        """Return the vectors that texts of these words have."""
        return self.embed_texts(texts)

    def reach(self, text: str) -> int:
        """Return where the last word ends that is read, or the length of a text that is read whole."""
        words = list(islice(_WORD.finditer(text), self._words + 1))
        return words[-2].end() if len(words) > self._words else len(text)

    def _row(self, text: str) -> npt.NDArray[np.float32]:
        row = np.full(self.spec.dim, 1e-3, np.float32)  # also without a word it has a direction
        for word in _WORD.findall(text.lower())[: self._words]:
            row += _direction(word, self.spec.dim)
        return row


_WORD = re.compile(r"\w+")


@lru_cache(10_000)
def _direction(word: str, dim: int) -> npt.NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(dim, dtype=np.float32)
