"""Reviewing copies in a real browser, by the keyboard alone."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from copies_server import copies_served
from page_actions import Faults
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, Route, expect

from axe_helpers import axe_faults
from fake_copies import CollectionWithCopies, Family, Found
from lookalike import Collection
from lookalike.decisions import Verdict
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder

SMALLER = (("smaller",), (1.0, 0.0, 0.0, 1.0, 0.0, 0.0))
MIRRORED = (("mirrored",), (-1.0, 0.0, 0.0, 1.0, 1.0, 0.0))
CROPPED = (("cropped", "smaller"), (0.5, 0.0, 0.0, 0.5, 0.25, 0.25))
SAVED_ANEW = (("saved anew",), None)
HACK = "<img src=x onerror=window.hacked=1>.png"
LONG = f"\u202egpj{'a very long name ' * 8}.png"


@dataclass
class Shown:
    """A server and what it serves."""

    address: str
    collection: CollectionWithCopies
    photos: Path

    @property
    def found(self) -> Found:
        return self.collection.found

    def decided(self) -> dict[frozenset[str], Verdict | None]:
        """The verdicts by the names of the photos."""
        name = {item.content_hash: Path(item.uri).name for item in self.collection.items()}
        return {
            frozenset([name[each.first], name[each.second]]): each.verdict
            for each in self.collection.decisions()
        }

    def best(self) -> list[str]:
        """The names of those that were decided to be better than another."""
        name = {item.content_hash: Path(item.uri).name for item in self.collection.items()}
        verdicts = [(each.first, each.second, each.verdict) for each in self.collection.decisions()]
        firsts = [name[first] for first, _, verdict in verdicts if verdict == "first is best"]
        return firsts + [name[second] for _, second, verdict in verdicts if verdict == "second is best"]


@pytest.fixture
def photos(tmp_path: Path, make_photo) -> Path:
    """Photos a to e, and copies of them."""
    folder = tmp_path / "photos"
    for seed, name in enumerate("abcde"):
        make_photo(folder / f"{name}.png", seed, size=(480, 320))
    with Image.open(folder / "a.png") as photo:
        photo.resize((240, 160)).save(folder / "a small.png")
    with Image.open(folder / "b.png") as photo:
        photo.crop((120, 80, 360, 240)).save(folder / "b crop.png")
        ImageOps.mirror(photo).save(folder / "b mirror.png")
        photo.save(folder / "b anew.jpg")
    for name in ("c", "d"):
        with Image.open(folder / f"{name}.png") as photo:
            photo.resize((120, 80)).save(folder / f"{name} small.png")
    return folder


@pytest.fixture
def families() -> list[Family]:
    return [
        Family("a.png", {"a small.png": SMALLER}, ("more pixels", "original facts")),
        Family("b.png", {"b crop.png": CROPPED, "b mirror.png": MIRRORED, "b anew.jpg": SAVED_ANEW}),
        Family("c.png", {"c small.png": SMALLER}),
        Family("d.png", {"d small.png": SMALLER}),
    ]


@pytest.fixture
def removal() -> bool:
    return False


@pytest.fixture
def shown(tmp_path: Path, photos: Path, families: list[Family], removal: bool) -> Iterator[Shown]:
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(photos)
    found = Found(families, is_looked_at=True)
    with copies_served(tmp_path / "c.lookalike", found, removal=removal) as (address, collection):
        yield Shown(address, collection, photos)


@pytest.fixture
def page(browser: Browser, shown: Shown, faults: Faults) -> Iterator[Page]:
    page = opened(browser, shown, faults)
    yield page
    page.context.close()


def opened(browser: Browser, shown: Shown, faults: Faults, **options: object) -> Page:
    """The page, with its first group."""
    given = {"viewport": {"width": 1280, "height": 800}, "base_url": shown.address, **options}
    context = browser.new_context(**given)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and faults.seen.append(message.text))
    page.on("pageerror", lambda error: faults.seen.append(str(error)))
    page.goto("/copies")
    return page


def see(page: Page, best: str, copy: str) -> None:
    """Wait until these two are compared, and nothing is under way."""
    expect(page.locator("#pair")).to_be_visible()
    expect(page.locator("#best bdi")).to_have_text(best)
    expect(page.locator("#copy bdi")).to_have_text(copy)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def see_end(page: Page, said: str) -> None:
    """Wait until it says that no group follows."""
    expect(page.locator("#end h2")).to_have_text(said)
    expect(page.locator("#end")).to_be_visible()
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def progress(page: Page, said: str) -> None:
    expect(page.locator("#progress")).to_have_text(said)


def test_all_groups_are_decided_by_keys_alone_and_remembered(page: Page, shown: Shown) -> None:
    see(page, "a.png", "a small.png")
    progress(page, "0 of 4 groups decided")
    page.keyboard.press("1")
    see(page, "b.png", "b crop.png")
    progress(page, "1 of 4 groups decided")
    assert shown.best() == ["a.png"]
    page.keyboard.press("k")
    see(page, "c.png", "c small.png")
    page.keyboard.press("n")
    see(page, "d.png", "d small.png")
    page.keyboard.press("2")
    see_end(page, "All 4 groups decided")
    progress(page, "4 of 4 groups decided")
    verdicts = shown.decided()
    four = ["b.png", "b crop.png", "b mirror.png", "b anew.jpg"]
    assert {names for names, verdict in verdicts.items() if verdict == "keep both"} == {
        frozenset([one, other]) for one in four for other in four if one < other
    }
    assert verdicts[frozenset(["c.png", "c small.png"])] == "different"
    assert sorted(shown.best()) == ["a.png", "d small.png"]
    page.reload()
    see_end(page, "All 4 groups decided")
    page.keyboard.press("Enter")  # look at them again
    see(page, "a.png", "a small.png")
    expect(page.locator("#best span")).to_have_text("suggested · decided")
    expect(page).to_have_url(re.compile("state=all"))


def test_each_member_can_be_the_best(page: Page, shown: Shown) -> None:
    see(page, "a.png", "a small.png")
    page.keyboard.press("ArrowRight")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("]")
    see(page, "b.png", "b mirror.png")
    expect(page.locator("[data-do=keepRight] kbd")).to_have_text("3")
    page.keyboard.press("4")
    see(page, "c.png", "c small.png")
    assert shown.best() == ["b anew.jpg"] * 3


def test_one_that_is_no_copy_leaves_the_group(page: Page, shown: Shown) -> None:
    see(page, "a.png", "a small.png")
    page.keyboard.press("Enter")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("[")
    see(page, "b.png", "b anew.jpg")
    page.keyboard.press("n")
    see(page, "b.png", "b mirror.png")
    expect(page.locator("[data-do=keepAll]")).to_contain_text("Keep all 3")
    assert shown.decided() == {frozenset(["b.png", "b anew.jpg"]): "different"}
    progress(page, "0 of 4 groups decided")
    page.keyboard.press("k")
    see(page, "c.png", "c small.png")
    assert shown.decided()[frozenset(["b crop.png", "b mirror.png"])] == "keep both"
    for left in ("Keep all 3", "Keep all 4"):
        page.keyboard.press("u")
        see(page, "b.png", "b crop.png")
        expect(page.locator("[data-do=keepAll]")).to_contain_text(left)
    assert shown.decided() == {}


def test_the_last_decision_is_undone(page: Page, shown: Shown) -> None:
    expect(page.locator("[data-do=undo]")).to_be_disabled()
    see(page, "a.png", "a small.png")
    page.keyboard.press("n")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("ArrowRight")
    see(page, "c.png", "c small.png")
    page.keyboard.press("u")
    see(page, "a.png", "a small.png")
    progress(page, "0 of 4 groups decided")
    assert shown.decided() == {}
    page.reload()
    see(page, "a.png", "a small.png")


def test_what_was_passed_over_comes_again(page: Page) -> None:
    see(page, "a.png", "a small.png")
    page.keyboard.press("k")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("ArrowRight")
    see(page, "c.png", "c small.png")
    page.keyboard.press("ArrowLeft")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("k")
    see(page, "c.png", "c small.png")
    page.keyboard.press("Enter")
    see(page, "d.png", "d small.png")
    page.keyboard.press("Enter")
    see_end(page, "2 groups left to decide")
    page.keyboard.press("Enter")
    see(page, "c.png", "c small.png")
    progress(page, "2 of 4 groups decided")


def test_a_decision_that_is_not_kept_is_told_and_the_group_stays(
    page: Page, shown: Shown, faults: Faults
) -> None:
    see(page, "a.png", "a small.png")
    error = {"error": {"code": "failed", "message": "the disk is full"}}
    page.route("**/api/copies/decisions", lambda route: route.fulfill(status=500, json=error))
    page.keyboard.press("k")
    expect(page.get_by_role("alert")).to_contain_text("the disk is full")
    see(page, "a.png", "a small.png")
    progress(page, "0 of 4 groups decided")
    expect(page.locator("[data-do=undo]")).to_be_disabled()
    page.unroute("**/api/copies/decisions")
    page.get_by_role("button", name="Try again").press("Enter")
    see(page, "b.png", "b crop.png")
    expect(page.get_by_role("alert")).to_be_hidden()
    assert list(shown.decided().values()) == ["keep both"]
    faults.forgive("500")


def test_a_server_that_is_gone_is_told(page: Page, shown: Shown, faults: Faults) -> None:
    see(page, "a.png", "a small.png")
    page.route("**/api/copies/**", lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("lookalike does not answer")
    see(page, "a.png", "a small.png")
    assert shown.decided() == {}
    faults.forgive("ERR_FAILED")


def test_nothing_goes_on_before_a_decision_is_kept(page: Page, shown: Shown) -> None:
    see(page, "a.png", "a small.png")
    held: list[Route] = []
    page.route("**/api/copies/decisions", lambda route: held.append(route))  # noqa: PLW0108
    with page.expect_request("**/api/copies/decisions"):
        page.keyboard.press("k")
    page.keyboard.press("n")
    page.keyboard.press("ArrowRight")
    expect(page.locator("main")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#best bdi")).to_have_text("a.png")
    assert len(held) == 1
    held[0].continue_()
    see(page, "b.png", "b crop.png")
    assert list(shown.decided().values()) == ["keep both"]


def test_more_groups_than_one_page_are_all_shown_once(
    browser: Browser, shown: Shown, make_photo, faults: Faults
) -> None:
    for seed in range(60):
        make_photo(shown.photos / f"x{seed:02}.png", 100 + seed)
    shown.collection.add(shown.photos)
    shown.found.families = [Family(f"x{at:02}.png", {f"x{at + 1:02}.png": SMALLER}) for at in range(0, 60, 2)]
    page = opened(browser, shown, faults)
    for at in range(0, 60, 2):
        see(page, f"x{at:02}.png", f"x{at + 1:02}.png")
        page.keyboard.press("k" if at % 3 else "n")
    see_end(page, "All 30 groups decided")
    progress(page, "30 of 30 groups decided")
    assert len(shown.decided()) == 30
    page.context.close()


PLACES = """() => ['#best .base', '#copy .top'].map((selector) => {
  const { left, top, width, height } = document.querySelector(selector).getBoundingClientRect();
  const stage = document.querySelector(selector).closest('.stage').getBoundingClientRect();
  return [left - stage.left, top - stage.top, width, height];
})"""


def places(page: Page) -> tuple[list[float], list[float]]:
    """Left, top, width and height of both pictures within their stages."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.stage img')].every((img) => img.complete && img.naturalWidth)"
    )
    best, copy = page.evaluate(PLACES)
    return best, copy


