"""A real `lookalike serve` over real photos, and a browser that reports whatever goes wrong on the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import Faults, NewPage
from page_server import PageServer
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from lookalike import Collection

CLASSES = ("panda", "pizza", "starfish", "sunflower", "grand_piano", "cup")
HACK = "window.hacked=1"
HOSTILE_NAMES = (
    f"<img src=x onerror={HACK}>.jpg",
    f'"><script>{HACK}.jpg',
    "\u202egpj.exe\u2066.jpg",
    f"{'a very long name ' * 14}.jpg",
)
HOSTILE_CAMERA = f'"><script>{HACK}</script><img src=x onerror={HACK}>'


@pytest.fixture(scope="session")
def photo_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 120 photos: some classes, edits of one photo, EXIF orientations, dated ones, hostile names."""
    folder = tmp_path_factory.mktemp("page") / "photos"
    for name in CLASSES:
        _copy(sorted((shared_data / "caltech50" / name).iterdir())[:9], folder / name)
    _copy(sorted((shared_data / "neardup" / "edits").iterdir()), folder / "edits")
    _copy(sorted((shared_data / "exif").glob("*.jpg")), folder / "exif")
    street = sorted((shared_data / "coco256" / "images").iterdir())
    _copy(street[:30], folder / "street")
    for at, photo in enumerate(street[30:34]):
        _dated(
            photo,
            folder / "dated" / f"dated{at}.jpg",
            2004 if at < 2 else 2019,
            "Canon A70" if at < 2 else "Pixel 3a",
        )
    for photo, name in zip(street[34:38], HOSTILE_NAMES, strict=True):
        _dated(photo, folder / f"<svg onload={HACK}>" / name, 2011, HOSTILE_CAMERA)
    return folder


def _copy(photos: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for photo in photos:
        shutil.copy(photo, folder)


def _dated(photo: Path, to: Path, year: int, camera: str) -> None:
    """Copy a photo with a date, a camera and a place in its EXIF."""
    to.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0110] = camera
    exif.get_ifd(0x8769)[0x9003] = f"{year}:07:14 18:03:11"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 6.0, 0.0), 3: "E", 4: (4.0, 18.0, 0.0)})
    with Image.open(photo) as picture:
        picture.convert("RGB").save(to, exif=exif)


@pytest.fixture(scope="session")
def collection_path(photo_folder: Path) -> Path:
    """The collection of those photos, with the bundled model."""
    path = photo_folder.parent / "photos.lookalike"
    with Collection(path) as collection:
        report = collection.add(photo_folder)
    assert not report.skipped
    return path


@pytest.fixture(scope="session")
def server(collection_path: Path) -> Iterator[PageServer]:
    """The server of most tests."""
    with PageServer(collection_path) as running:
        yield running


@pytest.fixture
def faults() -> Iterator[Faults]:
    """What went wrong on the page: nothing may be left at the end of any test."""
    faults = Faults()
    yield faults
    assert faults.seen == []


@pytest.fixture
def new_page(browser: Browser, server: PageServer, faults: Faults) -> Iterator[NewPage]:
    """Open a page in a context of its own; keyword arguments are the context's."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> Page:
        contexts.append(_context(browser, server, **options))
        return _watched(contexts[-1], faults)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def context(browser: Browser, server: PageServer) -> BrowserContext:
    """One for most tests, as its cache spares the server from making thumbnails again and again."""
    return _context(browser, server)


@pytest.fixture
def page(context: BrowserContext, faults: Faults) -> Iterator[Page]:
    """A page of a desktop's size, not yet at any address."""
    page = _watched(context, faults)
    yield page
    page.close()


def _context(browser: Browser, server: PageServer, **options: object) -> BrowserContext:
    given = {"viewport": {"width": 1280, "height": 800}, "base_url": server.address, **options}
    context = browser.new_context(**given)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    return context


def _watched(context: BrowserContext, faults: Faults) -> Page:
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and faults.seen.append(message.text))
    page.on("pageerror", lambda error: faults.seen.append(str(error)))
    page.on("dialog", lambda dialog: (faults.seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
    return page
