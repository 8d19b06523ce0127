from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lookalike import Collection
from lookalike.embedders import Embedder
from lookalike.embedders.fake import FakeEmbedder
from lookalike.faces.cli import main as cli
from lookalike.faces.cli import options as cli_options


@dataclass(frozen=True)
class CliResult:
    """What one run of the command line answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


Run = Callable[..., CliResult]


@pytest.fixture
def embedder() -> Callable[[], Embedder]:
    """Make what stands for a model; files about texts have their own."""
    return FakeEmbedder


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    embedder: Callable[[], Embedder],
) -> Run:
    """Run the command line in this process, with a fake embedder, on `photos.lookalike` in `tmp_path`."""

    def fake(folder, *, model=None, decoder=None, device="auto"):
        return Collection(folder or cli_options._default_folder(), embedder=embedder(), decoder=decoder)

    def run(*arguments: object) -> CliResult:
        monkeypatch.setattr(sys, "argv", ["lookalike", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return CliResult(ended.value.code, *capfd.readouterr())

    monkeypatch.setattr(cli_options, "open_collection", fake)
    monkeypatch.setenv("LOOKALIKE_COLLECTION", str(tmp_path / "photos.lookalike"))
    monkeypatch.delenv("LOOKALIKE_DEBUG", raising=False)
    return run


@pytest.fixture
def photos(tmp_path: Path, make_photo) -> Path:
    """A folder of six photos, 0.png to 5.png, and a file that is none."""
    for seed in range(6):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    (tmp_path / "photos" / "notes.dat").write_text("no photo")
    return tmp_path / "photos"
