"""A collection of texts in the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import Faults, asked, pick, shown, start
from page_server import PageServer
from playwright.sync_api import Browser, Page, expect

from lookalike import Collection

HOSTILE = "<img src=x onerror=window.hacked=1> \u202etfel ot thgir\u2066 " + "endless" * 60


@pytest.fixture(scope="module")
def texts(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A server of 120 questions and a hostile text."""
    with (shared_data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[:121]
    folder = tmp_path_factory.mktemp("texts")
    with (folder / "questions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*rows, [HOSTILE, "none"]])
    with Collection(folder / "texts.lookalike") as collection:
        assert collection.add(folder / "questions.csv", column="text").skipped == 0
    with PageServer(folder / "texts.lookalike") as running:
        yield running


@pytest.fixture
def text_page(browser: Browser, texts: PageServer, faults: Faults) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=texts.address)
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and faults.seen.append(message.text))
    page.on("pageerror", lambda error: faults.seen.append(str(error)))
    yield page
    context.close()


def test_words_bring_texts_to_read(text_page: Page) -> None:
    start(text_page)
    text_page.keyboard.press("/")
    text_page.keyboard.type("my card has not arrived")
    text_page.keyboard.press("Enter")
    asked(text_page, "words")
    first = text_page.locator(".grid-cell .grid-text").first
    expect(first).to_contain_text("card")
    assert "arriv" in first.inner_text() or "card" in first.inner_text()


def test_a_click_on_a_text_searches_by_it(text_page: Page) -> None:
    start(text_page)
    chosen = shown(text_page)[0]
    pick(text_page, chosen)
    asked(text_page, f"item%3A{chosen}")
    assert chosen not in shown(text_page)
    assert len(shown(text_page)) > 5


def test_a_hostile_text_stays_text(text_page: Page) -> None:
    start(text_page)
    text_page.keyboard.press("/")
    text_page.keyboard.type("img src onerror hacked endless")
    text_page.keyboard.press("Enter")
    asked(text_page, "words")
    expect(text_page.locator(".grid-text", has_text="onerror")).to_be_visible()
    assert text_page.evaluate("window.hacked") is None
    assert text_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
