"""The notebook that is shipped runs from its first cell to its last, without a network."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
PHOTOS, TEXTS = NOTEBOOKS / "similar_photos.ipynb", NOTEBOOKS / "similar_texts.ipynb"
SECONDS = 120  # for any one cell, on a machine that is busy with other tests
EXPECTED = (  # some of what the cells print
    "found 24 = 24 added + 0 unchanged + 0 skipped",
    "broken.jpg: ",
    ", a near copy of ",
    "index exact, recall 1.0",
    "26 photos, 1 skipped",
    "(2, 504) float32 cosine 0.",
    "True\n20 answers at once",
)


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell printed or returned as text."""
    return "".join(out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs)


@pytest.mark.parametrize("notebook", [PHOTOS, TEXTS], ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)

    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert json.loads(notebook.read_text(encoding="utf-8"))["metadata"].keys() == {
        "kernelspec",
        "language_info",
    }


@pytest.mark.parametrize("notebook", [PHOTOS, TEXTS], ids=lambda path: path.stem)
def test_its_cells_are_short(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)

    assert max(cell.source.count("\n") + 1 for cell in book.cells) <= 15


@pytest.mark.parametrize("notebook", [PHOTOS, TEXTS], ids=lambda path: path.stem)
def test_it_uses_public_names_only(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    imported = {line for line in code.splitlines() if "lookalike" in line and "import" in line.split()}

    assert len(imported) >= 2
    for line in imported:
        match re.fullmatch(r"from (lookalike[.a-z]*) import (.+)|import lookalike\.notebook", line).groups():
            case (None, None):
                continue
            case (module, names):
                public = importlib.import_module(module).__all__
                assert module in ("lookalike", "lookalike.notebook") and set(names.split(", ")) <= set(public)


def run(notebook: Path, home: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[Any]:
    """Run a notebook in `home`; returns its cells of code."""
    places = {"IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime"}
    variables |= {"LOOKALIKE_DEMO": str(home / "demo")}
    variables |= {name: str(home / folder) for name, folder in places.items()}
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    book = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(home)}}
    NotebookClient(book, timeout=SECONDS, resources=resources).execute(env=dict(os.environ))
    return [cell for cell in book.cells if cell.cell_type == "code"]


def widgets(cells: list[Any]) -> list[Any]:
    kind = "application/vnd.jupyter.widget-view+json"
    return [out for cell in cells for out in cell.outputs if kind in out.get("data", {})]


@pytest.mark.slow
def test_every_cell_runs(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("panda", "pizza", "starfish"):
        for at, photo in enumerate(sorted((shared_data / "caltech50" / name).iterdir())[:8]):
            shutil.copy(photo, photos / f"{name}{at}.jpg")

    cells = run(PHOTOS, tmp_path, monkeypatch, LOOKALIKE_DEMO_PHOTOS=str(photos))

    printed = "\n".join(map(text_of, cells))
    for text in EXPECTED:
        assert text in printed
    pictures = [out for cell in cells for out in cell.outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 7
    assert len(widgets(cells[-2:])) == 1
    assert not [out for cell in cells for out in cell.outputs if out.get("name") == "stderr"]


@pytest.mark.slow
def test_every_cell_of_the_texts_runs_on_the_sentences_it_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOOKALIKE_TEXTS", raising=False)

    cells = run(TEXTS, tmp_path, monkeypatch)

    printed = list(map(text_of, cells))
    assert "found 12 = 12 added + 0 unchanged + 0 skipped; 0 are copies" in printed[2]
    best = [line.split("  ")[1] for line in printed[3].splitlines()[:3]]
    assert sum("phone" in text for text in best) == 3  # of twelve sentences, those about phones
    assert any("has the words" in line and "pizza" in line for line in printed[6].splitlines())
    assert len(widgets(cells[-1:])) == 1


@pytest.mark.slow
def test_the_texts_may_be_a_file_of_the_users(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (shared_data / "banking77" / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    file = tmp_path / "questions.csv"
    file.write_text("".join(lines[:201]), encoding="utf-8")

    cells = run(TEXTS, tmp_path, monkeypatch, LOOKALIKE_TEXTS=str(file), LOOKALIKE_TEXTS_COLUMN="text")

    printed = "\n".join(map(text_of, cells))
    assert "found 200 = 200 added" in printed
    assert "'category': " in printed
