"""The notebook that is shipped runs from its first cell to its last, without a network."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "similar_photos.ipynb"
SECONDS = 120  # for any one cell, on a machine that is busy with other tests
EXPECTED = (  # some of what the cells print
    "found 24 = 24 added + 0 unchanged + 0 skipped",
    "broken.jpg: ",
    ", a near copy of ",
    "index exact, recall 1.0",
    "26 photos, 1 skipped",
)


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell printed or returned as text."""
    return "".join(out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs)


def test_it_is_kept_without_outputs() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)

    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert json.loads(NOTEBOOK.read_text(encoding="utf-8"))["metadata"].keys() == {
        "kernelspec",
        "language_info",
    }


def test_its_cells_are_short() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)

    assert max(cell.source.count("\n") + 1 for cell in book.cells) <= 15


@pytest.mark.slow
def test_every_cell_runs(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("panda", "pizza", "starfish"):
        for at, photo in enumerate(sorted((shared_data / "caltech50" / name).iterdir())[:8]):
            shutil.copy(photo, photos / f"{name}{at}.jpg")
    for variable, value in {
        "LOOKALIKE_DEMO": str(tmp_path / "demo"),
        "LOOKALIKE_DEMO_PHOTOS": str(photos),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }.items():
        monkeypatch.setenv(variable, value)
    book = nbformat.read(NOTEBOOK, as_version=4)

    NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}).execute(
        env=dict(os.environ)
    )

    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    printed = "\n".join(map(text_of, cells))
    for text in EXPECTED:
        assert text in printed
    pictures = [out for cell in cells for out in cell.outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 5
    (widget,) = [
        out
        for cell in cells
        for out in cell.outputs
        if "application/vnd.jupyter.widget-view+json" in out.get("data", {})
    ]
    assert widget
    assert not [out for cell in cells for out in cell.outputs if out.get("name") == "stderr"]