def test_a_copy_lies_where_it_belongs(page: Page) -> None:
    see(page, "a.png", "a small.png")
    best, copy = places(page)
    assert copy == pytest.approx(best, abs=1)
    page.keyboard.press("Enter")
    see(page, "b.png", "b crop.png")
    best, copy = places(page)
    left, top, width, height = best
    assert copy == pytest.approx(
        [left + width / 4, top + height * 0.375, width / 2, height / 2], abs=1
    )  # the mapping is in lengths of the longest side
    page.keyboard.press("a")
    best, copy = places(page)
    assert copy == pytest.approx(best, abs=1)
    page.keyboard.press("a")
    page.keyboard.press("]")
    see(page, "b.png", "b mirror.png")
    best, copy = places(page)
    assert copy == pytest.approx(best, abs=1)
    matrix = page.locator("#copy .top").evaluate("(img) => new DOMMatrix(getComputedStyle(img).transform).a")
    assert matrix == -1


def test_both_are_zoomed_and_moved_together(page: Page) -> None:
    see(page, "a.png", "a small.png")
    before, _ = places(page)
    page.keyboard.press("+")
    best, copy = places(page)
    assert best[2] == pytest.approx(before[2] * 1.5, abs=1)
    assert copy == pytest.approx(best, abs=1)
    stage = page.locator("#copy .stage").bounding_box()
    assert stage is not None
    page.mouse.move(stage["x"] + 200, stage["y"] + 200)
    page.mouse.down()
    page.mouse.move(stage["x"] + 160, stage["y"] + 180)
    page.mouse.up()
    moved, copy = places(page)
    assert moved[0] == pytest.approx(best[0] - 40, abs=1) and moved[1] == pytest.approx(best[1] - 20, abs=1)
    assert copy == pytest.approx(moved, abs=1)
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "(wide) => document.querySelector('#best .base').getBoundingClientRect().width > wide + 1",
        arg=moved[2],
    )
    best, copy = places(page)
    assert copy == pytest.approx(best, abs=1)
    page.keyboard.press("-")
    assert places(page)[0][2] < best[2]
    page.keyboard.press("0")
    assert places(page)[0] == pytest.approx(before, abs=1)


