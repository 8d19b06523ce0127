"""The widget in a real JupyterLab, in a real browser, over real photos."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lab_server import LabServer
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from lookalike import Collection, SearchOptions

pytestmark = pytest.mark.slow

K = 24
CLASSES = ("panda", "pizza", "starfish", "sunflower", "cup")
HOSTILE = "<img src=x onerror=window.hacked=1>.jpg"
FIRST_CELL = "import lookalike.notebook\nfrom lookalike import Collection\nphotos = Collection({path!r})"
SECOND_CELL = f"browser = lookalike.notebook.browse(photos, k={K})\nbrowser"
THIRD_CELL = "print(f'asked {browser.query}, shown {len(browser.hits)}')"
STARTS_SLOWLY = 60_000  # ms, on a machine that is busy with other tests

ALL_LOADED = """() => {
  const all = document.querySelectorAll(".grid-pick:not(.is-broken) img, figure:not(.is-broken) img");
  return [...all].every((img) => img.src && img.complete && img.naturalWidth);
}"""
DROP = """ (el, [bytes, address]) => {
  const dataTransfer = new DataTransfer();
  if (bytes) dataTransfer.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
  if (address) dataTransfer.setData("text/uri-list", address);
  for (const name of ["dragover", "drop"]) {
    el.dispatchEvent(new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer }));
  }
}"""
PASTE = """(el, bytes) => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", { type: "image/jpeg" }));
  el.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData }));
}"""


@pytest.fixture(scope="module")
def photos(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """About 100 photos: some classes, edits of one photo, street scenes, a hostile name."""
    folder = tmp_path_factory.mktemp("lab-photos")
    for name in CLASSES:
        (folder / "in" / name).mkdir(parents=True)
        for photo in sorted((shared_data / "caltech50" / name).iterdir())[:8]:
            shutil.copy(photo, folder / "in" / name)
    shutil.copytree(shared_data / "neardup" / "edits", folder / "in" / "edits")
    street = sorted((shared_data / "coco256" / "images").iterdir())
    for photo in street[:50]:
        shutil.copy(photo, folder / "in")
    shutil.copy(street[50], folder / "in" / HOSTILE)
    with Collection(folder / "photos.lookalike") as collection:
        assert not collection.add(folder / "in").skipped
        yield collection


@pytest.fixture(scope="module")
def page(photos: Collection, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A notebook that was run and shows the widget; nothing may go wrong in it."""
    wrong: list[str] = []
    with LabServer(tmp_path_factory.mktemp("lab")) as lab:
        address = lab.write("browse.ipynb", FIRST_CELL.format(path=str(photos.path)), SECOND_CELL, THIRD_CELL)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.goto(address)
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=STARTS_SLOWLY)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        expect(page.locator(".lookalike .grid-pick img[src]").first).to_be_visible(timeout=STARTS_SLOWLY)
        yield page
        page.close()
    assert [
        text for text in wrong if "Failed to load resource" not in text
    ] == []  # JupyterLab misses an extension


@pytest.fixture
def widget(page: Page) -> Iterator[Locator]:
    """The widget, whatever was done with it before."""
    widget = page.locator(".lookalike").first
    settle(widget)
    yield widget
    assert page.evaluate("window.hacked") is None


def settle(widget: Locator) -> None:
    """Wait until an answer is shown, and every picture that was asked for."""
    expect(widget.locator(".lookalike-photos")).to_have_attribute("aria-busy", "false")
    expect(widget.locator(".grid-pick img").first).to_be_visible()
    widget.page.wait_for_function(ALL_LOADED)


def shown(widget: Locator) -> list[int]:
    """The ids of the photos in the grid, in order; near copies are folded."""
    cells = widget.locator(".grid-cell")
    ids: list[int] = cells.evaluate_all("(cells) => cells.map((cell) => Number(cell.dataset.id))")
    return ids


def expect_hits(widget: Locator, photos: Collection, query: int | bytes) -> None:
    """The widget shows what the collection answers."""
    (result,) = photos.answer([query], SearchOptions(K, mark_copies=True, background=True))
    leaders = [hit.id for hit in result if hit.copy_of is None]
    expect(widget.locator(".grid-cell").first).to_have_attribute("data-id", str(leaders[0]))
    settle(widget)
    assert shown(widget)[: len(leaders)] == leaders


