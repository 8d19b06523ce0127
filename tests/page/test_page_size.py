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
LATER = {"viewer": 3_000, "texts": 6_500, "rate": 16_000}
"""What is loaded only when it is needed, by the beginning of its name, and how many bytes each may have."""
FIRST = [path for path in OURS if path.stem not in LATER]
LIMIT = 60_000  # bytes, before any compression


def test_all_files_together_stay_below_the_limit() -> None:
    assert sum(path.stat().st_size for path in FIRST) <= LIMIT


@pytest.mark.parametrize("name", LATER)
def test_what_is_loaded_later_stays_small_too(name: str) -> None:
    files = [path for path in OURS if path.stem == name]

    assert files
    assert sum(path.stat().st_size for path in files) <= LATER[name]


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_module_never_turns_text_into_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )


@pytest.mark.parametrize("name", ["index.html", "rate.html"])
def test_html_holds_no_inline_script_or_style(name: str) -> None:
    text = (WEB / name).read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", text)


def test_every_module_is_preloaded() -> None:
    text = (WEB / "index.html").read_text(encoding="utf-8")

    named = set(re.findall(r'"/web/(\w+\.js)"', text))

    assert named == {path.name for path in FIRST if path.suffix == ".js"}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_module_parses(path: Path) -> None:
    done = subprocess.run(["node", "--check", str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
