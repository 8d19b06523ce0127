"""The golden vectors of the bundled models: `python tests/embedders/golden.py` writes them anew.

They change only with a model, which changes its sha256 and so refuses old collections.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lookalike.embedders.load import load_embedder
from lookalike.models import bundled_names
from lookalike.records import View

TEXT = "Bring a text; get the most similar ones in your collection."
FILE = Path(__file__).with_name("golden.json")


def picture(size: int) -> np.ndarray:
    """A picture made of waves, the same everywhere: RGB 0 to 255, `(1, size, size, 3)`."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(9 * x + 4 * y), np.cos(7 * y * y + 3 * x), np.sin(25 * (x - 0.5) * (y - 0.5))]
    return np.rint(np.stack(waves, axis=-1) * 120 + 128).astype(np.uint8)[None]


def sheet(view: View) -> np.ndarray:
    """The picture in each size that a view asks for, one below the other."""
    pixels, top = np.zeros((1, *view.shape, 3), np.uint8), 0
    for each in (view, *view.below):
        pixels[:, top : top + each.size, : each.size] = picture(each.size)
        top += each.size
    return pixels


def vectors() -> dict[str, list[float]]:
    """The first twelve numbers of each model's vector of the picture or of the text."""
    made = {}
    for name in bundled_names():
        embedder = load_embedder(name, threads=1)
        if embedder.spec.kind == "text":
            row = embedder.embed_texts([TEXT])[0]
        else:
            row = embedder.embed(sheet(embedder.spec.view))[0]
        made[name] = [round(float(number), 6) for number in row[:12]]
    return made


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