def test_differences_are_shown_at_one_place(page: Page) -> None:
    see(page, "a.png", "a small.png")
    places(page)
    top = page.locator("#copy .top")
    page.keyboard.press("d")
    expect(page.locator("[data-do=difference]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#best")).to_be_hidden()
    expect(top).to_have_css("mix-blend-mode", "difference")
    page.keyboard.press("b")
    expect(page.locator("[data-do=difference]")).to_have_attribute("aria-pressed", "false")
    expect(top).to_have_css("animation-name", "blink")
    page.keyboard.press("b")
    expect(page.locator("#best")).to_be_visible()
    expect(top).to_have_css("animation-name", "none")


def test_blinking_lasts_as_long_as_the_key_is_held(page: Page) -> None:
    see(page, "a.png", "a small.png")
    page.keyboard.down("b")
    expect(page.locator("#best")).to_be_hidden()
    page.wait_for_function(
        "(begun) => performance.now() - begun > 500", arg=page.evaluate("performance.now()")
    )
    page.keyboard.up("b")
    expect(page.locator("#best")).to_be_visible()


def test_of_a_very_large_group_it_says_how_much_is_shown(page: Page) -> None:
    def larger(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json={**told, "groups": [{**group, "size": 10_000} for group in told["groups"]]})

    page.route("**/api/copies?*", larger)
    page.reload()
    see(page, "a.png", "a small.png")
    expect(page.locator("#best span")).to_have_text("suggested · the first 500 of 10,000")


