"""Texts that a cluster embeds come to the same as those of `add`, run by run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from helpers_cluster import embed_here, how_often, imported

from helpers import select
from lookalike import Collection
from lookalike.errors import ModelMismatchError, UsageError
from lookalike.transfer.importing.embedded import open_embedded
from lookalike.transfer.transfer import ImportRequest


@pytest.fixture
def texts(tmp_path) -> Path:
    """Two tables, a document, a table that is none, and what is aside."""
    folder = tmp_path / "texts"
    folder.mkdir()
    write(folder / "a.csv", [f"A sentence about thing number {number}" for number in range(700)])
    write(folder / "b.csv", ["A sentence about thing number 3", "Cats sleep all day", "", "Dogs bark"])
    (folder / "c.md").write_text("# A title\n\nA first paragraph.\n\nA second one about the weather.\n")
    (folder / "d.json").write_text("{ no json")
    return folder


def write(path: Path, lines: list[str]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "number"), *((line, n) for n, line in enumerate(lines))])


def held(folder: Path) -> dict[str, list[tuple]]:
    asked = {
        "items": "SELECT uri, content_hash, size, mtime_ns, metadata FROM items",
        "places": "SELECT places.uri, items.content_hash FROM places JOIN items ON items.id = item_id",
        "skipped": "SELECT uri, reason, size, mtime_ns, lasting, reader FROM skipped",
        "files": "SELECT uri, size, mtime_ns, column_name, manner, rows FROM text_files",
        "spaces": "SELECT name, model_id, dim, kind, reference, is_default FROM spaces",
    }
    return {name: sorted(select(folder, sql)) for name, sql in asked.items()}


def vectors(folder: Path) -> dict[str, np.ndarray]:
    rows = select(folder, "SELECT uri, vector FROM items JOIN vectors_1 ON item_id = id")
    return {uri: np.frombuffer(vector, "<f4") for uri, vector in rows}


def add(folder: Path, *paths: Path):
    with Collection(folder) as collection:
        return collection.add(*paths)


def test_they_come_to_the_same_as_add(texts, tmp_path, monkeypatch):
    report, _ = embed_here(monkeypatch, texts, to=tmp_path / "out")
    added = add(tmp_path / "added.lookalike", texts)
    assert (report.found, report.skipped) == (added.found, added.skipped) == (705, 1)
    imported(tmp_path / "c.lookalike", tmp_path / "out")
    assert held(tmp_path / "c.lookalike") == held(tmp_path / "added.lookalike")
    ours, theirs = vectors(tmp_path / "c.lookalike"), vectors(tmp_path / "added.lookalike")
    for uri, vector in theirs.items():  # the last bit depends on what else is in a batch
        assert np.abs(ours[uri] - vector).max() < 1e-6
    again = add(tmp_path / "c.lookalike", texts)
    assert (again.unchanged, again.skipped, again.found) == (704, 1, 705)
    report, read = embed_here(monkeypatch, texts, to=tmp_path / "out")
    assert not read and (report.embedded, report.unchanged) == (0, 704)


def test_a_changed_file_is_embedded_again_and_what_is_not_in_it_goes(texts, tmp_path, monkeypatch):
    embed_here(monkeypatch, texts, to=tmp_path / "out")
    imported(tmp_path / "c.lookalike", tmp_path / "out")
    write(texts / "b.csv", ["Something new on top", "Cats sleep all day"])
    write(texts / "new.csv", ["Whales sing"])
    (texts / "c.md").unlink()
    report, _ = embed_here(monkeypatch, texts, to=tmp_path / "out")
    assert (report.embedded, report.unchanged, report.gone) == (3, 700, 1)
    with open_embedded(tmp_path / "out") as embedded:
        uris = [uri for table in embedded for uri in table["uri"].to_pylist()]
    assert len(uris) == len(set(uris)) == 700 + 2 + 1 + 1
    imported(tmp_path / "c.lookalike", tmp_path / "out")
    add(tmp_path / "added.lookalike", texts)
    added = held(tmp_path / "added.lookalike")["places"]
    ours = [each for each in held(tmp_path / "c.lookalike")["places"] if "c.md" not in each[0]]
    assert [uri for uri, _ in ours] == [uri for uri, _ in added] and ours == added


@pytest.mark.parametrize("done", [0, 1])
def test_a_run_that_ended_early_is_gone_on_with(texts, tmp_path, monkeypatch, done):
    def stop(number):
        if number == done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_here(monkeypatch, texts, to=tmp_path / "out", before=stop)
    report, _ = embed_here(monkeypatch, texts, to=tmp_path / "out")
    assert (report.unchanged, report.embedded) == (512 * done, 704 - 512 * done)
    assert set(how_often(tmp_path / "out").values()) == {1} and len(how_often(tmp_path / "out")) == 705


def test_other_columns_and_kinds_are_refused(texts, tmp_path, monkeypatch, make_photo):
    embed_here(monkeypatch, texts / "a.csv", to=tmp_path / "out")
    with pytest.raises(ModelMismatchError, match="another column: None, not number"):
        embed_here(monkeypatch, texts / "a.csv", to=tmp_path / "out", column="number")
    make_photo(tmp_path / "photos" / "x.png", 1)
    with pytest.raises(ModelMismatchError, match="another kind: text, not photo"):
        embed_here(monkeypatch, tmp_path / "photos", to=tmp_path / "out")
    add(tmp_path / "c.lookalike", tmp_path / "photos")
    with Collection(tmp_path / "c.lookalike") as collection, pytest.raises(UsageError, match="holds photos"):
        collection.import_vectors(ImportRequest(tmp_path / "out"))
