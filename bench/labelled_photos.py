"""Folders of labelled photos: reading them as a model wants, and how well vectors bring likes together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LOOKALIKE_DATA", ROOT.parent / "shared" / "data"))
SETS = ("caltech50", "clothing")


@dataclass(frozen=True)
class View:
    """How a photo becomes a square of `size` pixels that shows `fraction` of its short side."""

    size: int
    fraction: float = 1.0
    resample: str = "hamming"
    squash: bool = False


@dataclass(frozen=True)
class Quality:
    """Mean average precision and precision at 10 and at 1, over every photo as a query against all others."""

    mean_average: float
    at_10: float
    first: float


def list_photos(folder: Path) -> tuple[list[Path], NDArray[np.str_]]:
    """Return the photos under `folder` and their labels, the names of the folders they lie in."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return paths, np.array([path.parent.name for path in paths])


def read_photos(paths: list[Path], view: View) -> NDArray[np.uint8]:
    """Return the photos upright, as uint8 RGB `(n, size, size, 3)`."""
    return np.stack([_read_photo(path, view) for path in paths])


def _read_photo(path: Path, view: View) -> NDArray[np.uint8]:
    with Image.open(path) as photo:
        shortest = round(view.size / view.fraction)
        photo.draft("RGB", (shortest, shortest))
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    side = min(upright.size) * view.fraction
    left, top = (upright.width - side) / 2, (upright.height - side) / 2
    box = None if view.squash else (left, top, left + side, top + side)
    resample = Image.Resampling[view.resample.upper()]
    return np.asarray(upright.resize((view.size, view.size), resample, box, reducing_gap=3.0))


def measure(vectors: NDArray[np.float32], labels: NDArray[np.str_]) -> Quality:
    """Return how well the cosine of `vectors` ranks photos of the same label first."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
    hits = labels[ranked] == labels[:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    return Quality(float(average.mean()), float(hits[:, :10].mean()), float(hits[:, 0].mean()))