def test_blinking_by_hand_for_who_wants_no_motion(browser: Browser, shown: Shown, faults: Faults) -> None:
    page = opened(browser, shown, faults, reduced_motion="reduce")
    see(page, "a.png", "a small.png")
    top = page.locator("#copy .top")
    page.keyboard.press("b")
    expect(top).to_have_css("animation-name", "none")
    expect(top).to_have_css("opacity", "1")
    page.keyboard.press("b")
    expect(top).to_have_css("opacity", "0")
    expect(page.locator("#best")).to_be_hidden()
    page.keyboard.press("b")
    expect(page.locator("#best")).to_be_visible()
    page.context.close()


def test_facts_that_differ_stand_out(page: Page, shown: Shown) -> None:
    see(page, "a.png", "a small.png")
    row = page.locator("#facts tr", has_text="Pixels").first
    expect(row).to_have_class("differs")
    expect(row.locator("td")).to_have_text(["480 × 320", "240 × 160"])
    sizes = [f"{(shown.photos / name).stat().st_size:,}" for name in ("a.png", "a small.png")]
    expect(page.locator("#facts tr", has_text="Bytes").locator("td")).to_have_text(sizes)
    expect(page.locator("#facts tr", has_text="Folder")).not_to_have_class("differs")
    how = page.locator("#facts tr", has_text="How").locator("td")
    expect(how).to_have_text(["the best one: more pixels, original facts", "a copy: smaller"])


def test_each_level_has_its_groups_and_the_address_says_which(page: Page, shown: Shown) -> None:
    shown.found.families.append(Family("e.png", {"a.png": (("same scene",), None)}, level="scene"))
    see(page, "a.png", "a small.png")
    page.locator("#level").select_option("scene")
    see(page, "e.png", "a.png")
    progress(page, "0 of 1 group decided")
    page.reload()
    see(page, "e.png", "a.png")
    expect(page.locator("#level")).to_have_value("scene")
    page.locator("#level").select_option("file")
    see_end(page, "No copies found among 11 photos")


