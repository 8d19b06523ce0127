"""Pictures to compare, and photos ready to be compared."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from lookalike.matching.features import extract
from lookalike.matching.hashes import hash_bits, perceptual_hashes
from lookalike.matching.verify import Looked


def textured(seed: int, width: int = 400, height: int = 300) -> Image.Image:
    """A picture with detail of all sizes and colours, unlike that of any other seed."""
    random = np.random.default_rng(seed)
    mixed = np.full((height, width, 3), 128.0)
    for cells, weight in ((3, 30), (8, 30), (20, 30), (50, 30), (100, 25)):
        coarse = random.uniform(-1, 1, (max(2, cells * height // width), cells, 3))
        layer = Image.fromarray(((coarse + 1) * 127.5).astype(np.uint8))
        fine = np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        mixed += (fine / 127.5 - 1) * weight
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def saved(photo: Image.Image, quality: int = 85) -> Image.Image:
    """The photo as it comes back from a JPEG."""
    kept = io.BytesIO()
    photo.convert("RGB").save(kept, "JPEG", quality=quality)
    return Image.open(io.BytesIO(kept.getvalue())).convert("RGB")


def looked(photo: Image.Image) -> Looked:
    """A photo as a collection compares it: its features, and the hash that was made when it was read."""
    photo = photo.convert("RGB")
    small = np.asarray(photo.convert("L").resize((64, 64), Image.Resampling.BOX))
    (made,) = perceptual_hashes([small])
    return Looked.of(extract(np.asarray(photo)), None if made is None else hash_bits([made]))


def mapped(matrix: tuple[float, ...], x: float, y: float) -> tuple[float, float]:
    """Where a CSS matrix `a b c d e f` puts a place."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
