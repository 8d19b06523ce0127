"""What every test may use: shared data, synthetic photos and a collection that needs no model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from object_store import S3Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MakePhoto = Callable[..., Path]
_LAUNCH = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data; tests that need it are skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LOOKALIKE_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder} (LOOKALIKE_DATA names another place)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_user_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep models and agreements of these tests apart from the user's own."""
    folder = tmp_path_factory.mktemp("user-data")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOOKALIKE_MODELS", str(folder / "models"))
        environment.setenv("LOOKALIKE_TRUSTED", str(folder / "trusted-models.json"))
        yield


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


@pytest.fixture(scope="module")  # while Playwright runs, no other event loop can in its thread
def browser() -> Iterator[Browser]:
    """Chromium: the one that LOOKALIKE_CHROMIUM names, or the system's, or Playwright's own."""
    from playwright.sync_api import sync_playwright  # few tests need it

    path = (
        os.environ.get("LOOKALIKE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    with sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.fail("no Chromium for the tests of the page: install it, or name it in LOOKALIKE_CHROMIUM")
        running = playwright.chromium.launch(executable_path=path, args=_LAUNCH)
        yield running
        running.close()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Moto's S3 server, for the whole run."""
    server = S3Server(tmp_path_factory.mktemp("s3") / "log").start()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, with the environment that points at it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server