@pytest.mark.parametrize("removal", [True])
def test_of_the_same_file_only_places_are_chosen(browser: Browser, shown: Shown, faults: Faults) -> None:
    shutil.copy(shown.photos / "a.png", shown.photos / "a again.png")
    shown.collection.add(shown.photos)
    same = {"a again.png": (("same file",), None)}
    shown.found.families = [Family("a.png", same, level="file"), Family("a.png", same)]
    page = opened(browser, shown, faults)
    for level, said in (("photo", "0 of 1 group decided"), ("file", "1 group")):
        page.locator("#level").select_option(level)
        progress(page, said)
        see(page, "a.png", "a again.png")
        expect(page.locator("#same")).to_be_visible()
        expect(page.get_by_role("button", name="Keep both")).to_be_hidden()
        page.locator("#level").blur()
        for key in "k1n":
            page.keyboard.press(key)
            expect(page.locator("#toast")).to_contain_text("These are the same file")
        expect(page.locator("#problem")).to_be_hidden()
        see(page, "a.png", "a again.png")
    assert shown.decided() == {}
    page.keyboard.press("Enter")
    see_end(page, "That was all: 1 group")
    expect(page.locator("#same")).to_be_hidden()
    page.keyboard.press("Enter")
    see(page, "a.png", "a again.png")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("1 file moved to the trash.")
    assert shown.found.trashed == [["a again.png"]]
    faults.forgive("404")  # small pictures that were still asked for
    page.context.close()


def test_what_is_found_meanwhile_is_shown(browser: Browser, shown: Shown, faults: Faults) -> None:
    shown.found.is_looked_at = False
    for family in shown.found.families:
        family.is_hidden = True
    page = opened(browser, shown, faults)
    see_end(page, "No copies found among 11 photos so far")
    expect(page.locator("#end p")).to_contain_text("6 are still being compared")
    expect(page.locator("#looking")).to_contain_text("being compared closely (50 % done)")
    shown.found.go_on.set()
    see(page, "a.png", "a small.png")
    expect(page.locator("#looking")).to_have_text("")
    progress(page, "0 of 4 groups decided")
    page.context.close()


def test_what_ended_the_comparing_is_told(browser: Browser, shown: Shown, faults: Faults) -> None:
    shown.found.is_looked_at, shown.found.error = False, OSError(28, "No space left on device")
    page = opened(browser, shown, faults)
    expect(page.locator("#looking")).to_contain_text(
        "groups may be missing: something cannot be read: No space"
    )
    see(page, "a.png", "a small.png")
    page.context.close()


