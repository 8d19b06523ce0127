"""Vectors in and out through `Collection`, with real tweets where they are."""

from __future__ import annotations

import csv
import json
from collections import Counter

import faiss
import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import ModelMismatchError, UntrustedModelError, UsageError
from lookalike.models import DEFAULT_MODEL
from lookalike.records import SearchOptions, Words
from lookalike.transfer.transfer import ExportOptions, ImportRequest
from text_helpers import write_csv

TEXTS = [f"a text about the number {number}" for number in range(12)]


@pytest.fixture
def texts(tmp_path):
    """A collection of texts, filled."""
    with Collection(tmp_path / "texts.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(write_csv(tmp_path / "texts.csv", TEXTS), column="text")
        yield collection


def nearest(collection, item_id, space=None):
    (result,) = collection.answer([item_id], SearchOptions(5, space=space))
    return [(hit.text or hit.uri, pytest.approx(hit.score, abs=1e-5)) for hit in result]


def test_what_was_exported_comes_back_the_same(texts, tmp_path):
    report = texts.export(tmp_path / "out")
    assert (report.rows, report.dim) == (12, texts.info().spaces[0].dim)
    with Collection(tmp_path / "again.lookalike", embedder=FakeTextEmbedder()) as again:
        brought, problem = again.import_vectors(ImportRequest(tmp_path / "out", name="back"))
        assert (brought.added, problem) == (12, None)
        same = {item.text: item.id for item in again.items()}
        for item in texts.items():
            assert nearest(again, same[item.text]) == nearest(texts, item.id)


def test_an_exported_faiss_index_answers_as_the_collection_does(texts, tmp_path):
    texts.export(tmp_path / "out", options=ExportOptions("Flat"))
    index, rows = (
        faiss.read_index(str(tmp_path / "out" / "index.faiss")),
        np.load(tmp_path / "out/vectors.npy"),
    )
    _, found = index.search(rows[:1], 6)
    ids = [item.id for item in texts.items()]
    assert [ids[at] for at in found[0][1:]] == [hit.id for hit in texts.search(ids[0], k=5)]


def test_new_items_of_an_import_get_what_other_spaces_lack(texts, tmp_path):
    more = write_csv(tmp_path / "more.csv", [*TEXTS[:3], "a new text", "another new one"])
    rows = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    np.save(tmp_path / "more.npy", rows)
    report, problem = texts.import_vectors(ImportRequest(tmp_path / "more.npy", more, "text", name="other"))
    assert (report.filled, report.added, problem) == (3, 2, None)
    facts = {space.name: space for space in texts.info().spaces}
    assert facts["other"].vectors == 5
    assert [space.missing for space in facts.values() if space.is_default] == [0]
    first = texts.items()[0]
    similarity = rows @ rows[0] / np.linalg.norm(rows, axis=1) / np.linalg.norm(rows[0])
    assert nearest(texts, first.id, "other")[0][1] == np.sort(similarity[1:])[-1]


@pytest.mark.parametrize("names", [11, 13])
def test_an_array_of_another_length_than_its_list_is_refused_and_nothing_is_made(names, tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((12, 4), np.float32))
    table = write_csv(tmp_path / "names.csv", [f"text {at}" for at in range(names)])
    with Collection(tmp_path / "none.lookalike") as collection, pytest.raises(UsageError, match="12 vectors"):
        collection.import_vectors(ImportRequest(tmp_path / "rows.npy", table, "text", kind="text"))
    assert not (tmp_path / "none.lookalike").exists()


def test_vectors_of_another_model_are_refused_and_nothing_is_made(tmp_path, make_photo):
    for seed in range(3):
        make_photo(tmp_path / f"{seed}.png", seed)
    (tmp_path / "list.txt").write_text("".join(f"{seed}.png\n" for seed in range(3)))
    rows = np.random.default_rng(0).normal(size=(3, 1280)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    with Collection(tmp_path / "none.lookalike", embedder=FakeEmbedder()) as collection:
        what = ImportRequest(tmp_path / "rows.npy", tmp_path / "list.txt", model="efficientnet-lite0")
        with pytest.raises(ModelMismatchError, match="not those of the model efficientnet-lite0"):
            collection.import_vectors(what)
    assert not (tmp_path / "none.lookalike").exists()


@pytest.mark.slow
def test_the_tweets_open_from_their_faiss_index_and_find_their_copies(shared_data, tmp_path):
    tweets = shared_data / "tweets"
    with (tweets / "texts_20k.csv").open(encoding="utf-8", newline="") as file:
        raw = [row["text"] for row in csv.DictReader(file)]
    repeats = {text: count for text, count in Counter(raw).items() if count > 1}
    assert sum(repeats.values()) - len(repeats) == 88
    index = faiss.read_index(str(tweets / "tweets_20000.faiss.index"))
    with Collection(tmp_path / "tweets.lookalike") as collection:
        what = ImportRequest(tweets / "tweets_20000.faiss.index", tweets / "texts_20k.csv", "text")
        report, problem = collection.import_vectors(what)
        assert (report.rows, report.space.approximate, problem) == (20_000, True, None)
        assert report.copies == 20_000 - report.added >= len(raw) - len(set(raw))
        items = {item.text: item for item in collection.items(limit=30_000)}
        assert all(items[text.strip()].places >= count for text, count in repeats.items())
        decoded = index.reconstruct_n(0, 20_000)
        decoded /= np.linalg.norm(decoded, axis=1, keepdims=True)
        for at in (0, 4_711, 19_999):  # Faiss' own vectors, searched one and all
            scores = decoded @ decoded[at]
            best = {raw[row].strip() for row in np.flatnonzero(scores >= np.sort(scores)[-40])}
            own = raw[at].strip()
            assert {hit.text for hit in collection.search(items[own], k=8, rerank=False)} <= best - {own}


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(8):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    return tmp_path / "photos"


@pytest.fixture
def exported(photos, tmp_path):
    """An export of a collection with the bundled model."""
    with Collection(tmp_path / "first.lookalike") as first:
        first.add(photos)
        first.export(tmp_path / "out", options=ExportOptions(jsonl=True))
    return tmp_path / "out"


def by_words(collection):
    return {hit.uri: pytest.approx(hit.score, abs=1e-3) for hit in collection.search(Words("a red bus"), k=3)}


@pytest.mark.parametrize("options", [ExportOptions(), ExportOptions(jsonl=True, with_vectors=True)])
def test_an_export_comes_back_with_its_bundled_model(photos, tmp_path, options):
    with Collection(tmp_path / "first.lookalike") as first:
        first.add(photos)
        first.export(tmp_path / "out", options=options)
        words = by_words(first)
    with Collection(tmp_path / "again.lookalike") as again:
        report, problem = again.import_vectors(ImportRequest(tmp_path / "out"))
        assert (report.added, report.space.reference, report.notes) == (8, DEFAULT_MODEL, ())
        assert problem is None
        assert again.search(photos / "3.png", k=1)[0].uri == str(photos / "3.png")
        assert by_words(again) == words
        assert again.add(photos).unchanged == 8
        assert again.verify().sound
    with Collection(tmp_path / "beside.lookalike") as beside:  # as vectors, without what made them
        report, _ = beside.import_vectors(ImportRequest(tmp_path / "out", name="beside"))
        assert (report.space.name, report.space.reference) == ("beside", "")


def test_an_export_of_texts_is_searched_by_words_again(tmp_path):
    with Collection(tmp_path / "first.lookalike") as first:
        first.add(write_csv(tmp_path / "texts.csv", TEXTS), column="text")
        first.export(tmp_path / "out")
        best = first.search(Words("the number 7"), k=1)[0].text
    with Collection(tmp_path / "again.lookalike") as again:
        again.import_vectors(ImportRequest(tmp_path / "out"))
        assert again.search(Words("the number 7"), k=1)[0].text == best


def test_an_export_of_the_space_for_words_comes_back_as_that(photos, exported, tmp_path):
    with Collection(tmp_path / "first.lookalike") as first:
        first.export(tmp_path / "words", space=f"{DEFAULT_MODEL}-words")
        words = by_words(first)
    with Collection(tmp_path / "again.lookalike") as again:
        again.import_vectors(ImportRequest(exported))
        report, _ = again.import_vectors(ImportRequest(tmp_path / "words"))
        assert (report.unchanged, report.space.reference) == (8, f"words:{DEFAULT_MODEL}")
        assert by_words(again) == words


def test_an_export_with_another_models_vectors_is_refused(exported, tmp_path):
    rows = np.load(exported / "vectors.npy")
    np.save(exported / "vectors.npy", np.random.default_rng(0).normal(size=rows.shape).astype("f4"))
    with (
        Collection(tmp_path / "again.lookalike") as again,
        pytest.raises(ModelMismatchError, match="not those"),
    ):
        again.import_vectors(ImportRequest(exported))
    assert not (tmp_path / "again.lookalike").exists()


def rewrite(folder, **facts):
    said = json.loads((folder / "space.json").read_text())
    (folder / "space.json").write_text(json.dumps({**said, **facts}))


def test_an_export_of_an_older_bundled_model_comes_without_it(exported, tmp_path):
    rewrite(exported, model_id="0" * 64)
    with Collection(tmp_path / "again.lookalike") as again:
        report, _ = again.import_vectors(ImportRequest(exported))
        assert (report.space.name, report.space.reference) == ("out", "")
        assert "made other vectors then" in report.notes[0]


@pytest.mark.parametrize("reference", ["hf:owner/name@" + "0" * 40, "/models/mine"])
def test_the_model_of_an_export_is_not_touched_before_its_user_agrees(
    photos, exported, tmp_path, reference, monkeypatch
):
    rewrite(exported, model=reference, space="theirs", model_id="1" * 64)
    monkeypatch.setattr("lookalike.embedders.load.load_embedder", lambda *_, **__: pytest.fail("it was run"))
    with Collection(tmp_path / "again.lookalike") as again:
        report, _ = again.import_vectors(ImportRequest(exported))
        assert (report.added, report.space.name, report.space.reference) == (8, "theirs", reference)
        assert f"lookalike models trust {reference}" in report.notes[0]
        assert again.search(again.items()[0].id, k=2)
        with pytest.raises(UntrustedModelError, match="models trust"):
            again.search(photos / "1.png")


@pytest.mark.parametrize(
    "facts",
    [
        {"space": 3}, {"model": "a\nb"}, {"model_id": None}, {"dim": "x"}, {"kind": "sound"},
        {"model": "x" * 5_000}, {"space": ""},
    ],
)  # fmt: skip
def test_what_an_export_says_of_its_model_is_looked_at(exported, tmp_path, facts):
    rewrite(exported, **facts)
    with (
        Collection(tmp_path / "again.lookalike") as again,
        pytest.raises(UsageError, match="remove it to import"),
    ):
        again.import_vectors(ImportRequest(exported))
    (exported / "space.json").unlink()
    with Collection(tmp_path / "again.lookalike") as again:
        assert again.import_vectors(ImportRequest(exported))[0].space.name == "out"


@pytest.mark.parametrize("jsonl", [False, True])
def test_the_table_of_an_export_may_carry_the_vectors(photos, tmp_path, jsonl):
    with Collection(tmp_path / "first.lookalike") as first:
        first.add(photos)
        first.export(tmp_path / "out", options=ExportOptions(jsonl=jsonl, with_vectors=True))
    rows = np.load(tmp_path / "out" / "vectors.npy")
    if jsonl:
        table = tmp_path / "out" / "items.jsonl"
        held = [json.loads(line)["vector"] for line in table.read_text().splitlines()]
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = tmp_path / "out" / "items.parquet"
        column = parquet.read_table(table).column("vector")
        assert str(column.type).startswith("fixed_size_list<")
        assert column.type.list_size == rows.shape[1]
        held = column.to_pylist()
    assert np.array_equal(np.array(held, np.float32), rows)
    with Collection(tmp_path / "again.lookalike") as again:  # the table alone is enough
        report, _ = again.import_vectors(ImportRequest(table))
        assert (report.added, report.space.name, report.without_file) == (8, "items", 0)