def name_of(photos: Collection, item: int) -> str:
    return Path(photos.item(item).uri).name


def item_named(photos: Collection, name: str) -> int:
    return next(item.id for item in photos.items(limit=1000) if Path(item.uri).name == name)


def search_by(widget: Locator, at: int) -> int:
    """Click the photo in that place of the grid; returns its id."""
    item = shown(widget)[at]
    widget.locator(f'.grid-cell[data-id="{item}"] .grid-pick').click()
    return item


def test_it_shows_the_collection_with_thumbnails(widget: Locator, photos: Collection) -> None:
    expect(widget.locator(".lookalike-status")).to_have_text(f"Your photos: {K} shown.")
    expect(widget.get_by_role("button", name="Back")).to_be_disabled()
    assert shown(widget)[:K] == [item.id for item in photos.items(limit=K)]
    widths = widget.locator(".grid-pick img[src^=blob]").evaluate_all(
        "(all) => all.map((img) => img.naturalWidth)"
    )
    assert len(widths) >= 6
    assert min(widths) > 50


def test_click_a_hit_and_go_on_from_there_and_back(widget: Locator, photos: Collection) -> None:
    one = search_by(widget, 2)

    expect(widget.locator("figcaption")).to_have_text(name_of(photos, one))
    expect_hits(widget, photos, one)
    other = search_by(widget, 3)
    expect(widget.locator("figcaption")).to_have_text(name_of(photos, other))
    expect_hits(widget, photos, other)

    widget.get_by_role("button", name="Back").click()

    expect(widget.locator("figcaption")).to_have_text(name_of(photos, one))
    expect_hits(widget, photos, one)


def test_python_goes_on_with_what_is_shown(widget: Locator, photos: Collection, page: Page) -> None:
    item = search_by(widget, 1)
    expect_hits(widget, photos, item)

    page.locator(".jp-Cell").nth(2).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")

    expect(page.locator(".jp-Cell").nth(2)).to_contain_text(re.compile(rf"asked {item}, shown \d\d"))


def test_random(widget: Locator, photos: Collection) -> None:
    seen = set()
    for _ in range(4):
        widget.get_by_role("button", name="Random").click()
        settle(widget)
        expect(widget.get_by_role("alert")).to_be_empty()
        seen.add((widget.locator("figcaption").inner_text(), *shown(widget)[:5]))

    assert len(seen) > 1
    assert {name for name, *_ in seen} <= {Path(item.uri).name for item in photos.items(limit=1000)}


def test_choose_a_photo(widget: Locator, photos: Collection) -> None:
    photo = Path(photos.item(item_named(photos, "high-contrast.jpg")).uri)

    widget.get_by_label("Choose a photo").set_input_files(photo)

    expect(widget.locator("figcaption")).to_have_text("high-contrast.jpg")
    expect_hits(widget, photos, photo.read_bytes())
    fold = widget.locator(".grid-fold").first
    before = len(shown(widget))
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    assert len(shown(widget)) > before
    expect(widget.get_by_text("Nothing more of this kind beyond here")).to_be_attached()