@pytest.mark.parametrize("removal", [True])
def test_the_others_go_only_after_it_was_confirmed(page: Page, shown: Shown, faults: Faults) -> None:
    see(page, "a.png", "a small.png")
    page.keyboard.press("Enter")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="Move to the trash?")
    expect(dialog.locator("li")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert shown.found.trashed == []
    shown.found.stay = {"b crop.png": "it was changed"}
    page.keyboard.press("r")
    page.keyboard.press("3")
    expect(dialog.locator("li")).to_contain_text(["b.png", "b crop.png", "b anew.jpg"])
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("2 files moved to the trash. 1 file stayed: it was changed.")
    assert shown.found.trashed == [["b.png", "b crop.png", "b anew.jpg"]]
    assert not (shown.photos / "b.png").exists() and (shown.photos / "b mirror.png").exists()
    see(page, "b crop.png", "b mirror.png")
    page.keyboard.press("Enter")
    see(page, "c.png", "c small.png")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    see(page, "d.png", "d small.png")
    assert (shown.photos / "c.png").exists() and not (shown.photos / "c small.png").exists()
    progress(page, "0 of 3 groups decided")
    faults.forgive("404")  # small pictures that were still asked for


def test_nothing_can_be_removed_where_the_server_does_not_allow_it(page: Page) -> None:
    see(page, "a.png", "a small.png")
    expect(page.get_by_role("button", name="Remove the others")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#removal")).to_be_hidden()


def test_photos_that_are_gone_are_told(page: Page, shown: Shown, faults: Faults) -> None:
    see(page, "a.png", "a small.png")
    for name in ("c.png", "c small.png"):
        (shown.photos / name).unlink()
    page.keyboard.press("k")
    see(page, "b.png", "b crop.png")
    page.keyboard.press("k")
    see(page, "c.png", "c small.png")
    expect(page.locator("#best .is-gone")).to_have_text("Its file cannot be shown any more.")
    expect(page.locator("#copy .is-gone").last).to_have_text("Its file cannot be shown any more.")
    faults.forgive("404")


@pytest.mark.parametrize("removal", [True])
@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_names_are_shown_as_text(
    browser: Browser, shown: Shown, make_photo, faults: Faults, width: int
) -> None:
    for seed, name in enumerate((HACK, LONG)):
        make_photo(shown.photos / name, 50 + seed)
    shown.collection.add(shown.photos)
    shown.found.families = [Family(HACK, {LONG: SMALLER, "a.png": SMALLER})]
    page = opened(browser, shown, faults, viewport={"width": width, "height": 800})
    expect(page.locator("#best bdi")).to_have_text(HACK)
    expect(page.locator("#copy bdi")).to_have_text(LONG)
    expect(page.locator("#facts td").first).to_have_text(HACK)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("r")
    expect(page.locator("#removal option").first).to_have_text(f"1 · {HACK}")
    page.keyboard.press("3")
    expect(page.locator("#removal li").first).to_contain_text(HACK)
    assert page.evaluate("() => document.querySelector('#removal').scrollWidth <= innerWidth")
    assert page.evaluate("() => window.hacked") is None
    page.context.close()


@pytest.mark.parametrize("removal", [True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_for_everyone(
    browser: Browser, shown: Shown, faults: Faults, scheme: Literal["light", "dark"], width: int
) -> None:
    viewport = {"width": width, "height": 700}
    page = opened(browser, shown, faults, viewport=viewport, color_scheme=scheme, bypass_csp=True)
    see(page, "a.png", "a small.png")
    page.keyboard.press("Enter")
    see(page, "b.png", "b crop.png")
    places(page)
    assert axe_faults(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("r")
    expect(page.locator("#removal")).to_be_visible()
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep all 4").press("Enter")
    see(page, "c.png", "c small.png")
    expect(page.locator("#said")).to_have_text("c.png and c small.png: smaller")
    page.locator("[data-do=keepAll]").press("Enter")
    see(page, "d.png", "d small.png")
    page.locator("[data-do=keepAll]").press("Enter")
    see_end(page, "1 group left to decide")
    expect(page.locator("#end button")).to_be_focused()
    assert axe_faults(page) == []
    page.context.close()


def test_a_phone_decides_by_touch(browser: Browser, shown: Shown, faults: Faults) -> None:
    phone = {"width": 360, "height": 700}
    page = opened(browser, shown, faults, viewport=phone, has_touch=True, is_mobile=True)
    see(page, "a.png", "a small.png")
    page.get_by_role("button", name="Keep suggested").tap()
    see(page, "b.png", "b crop.png")
    page.get_by_role("button", name="Compare b mirror.png").tap()
    see(page, "b.png", "b mirror.png")
    page.get_by_role("button", name="Keep the copy").tap()
    see(page, "c.png", "c small.png")
    page.get_by_role("button", name="Undo").tap()
    see(page, "b.png", "b crop.png")
    assert shown.best() == ["a.png"]
    page.context.close()


def test_the_page_of_photos_leads_here_and_back(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Copies").press("Enter")
    see(page, "a.png", "a small.png")
    page.get_by_role("link", name="lookalike").press("Enter")
    expect(page.locator("#welcome")).to_be_visible()


def test_texts_have_no_copies_of_photos(browser: Browser, tmp_path: Path, faults: Faults) -> None:
    (tmp_path / "texts.csv").write_text("text\none\ntwo\n")
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as texts:
        texts.add(tmp_path / "texts.csv", column="text")
    with copies_served(tmp_path / "t.lookalike", Found([])) as (address, collection):
        page = opened(browser, Shown(address, collection, tmp_path), faults)
        expect(page.locator("#end")).to_contain_text("This collection holds texts")
        expect(page.locator("#choice")).to_be_hidden()
        expect(page.locator("#decide")).to_be_hidden()
        page.keyboard.press("k")
        page.context.close()


def test_an_empty_collection_says_how_to_fill_it(browser: Browser, shown: Shown, faults: Faults) -> None:
    shown.collection.remove(*(item.id for item in shown.collection.items()))
    page = opened(browser, shown, faults)
    expect(page.get_by_role("alert")).to_contain_text("lookalike add FOLDER")
    faults.forgive("404")
    page.context.close()
    assert "looking" not in {thread.name for thread in threading.enumerate()}
