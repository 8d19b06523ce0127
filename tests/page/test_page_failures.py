"""Slow, busy, dying and empty servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import Faults, asked, by_item, do, pick, search_by, settle, shown, start
from page_server import PageServer
from playwright.sync_api import Page, Route, expect

from lookalike import Collection

pytestmark = pytest.mark.slow


@pytest.fixture
def own_server(collection_path: Path) -> Iterator[PageServer]:
    """A server that a test may stop."""
    with PageServer(collection_path) as running:
        yield running


def test_older_answer_never_overwrites_a_newer_one(page: Page, server: PageServer) -> None:
    slow, quick = server.ids_of("panda")[0], server.ids_of("pizza")[0]
    held: list[Route] = []

    def hold(route: Route) -> None:
        if json.loads(route.request.post_data or "")["examples"][0]["item"] == slow:
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/search", hold)
    start(page)
    begun = shown(page)[:20]
    page.evaluate(f"location.hash = '{by_item(slow)}'")
    page.wait_for_timeout(300)
    assert shown(page)[:20] == begun  # what was there stays until there is something new
    page.evaluate(f"location.hash = '{by_item(quick)}'")
    settle(page)
    assert len(held) == 1
    expected = shown(page)[:20]
    assert set(expected[:3]) <= set(server.ids_of("pizza"))
    held[0].fulfill(
        json={"query": "k", "hits": [], "recall": 1, "background": None, "more": False, "space": "x"}
    )
    page.wait_for_timeout(300)
    assert shown(page)[:20] == expected


def test_progress_is_shown_while_an_answer_takes_its_time(page: Page, server: PageServer) -> None:
    held: list[Route] = []
    page.route("**/api/search", lambda route: held.append(route))  # noqa: PLW0108  # Playwright looks into it
    start(page)
    pick(page, shown(page)[0])
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "true")
    bar = "() => getComputedStyle(document.querySelector('#results'), '::before').position"
    assert page.evaluate(bar) == "fixed"
    held[0].continue_()
    settle(page)
    assert page.evaluate(bar) != "fixed"


def test_double_click_searches_once(page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: request.url.endswith("/search") and sent.append(request.url))
    start(page)
    item = shown(page)[2]
    page.dblclick(f'.grid-cell[data-id="{item}"] .grid-pick')
    asked(page, f"item%3A{item}")
    page.wait_for_timeout(300)
    assert f"item%3A{item}" in page.url
    assert page.evaluate("history.length") == 3  # the empty page, the start, the search
    assert sent


def test_busy_server_is_asked_again(page: Page, server: PageServer, faults: Faults) -> None:
    refused: list[Route] = []

    def answer(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route)
            error = {"error": {"code": "busy", "message": "busy"}}
            route.fulfill(status=503, headers={"Retry-After": "1"}, json=error)

    page.route("**/api/search", answer)
    search_by(page, server.ids_of("panda")[0])
    assert refused
    assert shown(page)
    expect(page.locator("#problem")).to_be_hidden()
    faults.forgive("503")


def test_error_is_told_and_tried_again(page: Page, server: PageServer, faults: Faults) -> None:
    error = {"error": {"code": "failed", "message": "the disk is on fire"}}
    page.route("**/api/search", lambda route: route.fulfill(status=500, json=error))
    search_by(page, server.ids_of("panda")[0])
    expect(page.get_by_role("alert")).to_contain_text("the disk is on fire")
    faults.forgive("500")
    page.unroute("**/api/search")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".grid-cell")
    expect(page.locator("#problem")).to_be_hidden()


def test_page_comes_back_with_the_server(page: Page, own_server: PageServer, faults: Faults) -> None:
    page.goto(own_server.address)
    settle(page)
    item = shown(page)[0]
    own_server.stop()
    pick(page, item)
    expect(page.locator("#problem")).to_contain_text("does not answer")
    assert shown(page) == []
    own_server.start()
    page.wait_for_selector(".grid-cell")  # without a click
    expect(page.locator("#problem")).to_be_hidden()
    assert f"item%3A{item}" in page.url
    own_server.stop()
    do(page, shown(page)[0], "up")
    expect(page.locator("#toast")).to_contain_text("does not answer")
    expect(page.locator("[data-name=up][aria-pressed=true]")).to_have_count(0)
    faults.forgive("ERR_CONNECTION_REFUSED")
    faults.forgive("ERR_SOCKET_NOT_CONNECTED")
    faults.forgive("ERR_EMPTY_RESPONSE")


def test_building_is_told_until_it_is_done(page: Page, server: PageServer) -> None:
    facts = server.get("/api/collection")
    building = [True]
    page.route("**/api/collection", lambda route: route.fulfill(json={**facts, "building": building[0]}))
    start(page)
    expect(page.locator("#building")).to_contain_text("exact, but slower")
    building[0] = False
    expect(page.locator("#building")).to_be_hidden()


def test_recall_is_told(page: Page, server: PageServer) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "recall": 0.9957})

    page.route("**/api/search", answer)
    search_by(page, server.ids_of("panda")[0])
    expect(page.locator("#status")).to_contain_text("99.6 % of the nearest")


def test_empty_collection_tells_how_to_fill_it_and_notices_when_it_is(
    page: Page, tmp_path: Path, photo_folder: Path
) -> None:
    path = tmp_path / "photos.lookalike"
    photo = sorted((photo_folder / "cup").iterdir())[0]
    with Collection(path) as collection:
        collection.add(photo)
        collection.remove(1)
    with PageServer(path) as empty:
        page.goto(empty.address)
        settle(page)
        expect(page.locator("#problem")).to_contain_text("lookalike add FOLDER")
        with Collection(path) as collection:
            collection.add(photo)
        page.wait_for_selector(".grid-cell")
        expect(page.locator("#problem")).to_be_hidden()
