"""The report: one file, nothing fetched, every text escaped, the same for the same figures."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Browser

from axe_helpers import axe_faults
from lookalike.errors import StorageError, UsageError
from lookalike.evaluate.intervals import Interval
from lookalike.faces.report.blocks import (
    Bars,
    Picture,
    PictureRow,
    Pictures,
    Point,
    Report,
    Scatter,
    Section,
    Table,
    Text,
    shown,
)
from lookalike.faces.report.html import render, write_report
from lookalike.faces.report.plots import svg, write_plot

HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&{{7*7}}"


def jpeg(colour):
    target = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(target, "JPEG")
    return target.getvalue()


def full(text="plain"):
    """A report with every kind of block, with a text wherever one may stand."""
    interval = Interval(0.5, 0.4, 0.6)
    points = tuple(
        Point(ms, recall, size, f"{text} {at}", f"{text} group {at % 2}", at < 2)
        for at, (ms, recall, size) in enumerate([(0.1, 0.5, 30), (1, 0.9, 100), (10, 0.8, 5_000)])
    )
    pictures = (
        Picture(jpeg("red"), text, "query"),
        Picture(jpeg("blue"), text, "right"),
        Picture(text, text, "wrong"),
        Picture(None, text),
    )
    return Report(
        text,
        (text, "Second."),
        {text: text},
        (
            Section(
                text,
                (Text(text), Table((text, "b", "c"), ((text, 1_000, interval), ("x", 0.25, None)), text)),
            ),
            Section(
                "Plots",
                (Scatter(text, text, text, text, points, text), Bars(text, text, ((text, interval),), text)),
            ),
            Section("Pictures", (Pictures((PictureRow(text, pictures),), text),)),
        ),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1234, "1,234"),
        (0.25, "0.250"),
        (3.456, "3.46"),
        (34.56, "34.6"),
        (3456.7, "3,457"),
        (-0.5, "−0.500"),
        (Interval(0.8126, 0.79, 0.83), "0.813 (0.790–0.830)"),
        (Interval(-0.01, -0.02, 0.005), "−0.010 (−0.020 to 0.005)"),
        ("as it is", "as it is"),
        ("a\nb\udcff\u202e", "a\\nb\\udcff\\u202e"),
    ],
)
def test_values_are_shown_for_people(value, text):
    assert shown(value) == text


def test_the_same_figures_give_the_same_file():
    assert render(full()) == render(full())


def test_nothing_is_fetched_and_no_script_can_run():
    page = render(full(HOSTILE))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|@import|url\((?!#)|\ssrc=\"(?!data:image/jpeg;base64,)", page)
    assert "49" not in re.sub(
        r"base64,[^\"]*", "", page[: page.index("<style>")]
    )  # {{7*7}} is not worked out


class Tags(HTMLParser):
    """The tags of a page, in order."""

    def __init__(self, page):
        super().__init__()
        self.seen = []
        self.feed(page)

    def handle_starttag(self, tag, _):
        self.seen.append(tag)


def small(text):
    section = Section(text, (Text(text), Table((text,), ((text,),))))
    return render(Report(text, (text,), {text: text}, (section,)))


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()))
@settings(max_examples=15, deadline=None)
def test_any_text_stays_text(text):
    assert Tags(small(text)).seen == Tags(small("a")).seen


def test_a_report_replaces_another_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.html"
    write_report(path, full("first"))
    assert "first" in path.read_text(encoding="utf-8")
    write_report(path, full("second"))
    assert "second" in path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["out.html"]
    with pytest.raises(StorageError, match="cannot write the report"):
        write_report(tmp_path / "none" / "out.html", full())


def test_plots_are_files_too_and_others_are_refused(tmp_path):
    plot = full().sections[1].blocks[0]
    write_plot(tmp_path / "a.png", plot)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 800
    write_plot(tmp_path / "a.svg", plot)
    assert "<svg" in (tmp_path / "a.svg").read_text()
    with pytest.raises(UsageError, match=r"a plot is written as .png or .svg, not as 'a.pdf'"):
        write_plot(tmp_path / "a.pdf", plot)


def test_a_plot_holds_its_words_as_text():
    for block in full("a word").sections[1].blocks:
        assert re.search(r"<text[^>]*>[^<]*a word", svg(block))


@pytest.mark.parametrize("name", ["$x_{$", "a$b", "$a$ and $b$", r"\$", r"\frac{"])
def test_a_name_in_a_plot_is_no_formula(name):
    bars, points = Bars("", "", ((name, Interval(0.5, 0.4, 0.6)),), ""), (Point(1, 1, 1, name, name, True),)
    for block in (bars, Scatter("", "ms", "recall", "bytes", points, "")):
        words = re.findall(r"<text[^>]*>([^<]*)</text>", svg(block))
        assert name in words


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_without_the_extra_the_way_to_it_is_said(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from lookalike.faces.report.html import check_report\n"
        "try: check_report()\nexcept Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError")
    assert "[report]" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_asking_anyone(browser: Browser, tmp_path, scheme):
    write_report(tmp_path / "out.html", full(HOSTILE))
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "out.html").as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("svg").count() == 2
    assert page.get_by_text("✓ right").count() == page.get_by_text("✗ wrong").count() == 1
    assert page.pdf().startswith(b"%PDF")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_it(browser: Browser, tmp_path, scheme):
    write_report(tmp_path / "out.html", full())
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto((tmp_path / "out.html").as_uri())
    assert axe_faults(page) == []
    context.close()
