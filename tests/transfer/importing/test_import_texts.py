"""Texts and their vectors: from tables and lists, beside another space, and with their model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from import_helpers import Imported, listed, random_rows, saved

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import ModelMismatchError, UsageError
from lookalike.transfer.importing.checks import check_model
from lookalike.transfer.importing.source import ImportRequest, open_source
from text_helpers import write_csv

TEXTS = [f"this is text number {at}" for at in range(600)]


@pytest.fixture
def imported(tmp_path):
    return Imported(tmp_path / "c.lookalike")


def test_rows_of_a_table_keep_their_vectors_and_columns(tmp_path, imported):
    texts = [*TEXTS[:5], "", *TEXTS[5:8], TEXTS[0]]
    table = write_csv(tmp_path / "t.csv", texts, label=[str(at) for at in range(10)])
    rows = random_rows(10)
    report = imported.add(saved(tmp_path / "v.npy", rows), table, column="text")
    assert (report.added, report.empty, report.unchanged, report.copies) == (8, 1, 1, 1)
    ids = imported.uris()
    assert ids.keys() == {f"{table}#{at}" for at in (1, 2, 3, 4, 5, 7, 8, 9)}
    vectors = imported.vectors("v")
    for row in (0, 4, 6, 8):
        assert vectors[ids[f"{table}#{row + 1}"]] @ rows[row] == pytest.approx(np.linalg.norm(rows[row]))
    with Collection(imported.folder) as collection:
        item = collection.item(ids[f"{table}#1"])
        assert (item.text, item.places, item.metadata) == (TEXTS[0], 2, {"label": "0"})
    assert imported.is_sound()


def test_damaged_rows_do_not_shift_the_others(tmp_path, imported):
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"text": "one"}\n{"text": \n{"text": "three"}\n\n[4]\n', encoding="utf-8")
    rows = random_rows(4)
    report = imported.add(saved(tmp_path / "v.npy", rows), lines)
    assert (report.added, report.skipped) == (2, 2)
    three = imported.vectors("v")[imported.uris()[f"{lines}#3"]]
    assert three @ rows[2] == pytest.approx(np.linalg.norm(rows[2]))
    with Collection(imported.folder) as collection:
        assert {each.uri: each.reason for each in collection.skipped()} == {
            f"{lines}#2": "no JSON",
            f"{lines}#4": "no JSON object",
        }


def test_a_list_of_sentences_with_a_vector_that_is_none(tmp_path, imported):
    rows = random_rows(600)
    rows[3] = 0
    report = imported.add(saved(tmp_path / "v.npy", rows), listed(tmp_path / "t.txt", TEXTS))
    assert (report.added, report.skipped) == (599, 1)
    again = imported.add(tmp_path / "v.npy", tmp_path / "t.txt")
    assert (again.added, again.unchanged, again.skipped) == (0, 599, 1)


def test_a_column_that_is_not_there_and_another_length_touch_nothing(tmp_path, imported):
    table = write_csv(tmp_path / "t.csv", TEXTS[:5])
    array = saved(tmp_path / "v.npy", random_rows(6))
    with pytest.raises(UsageError, match=r"t\.csv: no column 'tweet': it has text"):
        imported.add(array, table, column="tweet")
    with pytest.raises(UsageError, match=r"6 vectors, but .* has 5 names"):
        imported.add(array, table, column="text")
    with pytest.raises(UsageError, match="has no columns"):
        imported.add(array, listed(tmp_path / "t.txt", TEXTS[:6]), column="text")
    assert not imported.folder.exists()


def test_beside_a_space_of_a_model(tmp_path, imported):
    embedder = FakeTextEmbedder()
    table = write_csv(tmp_path / "t.csv", TEXTS[:50])
    with Collection(imported.folder, embedder=embedder) as collection:
        collection.add(table, column="text")
    longer = write_csv(tmp_path / "more.csv", TEXTS[:60])
    array = saved(tmp_path / "v.npy", random_rows(60))
    report = imported.add(array, longer, name="theirs")
    assert (report.filled, report.added, report.skipped) == (50, 0, 10)  # nothing embeds for the first space
    report = imported.add(array, longer, name="theirs", default=embedder)
    assert (report.filled, report.unchanged, report.added) == (0, 50, 10)
    with Collection(imported.folder, embedder=embedder) as collection:
        assert {space.name: space.vectors for space in collection.info().spaces} == {
            "fake-texts": 60,
            "theirs": 60,
        }
        assert collection.verify().sound
    with pytest.raises(UsageError, match="holds texts; put photos"):
        imported.add(tmp_path / "v.npy", listed(tmp_path / "n.txt", ["a.jpg"] * 60), kind="photo")


def test_with_their_model_words_search_them(tmp_path, imported):
    embedder = FakeTextEmbedder()
    embedder.spec = replace(embedder.spec, reference="")
    rows = embedder.embed_texts(TEXTS[:50])
    table = write_csv(tmp_path / "t.csv", TEXTS[:50])
    imported.add(saved(tmp_path / "v.npy", rows), table, model=embedder.spec)
    from lookalike.records import Words
    from lookalike.search.queries import Example

    with Collection(imported.folder, embedder=embedder) as collection:
        (hit,) = collection.search(Example(Words(TEXTS[7])), 1)
        assert (hit.text, hit.score) == (TEXTS[7], pytest.approx(1, abs=1e-6))
        assert collection.add(table).unchanged == 50


@pytest.mark.parametrize("right", [True, False])
def test_a_model_is_held_against_the_vectors(tmp_path, right):
    embedder = FakeTextEmbedder()
    rows = embedder.embed_texts(TEXTS[:50]) if right else random_rows(50, 32)
    table = write_csv(tmp_path / "t.csv", TEXTS[:50])
    request = ImportRequest(saved(tmp_path / "v.npy", rows), table)
    with open_source(request, embedder.spec) as source:
        if right:
            check_model(source, embedder, None)
            return
        with pytest.raises(ModelMismatchError, match="not those of the model fake-texts"):
            check_model(source, embedder, None)
