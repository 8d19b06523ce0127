"""Texts in Milvus: what it cannot hold is skipped, and of two writers neither loses what the other found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import BusyError
from lookalike.store.text_commit import TextBatch
from lookalike.transfer.transfer import ImportRequest
from text_helpers import passage, write_csv

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow

MANY = "\N{GRINNING FACE}" * 200  # of each column is kept so much: 800 bytes


def with_columns(path, texts, filled, columns):
    """Write a table whose rows have so many of their columns filled."""
    cells = {f"c{at}": [MANY if at < count else "" for count in filled] for at in range(columns)}
    return write_csv(path, texts, **cells)


def open_at(place):
    return Collection(place, embedder=FakeTextEmbedder())


def texts_of(place):
    """Texts by the name of each of their places, as another process finds them."""
    with open_at(place) as collection:
        collection.engine.connection.query(collection.engine.items.name, "id == 0", ["id"], strong=True)
        items = collection.items(limit=1000)
        store = collection._opened.store()
        found = {}
        for item in items:
            places = store.texts.places(item.id)
            assert item.uri in places and len(places) == item.places
            found |= {uri.rpartition("/")[2]: item.text for uri in places}
        return found


def test_rows_that_milvus_cannot_hold_are_skipped_and_the_rest_comes_in(milvus_place, tmp_path):
    columns, filled = 100, [1, 100, 0, 90, 70]
    table = with_columns(tmp_path / "a.csv", ["one", "two", "three", "four", "five"], filled, columns)
    told = []
    with open_at(milvus_place) as collection:
        report = collection.add(table, column="text", on_commit=told.append)
        assert (report.added, report.skipped) == (3, 2)
        reasons = {each.uri.rpartition("#")[2]: each.reason for each in told if each.outcome == "skipped"}
        assert set(reasons) == {"2", "4"}
        assert all("metadata is longer than 65,535 bytes" in reason for reason in reasons.values())
        again = collection.add(table, column="text")
        assert (again.unchanged, again.skipped, again.added) == (3, 2, 0)
        assert {each.uri.rpartition("#")[2] for each in collection.skipped()} == {"2", "4"}
        told.clear()
        collection.add(table, column="text", on_commit=told.append)
        assert told == []  # the file counts as read
    assert set(texts_of(milvus_place).values()) == {"one", "three", "five"}


def test_a_text_that_becomes_too_long_leaves_its_place(milvus_place, tmp_path):
    table = with_columns(tmp_path / "a.csv", ["one", "two"], [0, 0], 100)
    with open_at(milvus_place) as collection:
        collection.add(table, column="text")
        with_columns(table, ["one", "another"], [0, 100], 100)
        collection.add(table, column="text")
    assert texts_of(milvus_place) == {"a.csv#1": "one"}


def test_the_words_of_a_long_text_are_held(milvus_place, tmp_path):
    """As JSON they take more than the text does."""
    text = " ".join(f"w{number:040}" for number in range(1_560))
    assert len(text) <= 65_535 < len(json.dumps(text.split(), separators=(",", ":")))
    with open_at(milvus_place) as collection:
        collection.add(write_csv(tmp_path / "a.csv", ["one"]), column="text")
        space, store = collection.spaces()[0], collection._opened.store()
        row = np.full(space.dim, space.dim**-0.5, np.float32)
        batch = TextBatch([(passage("/b.csv#1", text), row), (passage("/b.csv#2", "two"), row)])
        store.commit_texts(space, batch, reader="1", is_gone=lambda _: False)
        assert {item.text for item in collection.items()} == {"one", text, "two"}
        words = text.split()
        found = [collection.engine.having_words(word, 3) for word in (words[0], words[700])]
        assert found[0] == found[1] != []


def test_an_import_skips_what_milvus_cannot_hold(milvus_place, tmp_path):
    table = with_columns(tmp_path / "a.csv", ["one", "two", "three"], [0, 100, 0], 100)
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32))
    with Collection(milvus_place) as collection:
        request = ImportRequest(tmp_path / "rows.npy", table, "text", name="own", kind="text")
        report, _ = collection.import_vectors(request)
        assert (report.added, report.skipped) == (2, 1)
        assert {item.text for item in collection.items()} == {"one", "three"}


def once_it_has_looked(collection, meanwhile):
    """Have something done by another writer as soon as this one has read what there is."""
    store = collection._opened.store()
    look, waiting = store._text_mirror, [meanwhile]

    def looking():
        mirror = look()
        if waiting:
            waiting.pop()()
        return mirror

    store._text_mirror = looking


@pytest.fixture
def files(tmp_path):
    """A file of each of two writers."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    return tmp_path / "one" / "a.csv", tmp_path / "other" / "b.csv"


