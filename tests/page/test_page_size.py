"""The page stays small, and safe by the way it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(str(files("lookalike"))) / "web"
OURS = sorted(path for path in WEB.iterdir() if path.is_file() and "notebook" not in path.name)
PAGES = ("index.html", "rate.html", "copies.html")
LATER = {"viewer.js": 3_000, "texts.js": 3_500, "texts.css": 3_000}
"""What is loaded only when it is needed, and how many bytes each may have."""
LIMIT = 60_000  # bytes of a page with all that it loads at once, before any compression


def loaded_by(page: str) -> set[Path]:
    """A page and what it names, and what that imports."""
    found: set[Path] = set()
    left = [WEB / page]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            text = path.read_text(encoding="utf-8")
            named = re.findall(r'(?:href|src)="/web/([\w.]+)"', text) + re.findall(
                r'^(?:import|export) [^;]*from "\./([\w.]+)"', text, re.MULTILINE
            )
            left += [WEB / name for name in named]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_all_that_it_loads_stays_below_the_limit(page: str) -> None:
    assert sum(path.stat().st_size for path in loaded_by(page)) <= LIMIT


@pytest.mark.parametrize("name", LATER)
def test_what_is_loaded_later_stays_small_too(name: str) -> None:
    assert (WEB / name).stat().st_size <= LATER[name]


def test_every_file_is_reckoned_with() -> None:
    loaded = {path for page in PAGES for path in loaded_by(page)}

    assert not loaded & {WEB / name for name in LATER}
    assert {*loaded, *(WEB / name for name in LATER)} == set(OURS)


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_module_never_turns_text_into_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )


@pytest.mark.parametrize("name", PAGES)
def test_html_holds_no_inline_script_or_style(name: str) -> None:
    text = (WEB / name).read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", text)


@pytest.mark.parametrize("page", PAGES)
def test_every_module_is_preloaded(page: str) -> None:
    text = (WEB / page).read_text(encoding="utf-8")

    named = set(re.findall(r'"/web/(\w+\.js)"', text))

    assert named == {path.name for path in loaded_by(page) if path.suffix == ".js"}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_module_parses(path: Path) -> None:
    done = subprocess.run(["node", "--check", str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
