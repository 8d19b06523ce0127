"""The hits: their order and layout, near copies, the line, the large view and votes."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from page_actions import asked, by_item, choose, do, expect_votes, pick, search_by, settle, shown, start
from page_server import PageServer
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

ROWS = """() => {
  const rows = new Map();
  for (const cell of document.querySelectorAll(".grid-cell:not(.is-waiting)")) {
    const box = cell.querySelector(".grid-pick").getBoundingClientRect();
    const top = Math.round(box.top);
    rows.set(top, [...(rows.get(top) ?? []), [box.left, box.right, box.height]]);
  }
  return [...rows.values()];
}"""
PLACES = """() => {
  const cells = [...document.querySelectorAll(".grid-cell:not(.is-waiting)")];
  return Object.fromEntries(cells.map((cell) => {
    const { left, top, width, height } = cell.getBoundingClientRect();
    return [cell.dataset.id, [left, top + scrollY, width, height].map(Math.round)];
  }));
}"""
OBSERVE_SHIFTS = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""


def _answer(server: PageServer, item: int) -> dict[str, object]:
    body = json.dumps({"examples": [{"item": item, "weight": 1}], "k": 40}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.address}/api/search", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def test_photos_of_the_same_kind_come_first(page: Page, server: PageServer) -> None:
    start(page)
    pandas = server.ids_of("panda")
    page.goto("/#where=folder%3D" + "x")  # another address first, so that a click has something to change
    search_by(page, pandas[0])
    assert set(shown(page)[:5]) <= set(pandas)
    pick(page, shown(page)[0])
    page.wait_for_url(lambda url: by_item(pandas[0])[1:].replace(":", "%3A") not in url)
    settle(page)
    assert len(set(shown(page)[:5]) & set(pandas)) >= 4


def test_hits_are_those_of_the_api_in_its_order(page: Page, server: PageServer) -> None:
    pizza = server.ids_of("pizza")[0]
    told = [hit for hit in _answer(server, pizza)["hits"] if "copy_of" not in hit]  # type: ignore[attr-defined]
    found = [hit["id"] for hit in told]
    search_by(page, pizza)
    ours = shown(page)
    assert ours[: len(found)] == found[: len(ours)]
    scores = page.locator(".grid-score").all_text_contents()
    assert scores == [f"{hit['score']:.2f}" for hit in told][: len(scores)]


def test_start_shows_photos_of_the_collection(page: Page, server: PageServer) -> None:
    start(page)
    expect(page.get_by_role("heading", name="Find photos that look alike")).to_be_visible()
    assert set(shown(page)) <= set(server.items().values())
    assert page.locator(".grid-score").count() == 0


def test_rows_fill_the_width_and_are_equally_high(page: Page) -> None:
    start(page)
    rows = page.evaluate(ROWS)
    left = min(box[0] for row in rows for box in row)
    right = max(box[1] for row in rows for box in row)
    assert len(rows) > 3
    for row in rows:
        assert max(box[2] for box in row) - min(box[2] for box in row) < 1
        assert row[0][0] == pytest.approx(left, abs=1)
        assert row[-1][1] == pytest.approx(right, abs=1)


def test_scrolling_brings_all_photos_and_moves_none(page: Page, server: PageServer) -> None:
    start(page)
    before = page.evaluate(PLACES)
    for _ in range(30):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
        if len(shown(page)) == len(server.items()):
            break
    assert sorted(shown(page)) == sorted(server.items().values())
    after = page.evaluate(PLACES)
    assert {name: after[name] for name in before} == before


def test_pictures_are_fetched_as_they_come_near(page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: "/thumbnail" in request.url and fetched.append(request.url))
    start(page)
    assert 0 < len(fetched) < 60
    page.wait_for_timeout(300)
    assert all("size=320&v=" in url or "size=640&v=" in url for url in fetched)


def test_nothing_jumps(page: Page, server: PageServer) -> None:
    page.route("**/thumbnail*", lambda route: (page.wait_for_timeout(5), route.continue_()))
    page.add_init_script(f"({OBSERVE_SHIFTS})()")
    start(page)
    assert page.evaluate("window.shift") < 0.02
    page.goto("about:blank")
    search_by(page, server.ids_of("panda")[0])
    assert page.evaluate("window.shift") < 0.02


def test_photos_without_known_size_keep_their_place(page: Page, server: PageServer) -> None:
    def strip(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        found = answer.json()
        for item in found["items"]:
            item["metadata"] = {}
        route.fulfill(json=found)  # type: ignore[attr-defined]

    page.route("**/api/items?*", strip)
    page.goto("/")
    page.wait_for_selector(".grid-cell")
    before = page.evaluate(PLACES)
    settle(page)
    after = page.evaluate(PLACES)
    assert {name: after[name] for name in before} == before
    aspect = page.locator(".grid-pick").first.evaluate("(pick) => pick.clientWidth / pick.clientHeight")
    assert aspect == pytest.approx(4 / 3, abs=0.02)


def test_near_copies_are_folded_into_one(page: Page, server: PageServer) -> None:
    edits = set(server.ids_of("edits"))
    search_by(page, server.items()["edits/aaa-orig.jpg"])
    fold = page.locator(".grid-fold").first
    count = int(fold.inner_text().split()[0].removeprefix("+"))
    before = shown(page)
    assert count >= 3
    assert "near cop" in fold.inner_text()
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    unfolded = shown(page)
    assert unfolded[0] == before[0]
    copies = set(unfolded[1 : 1 + count])
    assert copies <= edits - set(before)
    titles = [each.get_attribute("title") or "" for each in page.locator(".is-copy .grid-pick").all()]
    assert any(title.endswith("-a-lot.jpg (larger)") for title in titles), titles
    fold.click()
    folded = shown(page)
    assert folded[: len(before)] == before  # further hits may have come below
    assert not copies & set(folded)


def test_line_tells_chance_apart(page: Page, server: PageServer) -> None:
    panda = server.ids_of("panda")[0]
    background = _answer(server, panda)["background"]
    search_by(page, panda)
    expect(page.locator(".grid-line")).to_have_count(1)
    around = page.locator(".grid-line").evaluate(
        """(line) => {
          const scores = [...document.querySelectorAll(".grid-cell")].map((cell) => [
            line.compareDocumentPosition(cell) === 4, Number(cell.style.getPropertyValue("--score"))]);
          return [Math.min(...scores.filter(([below]) => !below).map(([, score]) => score)),
                  Math.max(...scores.filter(([below]) => below).map(([, score]) => score))];
        }"""
    )
    assert around[0] >= background > around[1]


def test_large_view_shows_photo_and_facts(page: Page, server: PageServer) -> None:
    start(page, "#where=camera%3DPixel+3a")
    first, second = shown(page)
    do(page, first, "open")
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("heading")).to_have_text("dated2.jpg")
    for fact in ("2019-07-14 18:03:11", "Pixel 3a", "52.1000° N, 4.3000° E", "/dated"):
        expect(viewer.locator("dl")).to_contain_text(fact)
    page.wait_for_function("() => document.querySelector('#viewer img').naturalWidth > 320")
    address = viewer.get_by_role("link", name="Original photo").get_attribute("href")
    assert address == f"/api/items/{first}/photo"
    assert page.request.get(address).headers["content-type"] == "image/jpeg"
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading")).to_have_text("dated3.jpg")
    viewer.get_by_label("Previous photo").click()
    expect(viewer.get_by_role("heading")).to_have_text("dated2.jpg")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    do(page, second, "open")
    viewer.get_by_role("button", name="Search by this photo").click()
    asked(page, f"item%3A{second}")
    expect(viewer).to_be_hidden()


def test_votes_are_kept_shown_again_and_withdrawn(page: Page, server: PageServer) -> None:
    starfish = server.ids_of("starfish")[1]
    search_by(page, starfish)
    good, bad = shown(page)[:2]
    do(page, good, "up")
    do(page, bad, "down")

    def pressed(item: int, name: str) -> bool:
        button = page.locator(f'.grid-cell[data-id="{item}"] [data-name="{name}"]')
        return button.get_attribute("aria-pressed") == "true"

    assert pressed(good, "up")
    assert not pressed(good, "down")
    expect_votes(page, server, {good: 1, bad: -1})
    page.reload()
    settle(page)
    page.wait_for_selector("[data-name=down][aria-pressed=true]")
    assert pressed(good, "up")
    do(page, good, "up")
    do(page, bad, "down")
    assert not pressed(good, "up")
    expect_votes(page, server, {})


def test_votes_on_an_uploaded_query_are_shown_when_it_comes_again(
    page: Page, server: PageServer, photo_folder: Path
) -> None:
    start(page)
    choose(page, sorted((photo_folder / "cup").iterdir())[0])
    asked(page, "upload")
    item = shown(page)[1]
    do(page, item, "up")
    expect_votes(page, server, {item: 1})
    page.click(".brand")
    asked(page, "#$")
    choose(page, sorted((photo_folder / "cup").iterdir())[0])
    asked(page, "upload")
    page.wait_for_selector(f'.grid-cell[data-id="{item}"] [data-name=up][aria-pressed=true]')
    do(page, item, "up")
    expect_votes(page, server, {})


def test_hits_can_be_ordered_by_score_alone(page: Page, server: PageServer) -> None:
    search_by(page, server.ids_of("panda")[1])
    expect(page.get_by_text("Hits that are like other hits move up.")).to_be_visible()
    vouched = shown(page)
    with page.expect_request("**/api/search") as asking:
        page.get_by_label("By score alone").check()
    assert json.loads(asking.value.post_data or "")["rerank"] is False
    asked(page, "plain=1")
    plain = shown(page)
    assert plain[:20] != vouched[:20] and plain[0] == vouched[0]
    scores = [float(text) for text in page.locator(".grid-score").all_text_contents()]
    assert scores == sorted(scores, reverse=True) and len(scores) > 10
    page.reload()
    settle(page)
    expect(page.get_by_label("By score alone")).to_be_checked()
    assert shown(page)[:20] == plain[:20]  # how many more there are depends on the moment
    page.get_by_label("By score alone").uncheck()
    expect(page).not_to_have_url(re.compile("plain"))
    settle(page)
    assert shown(page)[:20] == vouched[:20]
    start(page)
    expect(page.get_by_label("By score alone")).to_be_hidden()
