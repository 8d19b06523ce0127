"""The address holds the query: back, forward, reload, links."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from page_actions import NewPage, asked, by_item, choose, pick, search_by, settle, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


def test_back_and_forward_show_what_was_there(page: Page) -> None:
    start(page)
    begun = shown(page)
    pick(page, begun[0])
    asked(page, f"item%3A{begun[0]}")
    first = shown(page)
    pick(page, first[1])
    asked(page, f"item%3A{first[1]}")
    second = shown(page)
    assert second != first
    page.go_back()
    asked(page, f"item%3A{begun[0]}")
    assert shown(page)[: len(first)] == first
    page.go_back()
    asked(page, "/$")
    expect(page.locator("#welcome")).to_be_visible()
    page.go_forward()
    page.go_forward()
    asked(page, f"item%3A{first[1]}")
    assert shown(page)[: len(second)] == second


def test_back_leads_to_where_one_had_scrolled(page: Page) -> None:
    start(page)
    page.mouse.wheel(0, 900)
    page.wait_for_function("() => history.state?.scroll === 900")
    page.mouse.click(300, 400)
    asked(page, "item")
    page.wait_for_function("() => scrollY === 0")
    page.go_back()
    asked(page, "/$")
    page.wait_for_function("() => scrollY === 900")


def test_reload_keeps_an_uploaded_query(page: Page, photo_folder: Path) -> None:
    start(page)
    choose(page, sorted((photo_folder / "pizza").iterdir())[2])
    asked(page, "upload")
    before = shown(page)
    page.reload()
    settle(page)
    assert shown(page)[: len(before)] == before
    page.wait_for_function("() => document.querySelector('#stage img').naturalWidth > 0")


def test_only_the_last_uploads_are_kept(page: Page, photo_folder: Path) -> None:
    photos = sorted((photo_folder / "street").iterdir())[:21]
    hashes = [f"#e=1:upload:{sha256(photo.read_bytes()).hexdigest()}" for photo in photos]
    start(page)
    for few in (photos[:1], photos[1:11], photos[11:]):
        choose(page, *few, add=True)
        asked(page, hashes[photos.index(few[-1])].rpartition(":")[2])
    page.goto("about:blank")
    page.goto(f"/{hashes[0]}")
    expect(page.locator("#problem")).to_contain_text("bring it again")
    page.goto("about:blank")
    start(page, hashes[1])
    expect(page.locator(".grid-score").first).to_have_text("1.00")


def test_a_photo_that_is_missed_can_be_brought_again(page: Page, photo_folder: Path) -> None:
    photo = sorted((photo_folder / "panda").iterdir())[0]
    page.goto(f"/#e=1:upload:{sha256(photo.read_bytes()).hexdigest()}")
    expect(page.locator("#problem")).to_contain_text("bring it again")
    choose(page, photo)  # the address stays what it is
    expect(page.locator(".grid-score").first).to_have_text("1.00", timeout=20_000)
    expect(page.locator("#problem")).to_be_hidden()


def test_copied_link_opens_elsewhere(new_page: NewPage, server: PageServer) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    search_by(page, server.ids_of("cup")[0])
    page.click("[data-do=copy]")
    expect(page.locator("#toast")).to_have_text("Link copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    other = new_page()
    other.goto(link)
    settle(other)
    assert shown(other) == shown(page)


def test_link_to_an_upload_says_that_it_works_here_only(new_page: NewPage, photo_folder: Path) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    start(page)
    choose(page, sorted((photo_folder / "cup").iterdir())[0])
    asked(page, "upload")
    page.click("[data-do=copy]")
    expect(page.locator("#toast")).to_contain_text("in this browser only")
    other = new_page()
    other.goto(page.url)
    expect(other.locator("#problem")).to_contain_text("brought in another browser")
    expect(other.locator("#grid")).to_have_attribute("aria-busy", "false")
    assert shown(other) == []


@pytest.mark.parametrize("hash_", ["#e=", "#e=1:item:x", "#e=2:item:3", "#e=0:words:a", "#nonsense", "#%"])
def test_address_that_cannot_be_read_shows_the_start(page: Page, hash_: str) -> None:
    start(page, hash_)
    expect(page.locator("#welcome")).to_be_visible()
    assert shown(page)


def test_brand_leads_to_the_start(page: Page, server: PageServer) -> None:
    start(page, by_item(server.ids_of("cup")[0]))
    page.click(".brand")
    asked(page, "#$")
    expect(page.locator("#welcome")).to_be_visible()
