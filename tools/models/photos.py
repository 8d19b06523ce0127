"""The calibration photos: pictures that pinned packages carry, in seeded crops, some of them mirrored."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.sources import open_wheel, read_lines

LIST = Path(__file__).with_name("photos.txt")
VIEWS = 5
SEED = 0


def calibration_pixels(wheels: Path, size: int) -> NDArray[np.uint8]:
    """Return the views of all photos, uint8 `(n, size, size, 3)`.

    The first view of a photo is its centre square; the others are random squares, half of them mirrored.
    """
    random = np.random.default_rng(SEED)
    views = []
    for line in read_lines(LIST):
        photo = _read_photo(wheels, *line.split(" "))
        width, height = photo.size
        short = min(photo.size)
        views.append(_square(photo, (width - short) / 2, (height - short) / 2, short, size))
        for _ in range(VIEWS - 1):
            side = short * random.uniform(0.5, 1.0)
            left, top = random.uniform(0, width - side), random.uniform(0, height - side)
            view = _square(photo, left, top, side, size)
            views.append(view[:, ::-1] if random.random() < 0.5 else view)
    return np.stack(views)


def _read_photo(wheels: Path, package: str, name: str) -> Image.Image:
    with open_wheel(wheels, package) as wheel, Image.open(io.BytesIO(wheel.read(name))) as photo:
        return photo.convert("RGB")


def _square(photo: Image.Image, left: float, top: float, side: float, size: int) -> NDArray[np.uint8]:
    box = (left, top, left + side, top + side)
    return np.asarray(photo.resize((size, size), Image.Resampling.HAMMING, box))
