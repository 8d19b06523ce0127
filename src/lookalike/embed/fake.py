"""An embedder for tests: fast, deterministic, and photos that look alike stay alike."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import numpy.typing as npt

from lookalike.embed import EmbedderSpec
from lookalike.embed.vectors import unit_length
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
