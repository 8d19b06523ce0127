"""Rating what two models find, and clicks on what they found in turns, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from page_actions import Faults, NewPage, asked, by_item, do, pick, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

from axe_helpers import axe_faults
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.transfer.transfer import ImportRequest

COUNT = 30
PAIR = ("fake", "other")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, make_photo) -> Path:
    """30 photos in two spaces of no model, so that the server needs none."""
    folder = tmp_path_factory.mktemp("rated")
    names = [make_photo(folder / "photos" / f"{seed:02}.png", seed, size=(240, 160)) for seed in range(COUNT)]
    (folder / "list.txt").write_text("".join(f"{name}\n" for name in names))
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        for at, name in enumerate(PAIR):
            rows = np.random.default_rng(at).normal(size=(COUNT, 8)).astype(np.float32)
            np.save(folder / f"{name}.npy", rows)
            collection.import_vectors(ImportRequest(folder / f"{name}.npy", folder / "list.txt", name=name))
    return folder


@pytest.fixture
def server(made: Path, tmp_path: Path) -> Iterator[PageServer]:
    shutil.copytree(made / "c.lookalike", tmp_path / "c.lookalike")
    with PageServer(tmp_path / "c.lookalike", "--ab", *PAIR) as running:
        yield running


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


def votes(server: PageServer) -> list[tuple[str, int, int]]:
    return [(one["query"], one["item"], one["vote"]) for one in server.get("/api/votes")["votes"]]


def credits(server: PageServer) -> list[tuple[int, str, int]]:
    with Collection(server.collection) as collection:
        return [(one.item_id, one.kind, one.value) for one in collection.credits()]


def test_a_query_is_rated_by_keys_alone(page: Page, server: PageServer) -> None:
    told = server.get("/api/rate")
    wanted = [item["id"] for item in told["candidates"]]
    page.goto("/rate")
    said = f"1 of {len(wanted)} for this query · 0 of 30 queries rated"
    expect(page.locator("#progress")).to_contain_text(said)
    for at, item in enumerate(wanted):
        expect(page.locator("#candidate .item")).to_have_attribute("data-id", str(item))
        expect(page.locator("#asked .item")).to_have_attribute("data-id", str(told["query"]["id"]))
        page.keyboard.press("1" if at % 2 else "2")
    expect(page.locator("#progress")).to_contain_text("1 of 30 queries rated")
    assert votes(server) == [(told["key"], item, 1 if at % 2 else -1) for at, item in enumerate(wanted)]
    assert server.get("/api/rate")["query"]["id"] != told["query"]["id"]


def test_a_judgement_can_be_taken_back_and_a_query_passed_over(page: Page, server: PageServer) -> None:
    page.goto("/rate")
    first, second = (item["id"] for item in server.get("/api/rate")["candidates"][:2])
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.get_by_role("button", name="Not alike").click()
    expect(page.locator("#candidate .item")).to_have_attribute("data-id", str(second))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#candidate .item")).to_have_attribute("data-id", str(first))
    assert votes(server) == []
    query = page.locator("#asked .item").get_attribute("data-id")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#asked .item")).not_to_have_attribute("data-id", query or "")


def test_at_the_end_it_says_so(page: Page, server: PageServer) -> None:
    page.goto("/rate?depth=1")
    for _ in range(3 * COUNT):
        said = page.locator("#progress").inner_text()
        page.keyboard.press("1")
        page.wait_for_function("(said) => document.querySelector('#progress').textContent !== said", arg=said)
        if page.locator("#done").is_visible():
            break
    expect(page.locator("#done")).to_contain_text("All is rated")
    expect(page.locator("#progress")).to_have_text("30 of 30 queries rated")


def test_a_server_that_is_gone_is_said_and_nothing_is_lost(
    page: Page, server: PageServer, faults: Faults
) -> None:
    page.goto("/rate")
    expect(page.locator("#candidate img")).to_be_visible()
    first = page.locator("#candidate .item").get_attribute("data-id")
    server.stop()
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("lookalike does not answer")
    server.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#candidate .item")).not_to_have_attribute("data-id", first or "")
    assert [str(vote[1]) for vote in votes(server)] == [first]
    faults.forgive("ERR_CONNECTION_REFUSED")


def test_a_server_that_is_gone_after_the_last_judgement_on_a_query_is_asked_again(
    page: Page, server: PageServer, faults: Faults
) -> None:
    page.goto("/rate?depth=1")
    expect(page.locator("#candidate img")).to_be_visible()
    told = server.get("/api/rate?depth=1")
    page.route("**/api/rate?*", lambda route: route.abort())
    for item in told["candidates"]:
        expect(page.locator("#candidate .item")).to_have_attribute("data-id", str(item["id"]))
        page.keyboard.press("1")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("lookalike does not answer")
    page.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("lookalike does not answer")
    page.unroute("**/api/rate?*")
    page.get_by_role("button", name="Try again").click()
    expect(alert).to_be_hidden()
    expect(page.locator("#asked .item")).not_to_have_attribute("data-id", str(told["query"]["id"]))
    assert len(votes(server)) == len(told["candidates"])
    faults.forgive("ERR_FAILED")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rating_is_for_everyone_and_fits_a_phone(new_page: NewPage, scheme: Literal["light", "dark"]) -> None:
    page = new_page(
        color_scheme=scheme,
        bypass_csp=True,
        viewport={"width": 360, "height": 700},
        has_touch=True,
        is_mobile=True,
    )
    page.goto("/rate")
    expect(page.locator("#candidate img")).to_be_visible()
    assert axe_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Alike", exact=True).tap()
    expect(page.locator("#progress")).to_contain_text("2 of")


def test_what_is_opened_searched_by_or_voted_on_counts_for_who_found_it(
    page: Page, server: PageServer
) -> None:
    start(page, by_item(3))
    first, second, third = shown(page)[:3]
    do(page, first, "open")
    expect(page.locator("#viewer img")).to_be_visible()
    page.keyboard.press("Escape")
    do(page, second, "down")
    page.wait_for_selector("[data-name=down][aria-pressed=true]")
    with page.expect_response("**/clicks"):
        pick(page, third)
    asked(page, f"item%3A{third}")
    assert sorted(credits(server)) == sorted([(first, "click", 1), (second, "vote", -1), (third, "click", 1)])


def test_a_random_photo_counts_for_nobody(page: Page, server: PageServer) -> None:
    start(page, by_item(3))
    with page.expect_response("**/api/search"):
        page.get_by_role("button", name="Random").click()
    assert credits(server) == []
