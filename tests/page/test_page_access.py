"""For everyone, on every screen: axe, phones, narrow and wide windows, light and dark."""

from __future__ import annotations

from typing import Literal

import pytest
from page_actions import NewPage, asked, do, search_by, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

from axe_helpers import axe_faults

pytestmark = pytest.mark.slow

SMALL_TARGETS = """() => [...document.querySelectorAll("button, a, .button, select, input:not(.unseen)")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches(".skip"))
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 40 || box.width < 40))
  .map(([html, box]) => `${html} ${box.width} × ${box.height}`)"""
NO_SIDEWAYS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    new_page: NewPage, server: PageServer, scheme: Literal["light", "dark"]
) -> None:
    page = new_page(color_scheme=scheme, bypass_csp=True)
    start(page)
    assert axe_faults(page) == []
    search_by(page, server.items()["edits/aaa-orig.jpg"])
    hit = shown(page)[1]
    do(page, hit, "more")
    asked(page, f"item%3A{hit}")
    page.click("[data-do=box]")
    asked(page, "%400.25")
    page.click("[data-do=filter]")
    page.locator(".grid-fold").first.click()
    do(page, shown(page)[0], "up")
    page.wait_for_selector("[data-name=up][aria-pressed=true]")
    assert axe_faults(page) == []
    do(page, shown(page)[0], "up")
    do(page, shown(page)[1], "open")
    page.wait_for_function("() => document.querySelector('#viewer img').naturalWidth > 0")
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert axe_faults(page) == []


def test_dark_is_dark_and_light_is_light(new_page: NewPage) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = new_page(color_scheme=scheme)
        start(page)
        seen[scheme] = page.evaluate(
            "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)"
        )
    assert min(seen["light"]) > 230
    assert max(seen["dark"]) < 50


def test_phone(new_page: NewPage, server: PageServer) -> None:
    page = new_page(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    fetched: list[str] = []
    page.on("request", lambda request: "/thumbnail" in request.url and fetched.append(request.url))
    start(page)
    assert page.evaluate(NO_SIDEWAYS)
    assert page.evaluate(SMALL_TARGETS) == []
    item = shown(page)[0]
    page.tap(f'.grid-cell[data-id="{item}"] .grid-pick')
    asked(page, f"item%3A{item}")
    assert page.evaluate(NO_SIDEWAYS)
    assert page.evaluate(SMALL_TARGETS) == []
    hit = shown(page)[0]
    page.tap(f'.grid-cell[data-id="{hit}"] [data-name=open]')
    viewer = page.get_by_role("dialog")
    viewer.get_by_role("button", name="More like this").tap()
    expect(viewer.get_by_role("button", name="More like this")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(SMALL_TARGETS) == []
    viewer.get_by_label("Close").tap()
    asked(page, f"e=1%3Aitem%3A{hit}")
    expect(page.locator(".chip")).to_have_count(2)
    assert page.evaluate(SMALL_TARGETS) == []
    assert any("size=640" in url for url in fetched)


@pytest.mark.parametrize("width", [320, 600, 899, 900, 2560])
def test_no_width_scrolls_sideways(page: Page, server: PageServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    start(page)
    assert page.evaluate(NO_SIDEWAYS)
    pandas = server.ids_of("panda")
    start(page, f"#e=1:item:{pandas[0]}&e=-0.5@0.1,0.1,0.5,0.5:item:{pandas[1]}&where=width%3E1")
    assert page.evaluate(NO_SIDEWAYS)
    do(page, shown(page)[0], "open")
    assert page.evaluate("() => document.querySelector('#viewer').scrollWidth <= innerWidth")


def test_turning_the_screen_keeps_rows_whole(page: Page) -> None:
    start(page)
    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_timeout(200)
    width = page.locator("#grid").bounding_box()
    assert width
    right = page.locator(".grid-cell:not(.is-waiting)").evaluate_all(
        "(cells) => Math.max(...cells.map((cell) => cell.getBoundingClientRect().right))"
    )
    assert right == pytest.approx(width["x"] + width["width"], abs=1)


def test_headings_and_landmarks(page: Page, server: PageServer) -> None:
    start(page)
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Find photos that look alike")
    search_by(page, server.ids_of("cup")[0])
    expect(page.get_by_role("region", name="What you look for")).to_be_visible()
    expect(page.get_by_role("region", name="Photos that look alike")).to_be_visible()


def test_reduced_motion_moves_nothing(new_page: NewPage) -> None:
    page = new_page(reduced_motion="reduce")
    start(page)
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
          const { animationDuration, transitionDuration } = getComputedStyle(one);
          return [parseFloat(animationDuration), parseFloat(transitionDuration)];
        }))"""
    )
    assert longest == 0