def test_a_photo_larger_than_one_message_may_be(widget: Locator, photos: Collection, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2100, 2100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png", compress_level=0)
    assert (tmp_path / "noise.png").stat().st_size > 13_000_000

    widget.get_by_label("Choose a photo").set_input_files(tmp_path / "noise.png")

    expect(widget.locator("figcaption")).to_have_text("noise.png", timeout=STARTS_SLOWLY)
    expect_hits(widget, photos, (tmp_path / "noise.png").read_bytes())


def test_what_cannot_be_searched_by_is_said(widget: Locator, tmp_path: Path) -> None:
    before = shown(widget)
    (tmp_path / "letter.jpg").write_text("Dear all", encoding="utf-8")
    (tmp_path / "huge.jpg").write_bytes(bytes(20_000_001))
    for file, words in {
        "letter.jpg": "cannot search by",
        "huge.jpg": "huge.jpg is too large: 20 MB are the most",
    }.items():
        widget.get_by_label("Choose a photo").set_input_files(tmp_path / file)
        expect(widget.get_by_role("alert")).to_contain_text(words)

    text = widget.get_by_role("searchbox", name="Address of a picture")
    text.fill("http://127.0.0.1/secret.jpg")
    text.press("Enter")
    expect(widget.get_by_role("alert")).to_contain_text("must be a public http(s) address")
    text.fill("")

    assert shown(widget) == before
    search_by(widget, 0)
    expect(widget.get_by_role("alert")).to_be_empty()


def test_drop_and_paste(widget: Locator, photos: Collection) -> None:
    one, other = (item_named(photos, name) for name in ("blur-a-lot.jpg", "shrink-a-lot.jpg"))

    widget.evaluate(DROP, [list(Path(photos.item(one).uri).read_bytes()), None])
    expect(widget.locator("figcaption")).to_have_text("dropped.jpg")
    expect_hits(widget, photos, Path(photos.item(one).uri).read_bytes())

    widget.evaluate(PASTE, list(Path(photos.item(other).uri).read_bytes()))
    expect(widget.locator("figcaption")).to_have_text("pasted.jpg")
    expect_hits(widget, photos, Path(photos.item(other).uri).read_bytes())

    widget.evaluate(DROP, [None, "http://10.0.0.1/a.jpg"])
    expect(widget.get_by_role("alert")).to_contain_text("must be a public http(s) address")


def test_keys_are_the_widgets_own(widget: Locator, photos: Collection, page: Page) -> None:
    """JupyterLab would turn the cell into text, split it or leave it."""
    first = widget.locator(".grid-pick").first
    first.focus()
    for key in ("m", "r", "b", "ArrowDown", "ArrowUp", "ArrowRight", "o"):
        page.keyboard.press(key)
    second = widget.locator(".grid-pick").nth(1)
    expect(second).to_be_focused()
    expect(page.locator(".jp-Cell")).to_have_count(3)
    expect(page.locator(".jp-MarkdownCell, .jp-RawCell")).to_have_count(0)
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(1)
    page.keyboard.press("Control+s")
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)

    item = shown(widget)[1]
    page.keyboard.press("Enter")

    expect(widget.locator("figcaption")).to_have_text(name_of(photos, item))
    expect_hits(widget, photos, item)
    expect(widget.locator(".grid-pick").first).to_be_focused()


def test_more_comes_with_scrolling_and_back_returns_to_the_place(widget: Locator, photos: Collection) -> None:
    search_by(widget, 0)
    settle(widget)
    scroller = widget.locator(".lookalike-scroller")
    before = len(shown(widget))
    for _ in range(8):
        scroller.evaluate("(el) => el.scrollTo(0, el.scrollHeight)")
        settle(widget)
    expect(widget.locator(".lookalike-status")).to_contain_text("that is all")
    seen = shown(widget)
    assert len(seen) > before
    assert len(seen) == len(set(seen))
    scroller.evaluate("(el) => el.scrollTo(0, 700)")

    widget.get_by_role("button", name="Random").click()
    expect(scroller).to_have_js_property("scrollTop", 0)
    widget.get_by_role("button", name="Back").click()

    expect(scroller).to_have_js_property("scrollTop", 700)
    settle(widget)
    assert shown(widget) == seen


def test_names_stay_text(widget: Locator, photos: Collection) -> None:
    hostile = item_named(photos, HOSTILE)
    search_by(widget, 0)
    settle(widget)
    widget.evaluate(DROP, [list(Path(photos.item(hostile).uri).read_bytes()), None])
    expect(widget.locator(".grid-cell").first).to_have_attribute("data-id", str(hostile))
    settle(widget)

    widget.locator(f'.grid-cell[data-id="{hostile}"] .grid-pick').click()

    expect(widget.locator("figcaption")).to_have_text(HOSTILE)
    expect_hits(widget, photos, hostile)


def test_a_second_view_shows_the_same(widget: Locator, photos: Collection, page: Page) -> None:
    item = search_by(widget, 1)
    expect_hits(widget, photos, item)

    last = page.locator(".jp-Cell").nth(2)
    last.locator(".cm-content").fill("browser")
    page.keyboard.press("Control+Enter")
    view = last.locator(".lookalike")
    expect(view.locator("figcaption")).to_have_text(name_of(photos, item))

    other = search_by(view, 1)

    for each in (view, page.locator(".lookalike").first):
        expect(each.locator("figcaption")).to_have_text(name_of(photos, other))
