"""Write the pictures of the page that the documentation shows, to docs/images.

    python tools/screenshots.py

Shown are only photos under a free licence, from packages on PyPI: those of scikit-image (CC0 or public
domain), of Nikola's sample gallery (public domain), and of scikit-learn (CC BY 2.0: china.jpg by
danielbuechele, flower.jpg by vultilion). Needs Playwright and a Chromium: the one on the path, or what
LOOKALIKE_CHROMIUM names.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageEnhance
from playwright.sync_api import Browser, Page, sync_playwright

from lookalike import Collection
from lookalike.datasets.pypi_photos import WHEELS, fetch_pypi_photos

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FREE = ("scikit_image", "nikola", "scikit_learn")
LEFT_OUT = ("brick", "gravel", "ihc", "page", "retina", "text")  # of scikit-image: not what people photograph
COPIED = ("nikola-tesla4_lg.jpg", "scikit_image-chelsea.png")  # near copies are made of these
LARGEST = 300_000  # bytes of a picture
QUALITY = 84  # of WebP
PAIR = ("fast", "better")
QUESTIONS = {
    "delivery": (
        "When will my parcel arrive?",
        "The parcel has not arrived yet",
        "My parcel hasn't arrived, where is it?",
        "Tracking shows no change for a week",
        "The courier left the box at a wrong address",
        "Can I have it delivered on Saturday?",
    ),
    "returns": (
        "How do I send something back?",
        "The shoes are too small, can I exchange them?",
        "When do I get my money back?",
        "The lamp arrived broken",
    ),
    "payment": (
        "My card was declined",
        "I was charged twice",
        "Can I pay by invoice?",
        "The voucher does not work",
    ),
    "account": ("I forgot my password", "How do I change my address?", "Please delete my account"),
}


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        fetch_pypi_photos(photos, wheels=[wheel for wheel in WHEELS if wheel.package in FREE])
        for name in LEFT_OUT:
            next(photos.glob(f"scikit_image-{name}.*")).unlink()
        _make_near_copies(photos)
        path = Path(folder) / "photos.lookalike"
        with Collection(path) as collection:
            collection.add(photos)
            ids = {Path(item.uri).name: item.id for item in collection.items()}
        with Collection(path) as collection:
            collection.add_model(PAIR[1])
            collection.copies()
        texts = _texts(Path(folder))
        with sync_playwright() as playwright:
            chromium = os.environ.get("LOOKALIKE_CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            with _serving(path, "--ab", *PAIR) as address:
                _shoot_rating(browser, address)
            _shoot_report(browser, path, Path(folder) / "report.html")
            with _serving(path) as address:
                _shoot(browser, address, ids)
                _shoot_copies(browser, address)
            with _serving(texts) as address:
                _shoot_texts(browser, address)
            browser.close()


def _make_near_copies(photos: Path) -> None:
    """Add a crop, a smaller and a brighter copy of some photos, as people have them."""
    for name in COPIED:
        with Image.open(photos / name) as photo:
            rgb = photo.convert("RGB")
        stem = Path(name).stem
        left, top = rgb.width // 4, rgb.height // 5
        rgb.crop((left, top, 3 * left, 4 * top)).save(photos / f"{stem}-crop.jpg")
        rgb.resize((rgb.width // 2, rgb.height // 2)).save(photos / f"{stem}-small.jpg")
        ImageEnhance.Brightness(rgb).enhance(1.15).save(photos / f"{stem}-bright.jpg")


def _texts(folder: Path) -> Path:
    """Return a collection of a few questions."""
    rows = [("text", "topic"), *((text, topic) for topic, some in QUESTIONS.items() for text in some)]
    with (folder / "questions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    with Collection(folder / "questions.lookalike") as collection:
        collection.add(folder / "questions.csv", column="text")
    return folder / "questions.lookalike"


@contextmanager
def _serving(collection: Path, *options: str) -> Iterator[str]:
    """Serve a collection, and give the address."""
    command = [
        sys.executable,
        "-m",
        "lookalike",
        "serve",
        "-c",
        str(collection),
        "--no-browser",
        "--port",
        "0",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].rstrip("/")
        finally:
            process.terminate()


def _shoot(browser: Browser, address: str, ids: dict[str, int]) -> None:
    tesla, cat, coffee = (
        ids[name] for name in ("nikola-tesla2_lg.jpg", "scikit_image-chelsea.png", "scikit_image-coffee.png")
    )
    wide = _open(browser, f"{address}/#e=1:item:{tesla}", viewport={"width": 1280, "height": 800})
    wide.hover(".grid-cell >> nth=1")
    _save(wide, "page-wide")
    dark = _open(
        browser,
        f"{address}/#e=1@0.3,0.1,0.45,0.7:item:{cat}&e=-0.5:item:{coffee}",
        viewport={"width": 1280, "height": 800},
        color_scheme="dark",
    )
    _save(dark, "page-dark")
    phone = _open(
        browser,
        f"{address}/#e=1:item:{tesla}",
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    _save(phone, "page-phone")


def _shoot_texts(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/#e=1:words:the%20parcel%20has%20not%20arrived")
    page.wait_for_selector(".grid-text mark")
    page.wait_for_timeout(300)
    _save(page, "texts")


def _shoot_rating(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/rate")
    page.wait_for_selector("#candidate img")
    page.wait_for_function("() => [...document.images].every((img) => img.complete)")
    _save(page, "rate")


def _shoot_copies(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/copies")
    page.wait_for_selector("#copy .top")
    page.keyboard.press("]")  # the crop, at its place in the whole photo
    page.wait_for_function("() => [...document.querySelectorAll('.stage img')].every((img) => img.complete)")
    _save(page, "copies")


def _shoot_report(browser: Browser, collection: Path, report: Path) -> None:
    command = [sys.executable, "-m", "lookalike", "evaluate", "compare", *PAIR, "-c", str(collection)]
    subprocess.run([*command, "--report", str(report)], check=True, stdout=subprocess.DEVNULL)
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    page.goto(report.as_uri())
    _save(page, "report")


def _open(browser: Browser, address: str, **options: object) -> Page:
    """Open the page, and wait until all that is on the screen is there."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector("#grid[aria-busy=false] img")
    page.wait_for_function("() => [...document.images].every((img) => img.complete || !img.src)")
    page.wait_for_timeout(300)
    return page


def _save(page: Page, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    to = IMAGES / f"{name}.webp"
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(to, quality=QUALITY, method=6)
    size = to.stat().st_size
    assert size <= LARGEST, f"{to} has {size:,} bytes"
    print(f"{to}: {size:,} bytes")


if __name__ == "__main__":
    main()
