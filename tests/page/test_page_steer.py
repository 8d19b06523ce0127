"""Steering a search: more and less like this, weights, a part of the photo, filters."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_actions import NewPage, asked, by_item, choose, do, search_by, settle, shown, start
from page_server import PageServer
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

CAMERA = 'select[name="camera="]'


@pytest.fixture
def collage(photo_folder: Path, tmp_path: Path) -> Path:
    """A panda on the left and a pizza on the right."""
    whole = Image.new("RGB", (800, 400))
    for at, name in enumerate(("panda", "pizza")):
        with Image.open(sorted((photo_folder / name).iterdir())[3]) as photo:
            whole.paste(photo.convert("RGB").resize((400, 400)), (400 * at, 0))
    whole.save(tmp_path / "collage.png")
    return tmp_path / "collage.png"


def _kinds(server: PageServer, ids: list[int]) -> list[str]:
    folders = {item: name.split("/")[0] for name, item in server.items().items()}
    return [folders[item] for item in ids]


def test_more_like_this_brings_its_kind_in(page: Page, server: PageServer) -> None:
    panda, sunflower = server.ids_of("panda")[0], server.ids_of("sunflower")[0]
    search_by(page, panda)
    assert "sunflower" not in _kinds(server, shown(page)[:6])
    page.wait_for_selector(".grid-tools")
    start(page, f"{by_item(panda)}&e=1:item:{sunflower}")
    assert {"panda", "sunflower"} <= set(_kinds(server, shown(page)[:6]))
    assert not {panda, sunflower} & set(shown(page))


def test_more_and_less_are_chips_with_weights_that_can_be_changed_and_removed(
    page: Page, server: PageServer
) -> None:
    search_by(page, server.ids_of("panda")[0])
    chips = page.locator(".chip")
    expect(chips).to_have_count(1)
    expect(chips.locator(".weight")).to_have_count(0)
    liked, disliked = shown(page)[:2]
    do(page, liked, "more")
    asked(page, f"e=1%3Aitem%3A{liked}")
    do(page, disliked, "less")
    asked(page, f"e=-0.5%3Aitem%3A{disliked}")
    expect(chips).to_have_count(3)
    expect(chips.locator(".weight")).to_have_text(["more 1.00", "more 1.00", "less 0.50"])
    expect(chips.locator("img")).to_have_count(3)
    assert not {liked, disliked} & set(shown(page))
    chips.nth(1).get_by_label("Lower the weight").click()
    asked(page, f"e=0.75%3Aitem%3A{liked}")
    page.keyboard.press("Enter")  # the button that was pressed keeps the focus
    asked(page, f"e=0.5%3Aitem%3A{liked}")
    for _ in range(3):
        chips.nth(2).get_by_label("Raise the weight").click()
    asked(page, f"e=0.5%3Aitem%3A{disliked}")  # 0 is left out
    chips.nth(2).get_by_label("Remove this example").click()
    chips.nth(1).get_by_label("Remove this example").click()
    expect(chips).to_have_count(1)
    settle(page)
    assert shown(page)[:2] == [liked, disliked]


def test_less_like_this_pushes_a_kind_away(page: Page, server: PageServer) -> None:
    sunflower, starfish = server.ids_of("sunflower")[:1], server.ids_of("starfish")[:1]
    both = f"#e=1:item:{sunflower[0]}&e=1:item:{starfish[0]}"
    start(page, both)
    assert "starfish" in _kinds(server, shown(page)[:10])
    other = next(item for item in shown(page) if item in server.ids_of("starfish"))
    start(page, f"#e=1:item:{sunflower[0]}&e=-0.75:item:{starfish[0]}&e=-0.75:item:{other}")
    kinds = _kinds(server, shown(page))
    assert "starfish" not in kinds[:10]
    assert kinds[:5].count("sunflower") >= 4


def test_what_is_only_pushed_away_asks_for_nothing(page: Page, server: PageServer) -> None:
    start(page)
    item = shown(page)[0]
    do(page, item, "less")
    asked(page, f"e=-0.5%3Aitem%3A{item}")
    expect(page.locator("#status")).to_contain_text("choose what to look for")
    assert item in shown(page)
    do(page, item, "less")
    asked(page, "#$")


def _draw(page: Page, left: float, right: float) -> None:
    box = page.locator("#stage").bounding_box()
    assert box
    page.mouse.move(box["x"] + left * box["width"], box["y"] + 3)
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + box["height"] - 3, steps=5)
    page.mouse.up()


def test_box_searches_by_that_part(page: Page, server: PageServer, collage: Path) -> None:
    start(page)
    choose(page, collage)
    asked(page, "upload")
    page.wait_for_function("() => document.querySelector('#stage img').naturalWidth > 0")
    for left, right, name in ((0.01, 0.49, "panda"), (0.51, 0.99, "pizza")):
        if name == "pizza":
            page.click("[data-do=unbox]")
            asked(page, "e=1%3Aupload")
        _draw(page, left, right)
        asked(page, "e=1%40")
        assert shown(page)[0] == server.ids_of(name)[3]
        expect(page.locator(".box")).to_be_visible()
    page.reload()
    settle(page)
    assert shown(page)[0] == server.ids_of("pizza")[3]
    expect(page.locator(".box")).to_be_visible()


def test_box_is_moved_resized_and_cleared(page: Page, server: PageServer) -> None:
    search_by(page, server.ids_of("panda")[0])
    page.click("[data-do=box]")
    asked(page, r"%400\.25%2C0\.25%2C0\.5%2C0\.5%3A")
    box = page.locator(".box")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    asked(page, r"%400\.27%2C0\.27%2C0\.5%2C0\.5%3A")
    page.keyboard.press("Shift+ArrowLeft")
    asked(page, r"%400\.27%2C0\.27%2C0\.48%2C0\.5%3A")
    assert "48.0%" in (box.get_attribute("aria-label") or "")
    inside = box.bounding_box()
    assert inside
    page.mouse.move(inside["x"] + 20, inside["y"] + 20)
    page.mouse.down()
    page.mouse.move(0, 0, steps=4)
    page.mouse.up()
    asked(page, r"%400%2C0%2C0\.48%2C0\.5%3A")
    corner = page.locator(".box i").bounding_box()
    assert corner
    page.mouse.move(corner["x"] + corner["width"] - 2, corner["y"] + corner["height"] - 2)
    page.mouse.down()
    page.mouse.move(2000, 2000, steps=4)
    page.mouse.up()
    asked(page, r"%400%2C0%2C1%2C1%3A")
    page.locator(".box").focus()
    page.keyboard.press("Delete")
    asked(page, r"e=1%3Aitem")
    expect(box).to_be_hidden()


def test_box_is_moved_by_a_finger(new_page: NewPage, server: PageServer) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    search_by(page, server.ids_of("panda")[0])
    page.tap("[data-do=box]")
    asked(page, r"%400\.25")
    box = page.locator(".box").bounding_box()
    assert box
    touch = page.context.new_cdp_session(page)
    at = {"x": box["x"] + 15, "y": box["y"] + 15}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    for step in (5, 10, 20):
        moved = {"x": at["x"] + step, "y": at["y"]}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [moved]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page).not_to_have_url(page.url)
    asked(page, r"%400\.[3-9]")


def test_filters_by_camera_folder_and_date(page: Page, server: PageServer) -> None:
    items = server.items()
    dated = [items[f"dated/dated{at}.jpg"] for at in range(4)]
    start(page)
    page.click("[data-do=filter]")
    page.locator(CAMERA).select_option("Pixel 3a")
    asked(page, "where=camera%3DPixel")
    assert shown(page) == dated[2:]
    page.locator(CAMERA).select_option("")
    page.get_by_label("From", exact=True).fill("2004-01-01")
    page.get_by_label("To", exact=True).fill("2004-12-31")
    asked(page, "where=taken%3E%3D2004-01-01&where=taken%3C%3D2004-12-31")
    assert shown(page) == dated[:2]
    page.reload()
    settle(page)
    expect(page.get_by_label("From", exact=True)).to_have_value("2004-01-01")
    assert shown(page) == dated[:2]
    page.click("[data-do=unfilter]")
    asked(page, "#$")
    folders = page.locator('select[name="folder="]')
    folders.select_option(folders.locator("option", has_text="photos/cup").get_attribute("value"))
    asked(page, "where=folder")
    assert sorted(shown(page)) == server.ids_of("cup")
    panda = shown(page)[0]
    page.click(f'.grid-cell[data-id="{panda}"] .grid-pick')
    asked(page, f"e=1%3Aitem%3A{panda}&where=folder")
    assert sorted([*shown(page), panda]) == server.ids_of("cup")


def test_nothing_found_offers_to_clear_the_filters(page: Page) -> None:
    start(page, "#where=taken%3E%3D2030-01-01")
    expect(page.locator("#problem")).to_contain_text("Nothing meets these filters")
    page.click("#problem button")
    asked(page, "#$")
    assert shown(page)
    expect(page.locator("#problem")).to_be_hidden()


def test_condition_that_is_not_in_the_collection_is_shown(page: Page) -> None:
    start(page, "#where=camera%3DLeica&where=width%3E10")
    camera = page.locator(CAMERA)
    expect(camera).to_have_value("Leica")
    page.wait_for_function("() => document.querySelectorAll('option').length > 5")
    expect(camera).to_have_value("Leica")
    camera.select_option("")
    asked(page, r"#where=width%3E10$")
