"""The line that installs an extra works for each way in which lookalike can have been installed."""

import json
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lookalike import install
from lookalike.errors import MissingExtraError
from lookalike.install import install_line

ROOT = Path(__file__).parents[1]
EXTRAS = [
    "cluster",
    "demo",
    "gs",
    "heic",
    "keras",
    "milvus",
    "models",
    "notebook",
    "pandas",
    "parquet",
    "remote",
]
EXTRAS += ["report", "trash"]


class Distribution:
    """As `importlib.metadata` tells of it."""

    def __init__(self, origin):
        self.origin = origin

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.origin if isinstance(self.origin, str | None) else json.dumps(self.origin)


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Let the package be in site-packages, from an origin."""

    def installed(origin, *, requires=()):
        monkeypatch.setattr(
            install, "__file__", str(tmp_path / "lib" / "site-packages" / "lookalike" / "install.py")
        )
        monkeypatch.setattr(metadata, "distribution", lambda _: Distribution(origin))
        monkeypatch.setattr(metadata, "requires", lambda _: list(requires))

    return installed


def arguments(line):
    """What is said to pip, once a shell has read the line."""
    words = shlex.split(line)
    at = words.index("install")
    assert words[:at] in (["pip"], [sys.executable, "-m", "pip"])
    return words[at + 1 :]


@pytest.mark.parametrize("extra", EXTRAS)
def test_in_the_checkout_it_is_the_checkout(extra):
    assert arguments(install_line(extra))[-1] == f"{ROOT}[{extra}]"
    assert str(MissingExtraError("this", extra)).endswith(install_line(extra))


@pytest.mark.parametrize("folder", ["plain", "with space", "quo'te", "$HOME"])
def test_what_came_from_a_folder_comes_from_there_again(installed, tmp_path, folder):
    (tmp_path / folder).mkdir()
    installed({"url": (tmp_path / folder).as_uri(), "dir_info": {}})
    assert arguments(install_line("keras")) == [f"{tmp_path / folder}[keras]"]
    installed({"url": (tmp_path / folder).as_uri(), "dir_info": {"editable": True}})
    assert arguments(install_line("keras")) == ["-e", f"{tmp_path / folder}[keras]"]


def test_what_came_from_a_wheel_or_a_repository(installed, tmp_path):
    wheel = tmp_path / "lookalike-0.1-py3-none-any.whl"
    wheel.write_bytes(b"")
    installed({"url": wheel.as_uri(), "archive_info": {}})
    assert arguments(install_line("heic")) == [f"{wheel}[heic]"]
    installed({"url": "https://example.org/lookalike.whl", "archive_info": {}})
    assert arguments(install_line("heic")) == ["lookalike[heic] @ https://example.org/lookalike.whl"]
    installed({"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert arguments(install_line("heic")) == ["lookalike[heic] @ git+https://example.org/x.git@abc"]


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        {"url": 3},
        {"url": "file:///gone/lookalike", "dir_info": {"editable": True}},
    ],
)
def test_where_the_origin_is_not_known_the_packages_are_named(installed, origin):
    requires = [
        "numpy>=2",
        'keras>=3.13; extra == "keras"',
        "h5py>=3.12 ; extra == 'keras'",
        'x; extra == "keras2"',
    ]
    installed(origin, requires=requires)
    assert arguments(install_line("keras")) == ["keras>=3.13", "h5py>=3.12"]


def test_without_anything_the_folder_is_spoken_of(installed):
    installed(None)
    assert install_line("keras") == "pip install '.[keras]' in the folder of lookalike"


def test_extras_that_are_named_are_there():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = set()
    for path in (ROOT / "src").rglob("*.py"):
        named |= set(re.findall(r'MissingExtraError\([^)]*, "(\w+)"\)', path.read_text(encoding="utf-8")))
    assert named and named <= set(EXTRAS)
    assert all(re.search(rf"^{each} = \[", project, re.MULTILINE) for each in EXTRAS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"pip install '?lookalike", readme)
