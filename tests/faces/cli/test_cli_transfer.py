"""The commands import, export and datasets."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lookalike.datasets import catalogue
from lookalike.errors import FetchError


@pytest.fixture
def brought(run, photos, tmp_path):
    """Six photos, and vectors of theirs made elsewhere."""
    names = [f"{number}.png" for number in range(6)]
    (photos / "list.txt").write_text("\n".join(names) + "\n")
    rows = np.eye(6, 9, dtype=np.float32) + 0.1
    np.save(tmp_path / "list.saved_predictions.npy", rows)
    return tmp_path / "list.saved_predictions.npy", photos / "list.txt"


def test_import_says_what_came_in(run, brought):
    told = run("import", brought[0], "--names", brought[1])
    assert told.lines == ["imported 6 = 6 added + 0 filled + 0 moved + 0 unchanged + 0 skipped + 0 empty"]
    assert told.err.splitlines() == [
        "space list: 9 numbers",
        "without the model that made them, these vectors are searched by items",
    ]
    assert (
        run("import", brought[0], "--names", brought[1]).lines[0].startswith("imported 6 = 0 added + 0 fil")
    )


def test_import_as_json_tells_of_every_row_and_then_the_total(run, brought):
    told = run("import", brought[0], "--names", brought[1], "--json")
    *rows, total = told.json
    assert [row["outcome"] for row in rows] == ["added"] * 6
    assert (total["rows"], total["added"], total["space"], total["problem"]) == (6, 6, "list", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), r"lookalike: say what the vectors of .* stand for: --names FILE, a list or a table\n"),
        (("--names", "short.txt"), r"lookalike: .* has 6 vectors, but .*short.txt has 1 names; .*\n"),
    ],
)
def test_an_import_that_does_not_fit_is_one_clear_line(run, brought, tmp_path, arguments, said):
    (tmp_path / "short.txt").write_text("0.png\n")
    arguments = [tmp_path / each if each == "short.txt" else each for each in arguments]
    told = run("import", brought[0], *arguments, "--photos")
    assert told.code == 2
    assert re.fullmatch(said, told.err)
    assert not (tmp_path / "photos.lookalike").exists()


def test_export_writes_a_folder_that_import_takes(run, photos, tmp_path):
    run("add", photos)
    told = run("export", tmp_path / "out", "--jsonl", "--faiss", "Flat")
    assert (told.code, told.err) == (0, "")
    assert told.lines == [
        f"6 items in {tmp_path / 'out'}: README.txt, index.faiss, items.jsonl, space.json, vectors.npy"
    ]
    again = run("export", tmp_path / "out")
    assert again.code == 2
    assert str(tmp_path / "out") in again.err
    told = run("import", tmp_path / "out", "--name", "again")
    assert told.lines == ["imported 6 = 0 added + 6 filled + 0 moved + 0 unchanged + 0 skipped + 0 empty"]


def test_datasets_are_listed_with_size_and_licence(run):
    told = run("datasets")
    assert [line.split()[0] for line in told.lines] == ["coco-val2014", "pypi-photos"]
    assert "40,504 photos, 6,645 MB" in told.lines[0]
    assert "Creative Commons" in told.lines[0]


def test_a_data_set_is_fetched_into_a_folder(run, tmp_path, monkeypatch):
    asked = []

    def get(folder, *, on_progress):
        asked.append(folder)
        on_progress(1, 2)
        return 2

    record = catalogue.Dataset("two-photos", "two", 2, 1, "free", get)
    monkeypatch.setattr(catalogue, "DATASETS", (record,))
    told = run("datasets", "get", "two-photos", tmp_path / "here")
    assert told.lines == [f"2 photos in {tmp_path / 'here'}; next: lookalike add {tmp_path / 'here'}"]
    assert asked == [tmp_path / "here"]


def test_an_unknown_or_unreachable_data_set_is_one_clear_line(run, tmp_path, monkeypatch):
    told = run("datasets", "get", "imagenet", tmp_path)
    assert (told.code, told.err) == (
        2,
        "lookalike: no data set named 'imagenet'; there are coco-val2014, pypi-photos\n",
    )

    def get(folder, *, on_progress):
        raise FetchError("images.example.org cannot be reached: no route")

    monkeypatch.setattr(catalogue, "DATASETS", (catalogue.Dataset("far", "far", 1, 1, "free", get),))
    told = run("datasets", "get", "far", tmp_path)
    assert (told.code, told.err) == (1, "lookalike: images.example.org cannot be reached: no route\n")
