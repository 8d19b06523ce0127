"""Fixtures of the tests of the store and of reading; a test module names them in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import Watched


@pytest.fixture
def photos(tmp_path: Path, make_photo: Callable[..., Path]) -> Path:
    """Six photos: 0.png … 5.png."""
    folder = tmp_path / "photos"
    for seed in range(6):
        make_photo(folder / f"{seed}.png", seed)
    return folder


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A new collection whose reading and embedding is counted."""
    watched = Watched(tmp_path / "photos.lookalike")
    yield watched
    watched.collection.close()
