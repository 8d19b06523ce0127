"""The ways to bring a photo, an address or words."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from page_actions import Faults, NewPage, asked, choose, hand_over, settle, shown, start
from page_server import PageServer
from PIL import Image
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.slow


@pytest.fixture
def panda(photo_folder: Path) -> Path:
    return sorted((photo_folder / "panda").iterdir())[0]


def _is_first(page: Page, server: PageServer, photo: Path) -> None:
    asked(page, f"upload%3A{sha256(photo.read_bytes()).hexdigest()}")
    assert shown(page)[0] == server.items()[f"panda/{photo.name}"]
    expect(page.locator(".grid-score").first).to_have_text("1.00")


def test_chosen_photo_of_the_collection_is_its_own_first_hit(
    page: Page, server: PageServer, panda: Path
) -> None:
    start(page)
    choose(page, panda)
    _is_first(page, server, panda)
    expect(page.locator("#stage img")).to_have_js_property("complete", True)
    assert page.locator("#stage img").get_attribute("src").startswith("blob:")


def test_dropped_photo(page: Page, server: PageServer, panda: Path) -> None:
    start(page)
    hand_over(page, "drop", panda)
    _is_first(page, server, panda)
    assert page.evaluate("window.shaded")
    expect(page.locator("#shade")).to_be_hidden()


def test_pasted_photo(page: Page, server: PageServer, panda: Path) -> None:
    start(page)
    hand_over(page, "paste", panda)
    _is_first(page, server, panda)


@pytest.mark.parametrize("way", ["paste", "drop", "type"])
def test_address(page: Page, server: PageServer, panda: Path, way: str) -> None:
    sent: list[str] = []

    def answer(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "")["address"])
        route.fulfill(body=panda.read_bytes(), content_type="image/jpeg")

    page.route("**/api/fetch", answer)
    start(page)
    if way == "type":
        page.fill("#text", "https://example.org/panda.jpg")
        page.keyboard.press("Enter")
    else:
        hand_over(page, way, text="https://example.org/panda.jpg")
    _is_first(page, server, panda)
    assert sent == ["https://example.org/panda.jpg"]


def test_address_that_gives_no_picture_is_told(page: Page, faults: Faults) -> None:
    start(page)
    before = shown(page)
    page.fill("#text", "http://127.0.0.1:1/secret.jpg")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).not_to_be_empty()
    faults.forgive("Failed to load resource")
    settle(page)
    assert shown(page) == before


def test_camera_is_offered_on_touch_screens_only(new_page: NewPage) -> None:
    for touch in (True, False):
        page = new_page(has_touch=touch, is_mobile=touch)
        start(page)
        camera = page.locator("label:has([capture=environment])")
        expect(camera).to_be_visible(visible=touch)


def test_random_photo(page: Page, server: PageServer) -> None:
    start(page)
    page.click("[data-do=random]")
    asked(page, r"#e=1%3Aitem%3A\d+")
    item = int(re.findall(r"item%3A(\d+)", page.url)[0])
    assert item in server.items().values()
    assert item not in shown(page)


def without_words(server: PageServer) -> dict[str, object]:
    """The facts of a collection of which no space takes words."""
    facts = server.get("/api/collection")
    assert any(space["takes_words"] for space in facts["spaces"])
    return {**facts, "spaces": [space for space in facts["spaces"] if not space["takes_words"]]}


def test_words_are_not_offered_where_no_space_takes_them(page: Page, server: PageServer) -> None:
    facts = without_words(server)
    page.route("**/api/collection", lambda route: route.fulfill(json=facts))
    start(page)
    expect(page.locator("#text")).to_have_attribute("placeholder", "Address of a picture")
    page.fill("#text", "a red bus")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("photos only")


def test_words_find_the_photos_they_mean(page: Page, server: PageServer) -> None:
    start(page)
    page.keyboard.press("/")
    page.keyboard.type("a panda")
    with page.expect_request("**/api/search") as asking:
        page.keyboard.press("Enter")
    asked(page, "words%3Aa\\+panda")
    sent = json.loads(asking.value.post_data or "")
    assert sent["examples"] == [{"words": "a panda", "weight": 1}]
    assert "space" not in sent  # the server knows which one takes words
    pandas = {item for name, item in server.items().items() if name.startswith("panda/")}
    assert len(pandas & set(shown(page)[:12])) >= 4  # of 9 among some 120 photos
    expect(page.locator(".chip .name")).to_have_text("“a panda”")
    expect(page.locator("#frame")).to_be_hidden()


def test_field_is_hidden_where_it_would_be_of_no_use(page: Page, server: PageServer) -> None:
    facts = {**without_words(server), "can_fetch": False}
    page.route("**/api/collection", lambda route: route.fulfill(json=facts))
    start(page)
    expect(page.locator("#ask")).to_be_hidden()


def test_too_large_photo_is_not_sent(page: Page, server: PageServer, panda: Path) -> None:
    facts = {**server.get("/api/collection"), "max_upload_bytes": 1000}
    page.route("**/api/collection", lambda route: route.fulfill(json=facts))
    start(page)
    choose(page, panda)
    expect(page.locator("#toast")).to_contain_text("too large")
    assert "upload" not in page.url


def test_photo_that_browsers_cannot_show_is_shown_by_the_server(
    page: Page, panda: Path, tmp_path: Path
) -> None:
    with Image.open(panda) as picture:
        picture.convert("RGB").save(tmp_path / "panda.tiff")
    start(page)
    choose(page, tmp_path / "panda.tiff")
    asked(page, "upload")
    page.wait_for_function("() => document.querySelector('#stage img').naturalWidth > 0")
    expect(page.locator(".grid-score").first).to_have_text("1.00")


def test_file_that_is_no_photo_is_told(page: Page, faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no photo")
    start(page)
    choose(page, tmp_path / "notes.jpg")
    expect(page.locator("#problem")).to_be_visible()
    expect(page.locator("#problem button")).to_have_text("Try again")
    assert shown(page) == []
    faults.forgive("Failed to load resource")


def test_further_photos_become_further_examples(page: Page, server: PageServer, photo_folder: Path) -> None:
    start(page)
    for name in ("panda", "pizza"):
        choose(page, sorted((photo_folder / name).iterdir())[0], add=name == "pizza")
        asked(page, "upload")
    expect(page.locator(".chip")).to_have_count(2)
    settle(page)
    first = set(shown(page)[:6])
    assert first & set(server.ids_of("panda"))
    assert first & set(server.ids_of("pizza"))


def test_where_nothing_is_like_a_photo_it_can_be_asked_any_way_up(
    page: Page, panda: Path, tmp_path: Path
) -> None:
    Image.effect_noise((300, 200), 90).convert("RGB").save(tmp_path / "noise.png")
    start(page)
    choose(page, panda)
    settle(page)
    expect(page.locator("#problem")).to_be_hidden()
    choose(page, tmp_path / "noise.png")
    offer = page.get_by_role("button", name="turned, mirrored or cropped")
    expect(offer).to_be_visible()
    expect(page.locator("#problem")).to_contain_text("Nothing much like it.")
    settle(page)  # so that the next answer is that to the next question
    assert shown(page)
    with page.expect_response("**/api/search") as answered:
        offer.click()
    assert "reranked" not in answered.value.json()  # all others of one photo are
    page.wait_for_url("**any=1")
    settle(page)
    expect(page.locator("#problem")).to_be_hidden()
    assert shown(page)
    with page.expect_response("**/api/search") as answered:
        choose(page, panda)  # another photo is asked as it is
    assert answered.value.json()["reranked"] is True
    settle(page)
    assert "any=1" not in page.url
