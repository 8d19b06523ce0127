from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.records import Photo, Skipped, View

VIEW = View(64)
Read = Callable[..., Photo | Skipped]


@pytest.fixture(scope="session")
def pool() -> Iterator[DecodePool]:
    """One worker for all tests that do not harm it."""
    with DecodePool(workers=1) as pool:
        yield pool


@pytest.fixture
def read(pool: DecodePool) -> Read:
    """Read one file through a worker."""

    def read(path: Path, view: View = VIEW) -> Photo | Skipped:
        return pool.photo(PhotoRequest(str(path), str(path), view))

    return read


@pytest.fixture
def worker_processes() -> Callable[[], list[psutil.Process]]:
    """Those decode workers of this process that a test has started itself."""
    before = set(_workers())
    return lambda: [each for each in _workers() if each not in before]


def _workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # gone since
            if "decode.serve" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture(scope="session")
def huge_png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound PNG of 240 megapixels in 0.2 MB: a second of decoding and 240 MB of memory."""
    from pictures import write_grey_png

    return write_grey_png(tmp_path_factory.mktemp("huge") / "huge.png", 16_000, 15_000)
