"""What every test may use: shared data, synthetic photos and a collection that needs no model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embed.fake import FakeEmbedder

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data; tests that need it are skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LOOKALIKE_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder} (LOOKALIKE_DATA names another place)")
    return folder


@pytest.fixture(scope="session")
def make_photo() -> MakePhoto:
    """Write the photo of a seed: smooth colours, distinct from those of other seeds to any model."""

    def make(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> Path:
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
        return path

    return make


@pytest.fixture
def fake_collection(tmp_path: Path) -> Iterator[Collection]:
    """An empty collection whose vectors come from `FakeEmbedder`."""
    with Collection(tmp_path / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        yield collection