def test_a_text_that_another_writer_found_elsewhere_stays(milvus_place, files):
    one, other = files
    write_csv(one, ["shared", "kept"], lang=["en", "en"])
    write_csv(other, ["shared", "shared"], lang=["de", "en"])
    with open_at(milvus_place) as first, open_at(milvus_place) as second:
        first.add(one, column="text")
        write_csv(one, ["kept"], lang=["en"])
        once_it_has_looked(first, lambda: second.add(other, column="text"))
        first.add(one, column="text")
    assert texts_of(milvus_place) == {"a.csv#1": "kept", "b.csv#1": "shared", "b.csv#2": "shared"}
    with open_at(milvus_place) as third:
        assert {item.text for item in third.items()} == {"shared", "kept"}
        vectors = third.engine.vectors(third.spaces()[0])
        assert (vectors.count(), vectors.count_missing()) == (2, 0)
        assert third.add(*files, column="text").unchanged == 3


def test_a_text_stays_where_another_writer_found_it_when_its_file_is_gone(milvus_place, files):
    one, other = files
    write_csv(one, ["shared", "own"])
    write_csv(other, ["shared"])
    write_csv(one.with_name("c.csv"), ["rest"])
    with open_at(milvus_place) as first, open_at(milvus_place) as second:
        first.add(one.parent, column="text")
        one.unlink()
        once_it_has_looked(first, lambda: second.add(other, column="text"))
        first.add(one.parent, column="text", prune=True)
    assert texts_of(milvus_place) == {"b.csv#1": "shared", "c.csv#1": "rest"}


def test_a_text_that_another_writer_has_removed_is_told_and_comes_with_the_next_run(milvus_place, files):
    one, other = files
    write_csv(one, ["shared", "kept"])
    write_csv(other, ["shared", "new"])
    with open_at(milvus_place) as first, open_at(milvus_place) as second:
        first.add(one, column="text")
        write_csv(one, ["kept"])
        once_it_has_looked(second, lambda: first.add(one, column="text"))
        with pytest.raises(BusyError, match=r"was removed meanwhile; run this again"):
            second.add(other, column="text")
        second.add(other, column="text")
    assert texts_of(milvus_place) == {"a.csv#1": "kept", "b.csv#1": "shared", "b.csv#2": "new"}


def test_what_could_not_be_written_is_read_again(milvus_place, tmp_path, monkeypatch):
    table = write_csv(tmp_path / "a.csv", ["one", "two"])
    with open_at(milvus_place) as collection:
        collection.add(write_csv(tmp_path / "b.csv", ["three"]), column="text")
        store = collection._opened.store()
        with monkeypatch.context() as patched:

            def fails(*_):
                raise BusyError("no")

            patched.setattr(store._pusher, "push", fails)
            with pytest.raises(BusyError):
                collection.add(table, column="text")
        assert store.texts.places(0) == []
        assert store.texts.known([passage("a.csv#1", "one").content_hash], collection.spaces()[0]) == set()
        assert collection.add(table, column="text").added == 2
    assert set(texts_of(milvus_place).values()) == {"one", "two", "three"}
