"""A cluster for all tests of a file, and photos that are real and distinct."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers_cluster import TwoNodes  # noqa: E402


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[TwoNodes]:
    """Two nodes of two logical processors each."""
    with TwoNodes() as cluster:
        yield cluster


@pytest.fixture
def real_photos(tmp_path: Path, shared_data: Path) -> Callable[[int], Path]:
    """Make a folder of so many distinct photos: a number follows each JPEG's end mark."""

    def make(count: int, name: str = "photos") -> Path:
        originals = sorted((shared_data / "coco256" / "images").glob("*.jpg"))
        folder = tmp_path / name
        folder.mkdir()
        for number in range(count):
            content = originals[number % len(originals)].read_bytes()
            (folder / f"{number:04}.jpg").write_bytes(content + b"%08d" % number)
        return folder

    return make
