"""A collection of texts in the page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from page_actions import NewPage, asked, pick, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

from axe_helpers import axe_faults
from lookalike import Collection

HOSTILE = "<img src=x onerror=window.hacked=1> \u202etfel ot thgir\u2066 " + "endless" * 60


@pytest.fixture(scope="module")
def server(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
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
def text_page(new_page: NewPage) -> Page:
    return new_page()


def test_words_bring_texts_to_read(text_page: Page) -> None:
    start(text_page)
    text_page.keyboard.press("/")
    text_page.keyboard.type("my card has not arrived")
    text_page.keyboard.press("Enter")
    asked(text_page, "words")
    first = text_page.locator(".grid-cell .grid-text").first
    expect(first).to_contain_text("card")
    assert "arriv" in first.inner_text() or "card" in first.inner_text()


def test_a_text_lies_in_the_direction_of_its_script(text_page: Page) -> None:
    start(text_page)
    direction = "(element) => getComputedStyle(element).direction"
    field = text_page.locator("#text")
    for words, wanted in (("وصلت البطاقة", "rtl"), ("הכרטיס הגיע", "rtl"), ("my card", "ltr")):
        field.fill(words)
        assert field.evaluate(direction) == wanted
    text = text_page.locator(".grid-cell .grid-text").first
    assert text.evaluate(direction) == "ltr"
    text.evaluate("(element) => element.replaceChildren('هل وصلت البطاقة؟')")
    assert text.evaluate(direction) == "rtl"


def test_a_click_on_a_text_searches_by_it(text_page: Page) -> None:
    start(text_page)
    chosen = shown(text_page)[0]
    pick(text_page, chosen)
    asked(text_page, f"item%3A{chosen}")
    assert chosen not in shown(text_page)
    assert len(shown(text_page)) > 5


def look_for(page: Page, words: str) -> None:
    start(page)
    page.keyboard.press("/")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    asked(page, "words")


def test_texts_are_rows_and_nothing_speaks_of_photos(text_page: Page) -> None:
    look_for(text_page, "my card has not arrived")
    expect(text_page.locator("#title")).to_have_text("Texts that mean the same")
    tops = text_page.locator(".grid-cell").evaluate_all("(cells) => cells.map((cell) => cell.offsetTop)")
    assert len(set(tops)) == len(tops) > 5
    assert not text_page.locator("label.button:visible, .drop:visible, #frame:visible").count()
    assert not re.search(r"\bphotos?\b", text_page.locator("body").inner_text(), re.IGNORECASE)
    assert text_page.locator(".grid-cell img").count() == 0
    expect(text_page.locator(".grid-text small").first).to_contain_text("category: card_arrival")


def test_words_that_the_query_has_are_marked(text_page: Page) -> None:
    look_for(text_page, "tracking MY card")
    marked = text_page.locator(".grid-text mark").all_text_contents()
    assert {word.lower() for word in marked} <= {"tracking", "card"}  # not "my"
    assert any(word.lower() == "card" for word in marked)


def test_in_a_text_nearly_the_same_what_differs_is_marked(text_page: Page) -> None:
    start(text_page)
    first = text_page.evaluate("fetch('/api/items?limit=1').then((answer) => answer.json())")["items"][0]
    look_for(text_page, first["text"].replace("card", "parcel"))
    row = text_page.locator(f'.grid-cell[data-id="{first["id"]}"] .grid-text')
    assert row.locator("ins").all_text_contents() == ["card"]
    assert row.locator("mark").count() == 0


def test_exact_words_can_count_too(text_page: Page) -> None:
    look_for(text_page, "delivered tracking")
    before = shown(text_page)
    with text_page.expect_request("**/api/search") as asking:
        text_page.get_by_label("exact words, too").check()
    assert json.loads(asking.value.post_data or "")["hybrid"] is True
    asked(text_page, "hybrid")
    expect(text_page.locator(".grid-text small", has_text="these words").first).to_be_visible()
    assert shown(text_page) != before
    text_page.reload()
    expect(text_page.get_by_label("exact words, too")).to_be_checked()
    text_page.go_back()
    expect(text_page.get_by_label("exact words, too")).not_to_be_checked()


def test_a_score_says_what_it_means(text_page: Page) -> None:
    look_for(text_page, "my card has not arrived")
    said = text_page.locator(".grid-text small").first.inner_text()
    assert re.match(r"closer than 9\d(\.\d+)? % of random pairs · ", said), said
    assert text_page.locator(".grid-score").first.get_attribute("title") == said.split(" · ")[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_among_texts(new_page: NewPage, scheme: Literal["light", "dark"]) -> None:
    page = new_page(color_scheme=scheme, bypass_csp=True)
    look_for(page, "tracking my card")
    assert axe_faults(page) == []


def test_on_a_phone_texts_fit(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True)
    look_for(page, "tracking my card")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".grid-text").first).to_be_visible()


def test_a_hostile_text_stays_text(text_page: Page) -> None:
    start(text_page)
    text_page.keyboard.press("/")
    text_page.keyboard.type("img src onerror hacked endless")
    text_page.keyboard.press("Enter")
    asked(text_page, "words")
    expect(text_page.locator(".grid-text", has_text="onerror")).to_be_visible()
    assert text_page.evaluate("window.hacked") is None
    assert text_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
