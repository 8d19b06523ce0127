"""Everything without a mouse."""

from __future__ import annotations

import pytest
from page_actions import Faults, asked, expect_votes, search_by, settle, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

FOCUSED = "() => Number(document.activeElement.closest('.grid-cell')?.dataset.id)"
AT = """() => {
  const { left, right, top } = document.activeElement.getBoundingClientRect();
  return [left, right, top + scrollY];
}"""


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {selector}")


def test_from_the_start_to_a_vote_without_a_mouse(page: Page, server: PageServer) -> None:
    start(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_be_focused()
    assert "#" not in page.url
    _tab_to(page, ".grid-pick")
    item = page.evaluate(FOCUSED)
    assert item == shown(page)[0]
    page.keyboard.press("Enter")
    asked(page, f"item%3A{item}")
    hit = page.evaluate(FOCUSED)
    assert hit == shown(page)[0]
    page.keyboard.press("+")
    page.wait_for_selector(f'[data-id="{hit}"] [data-name=up][aria-pressed=true]')
    page.keyboard.press("-")
    page.wait_for_selector(f'[data-id="{hit}"] [data-name=down][aria-pressed=true]')
    page.keyboard.press("-")
    page.wait_for_selector(f'[data-id="{hit}"] [data-name=down][aria-pressed=false]')
    expect_votes(page, server, {})
    page.keyboard.press("m")
    asked(page, f"e=1%3Aitem%3A{hit}")
    other = page.evaluate(FOCUSED)
    page.keyboard.press("l")
    asked(page, f"e=-0.5%3Aitem%3A{other}")


def test_arrow_keys_move_among_the_photos(page: Page) -> None:
    start(page)
    first, second = shown(page)[:2]
    page.locator(".grid-pick").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == second
    left, right, top = page.evaluate(AT)
    page.keyboard.press("ArrowDown")
    below = page.evaluate(AT)
    assert below[2] > top
    assert below[0] < right
    assert below[1] > left
    page.keyboard.press("ArrowUp")
    assert page.evaluate(AT)[2] == top
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUSED) == first


@pytest.mark.parametrize("key", ["o", " "])
def test_photo_opens_large_and_escape_leads_back(page: Page, server: PageServer, key: str) -> None:
    search_by(page, server.ids_of("pizza")[0])
    pick = page.locator(".grid-pick").nth(1)
    pick.focus()
    page.keyboard.press(key)
    viewer = page.get_by_role("dialog")
    expect(viewer).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(pick).to_be_focused()
    assert "item%3A" in page.url.replace(":", "%3A")


def test_keys_are_told_and_slash_leads_to_the_field(page: Page) -> None:
    start(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("?/")
    expect(page.locator("#text")).to_have_value("?/")


def test_focus_is_visible(page: Page) -> None:
    start(page)
    for _ in range(12):
        page.keyboard.press("Tab")
        outlined = page.evaluate(
            """() => [document.activeElement, document.activeElement.closest("label")].some(
              (one) => one && getComputedStyle(one).outlineStyle === "solid")"""
        )
        assert outlined, page.evaluate("() => document.activeElement.outerHTML")


def test_results_and_problems_are_announced(page: Page, faults: Faults) -> None:
    start(page)
    expect(page.locator("#status[role=status]")).to_contain_text("shown")
    page.goto("/#e=1:item:99999")
    page.reload()
    settle(page)
    expect(page.get_by_role("alert")).to_contain_text("99999")
    faults.forgive("Failed to load resource")
