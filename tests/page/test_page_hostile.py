"""File names, folders and cameras are anybody's text: nothing in them may run, or break the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_actions import do, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

WATCH = """() => {
  window.violations = [];
  const note = (event) => window.violations.push(event.violatedDirective);
  document.addEventListener("securitypolicyviolation", note);
}"""
CAMERA = 'select[name="camera="]'
HARM = """() => [
  window.hacked ?? 0, window.violations.length, document.querySelectorAll("main script, svg[onload]").length,
]"""


@pytest.mark.parametrize("width", [1280, 320])
def test_hostile_texts_run_nothing_and_fit(page: Page, server: PageServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(f"({WATCH})()")
    start(page, "#where=taken%3D2011")
    hostile = shown(page)
    assert len(hostile) == 4
    names = {Path(server.get(f"/api/items/{item}")["uri"]).name for item in hostile}
    titles = page.locator(".grid-pick").evaluate_all("(picks) => picks.map((pick) => pick.title)")
    assert set(titles) == names
    page.wait_for_function("() => document.querySelectorAll('option').length > 5")
    camera = page.locator(CAMERA).locator("option", has_text="<script>")
    page.locator(CAMERA).select_option(camera.get_attribute("value"))
    expect(page.locator("#status")).to_contain_text("4 shown")
    for item in hostile:
        do(page, item, "open")
        expect(page.locator("#viewer h2")).to_have_text(Path(server.get(f"/api/items/{item}")["uri"]).name)
        expect(page.locator("#viewer dl")).to_contain_text("onerror=")
        assert page.evaluate("() => document.querySelector('#viewer').scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
    start(page, "".join(f"{'&' if at else '#'}e=1:item:{item}" for at, item in enumerate(hostile)))
    expect(page.locator(".chip .name", has_text="onerror")).to_have_count(1)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(HARM) == [0, 0, 0]


def test_hostile_address_runs_nothing(page: Page) -> None:
    page.add_init_script(f"({WATCH})()")
    start(page, "#where=camera%3D%3Cimg src=x onerror=window.hacked=1%3E&e=0:words:%3Cscript%3E")
    expect(page.locator("#problem")).to_be_visible()
    assert page.evaluate(HARM) == [0, 0, 0]
