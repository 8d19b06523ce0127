"""Copies into Milvus and back: what it cannot hold is named, killed ones go on, others stay untouched."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import ended_after, execute
from lookalike import Collection
from lookalike.embedders.fake import FakePairedEmbedder, FakeTextEmbedder
from lookalike.engine.milvus import whole
from lookalike.errors import UnreachableError, UsageError
from lookalike.transfer.exporting.run import ExportOptions
from text_helpers import write_csv

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow

TEXTS = [f"a text about the number {number}" for number in range(700)]  # two pages


@pytest.fixture
def texts(tmp_path):
    """A collection of texts in a folder, some at several places, one with more facts than Milvus takes."""
    many = "\N{GRINNING FACE}" * 200
    rows = [*TEXTS, *TEXTS[3:6], TEXTS[4], "a long one"]
    cells = {f"c{at}": [*[""] * (len(rows) - 1), many] for at in range(100)}
    with Collection(tmp_path / "old.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(write_csv(tmp_path / "texts.csv", rows, **cells), column="text")
        yield collection


def contents(collection, without=()):
    """Items with their places, and vectors by space."""
    store, found = collection._opened.store(), {}
    for page in collection.engine.items.pages():
        for item in page:
            if item.uri not in without:
                places = store.texts.places(item.id) if item.places > 1 else [item.uri]
                found[item.id] = (item, tuple(places))
    for space in collection.spaces():
        for block in collection.engine.vectors(space).blocks():
            for item_id, row in zip(block.ids.tolist(), block.rows, strict=True):
                if item_id in found:
                    found[space.name, item_id] = row.tobytes()
    return found


def interrupted_copy(source, target, pages):
    with ended_after(pages, target):
        source.copy_to(target)
    target.close()


def test_texts_go_there_and_back_but_what_is_too_long(texts, milvus_place, tmp_path):
    with Collection(milvus_place) as milvus, Collection(tmp_path / "back.lookalike") as back:
        long = next(item for item in texts.items(limit=1000) if item.text == "a long one")
        for known in (0, 700):
            report = texts.copy_to(milvus)
            assert (report.items, report.known) == (700, known)
            (note,) = report.notes
            assert note.startswith(f"1 item ({long.uri}) only in {texts.path}: its metadata is longer than")
        assert milvus._opened.store().copy_source() is None
        assert milvus.copy_to(back).items == 700
        assert contents(milvus) == contents(back) == contents(texts, without=[long.uri])


def test_a_killed_copy_follows_a_source_that_has_changed(texts, milvus_place, tmp_path):
    with Collection(milvus_place) as milvus:
        interrupted_copy(texts, milvus, pages=1)
        assert milvus._opened.store().copy_source() == str(texts.path)
        rows = [TEXTS[500], *TEXTS[:3], *TEXTS[10:], TEXTS[2], "a new one", TEXTS[4], TEXTS[4]]
        write_csv(tmp_path / "texts.csv", rows)
        texts.add(tmp_path / "texts.csv", column="text")
        report = texts.copy_to(milvus)
        assert any("had changed or gone since" in note for note in report.notes)
        assert contents(milvus) == contents(texts)


def test_what_was_added_to_a_copy_under_way_is_not_removed(texts, milvus_place, tmp_path):
    with Collection(milvus_place, embedder=FakeTextEmbedder()) as milvus:
        interrupted_copy(texts, milvus, pages=1)
        milvus.add(write_csv(tmp_path / "own.csv", ["my own text"]), column="text")
        with pytest.raises(UsageError, match=r"own.csv#1: copy to a new one"):
            texts.copy_to(milvus)
        assert "my own text" in {item.text for item in milvus.items(limit=1000)}


def test_damaged_photos_are_left_out_and_others_are_refused(tmp_path, make_photo, milvus_place):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed:02}.png", seed)
    with (
        Collection(tmp_path / "old.lookalike", embedder=FakePairedEmbedder()) as photos,
        Collection(milvus_place) as milvus,
    ):
        photos.add(tmp_path / "photos")
        ids = [item.id for item in photos.items()]
        photos.close()
        execute(
            photos.path,
            f"UPDATE vectors_1 SET vector = zeroblob(length(vector)) WHERE item_id = {ids[2]}",
            f"UPDATE vectors_2 SET vector = zeroblob(length(vector)) WHERE item_id = {ids[3]}",
        )
        for _ in range(2):
            report = photos.copy_to(milvus)
            assert (report.items, list(report.vectors.values())) == (11, [11, 10])
            assert "02.png) left out: the vector by" in report.notes[0]
            assert "03.png) copied without a vector by" in report.notes[1]
        photos.remove(ids[0])
        with pytest.raises(UsageError, match=r"00.png: copy to a new one"):
            photos.copy_to(milvus)
        assert milvus.info().items == 11


def test_a_copy_and_an_export_ask_whether_all_is_served(texts, milvus_place, tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "_WATCHED_SECONDS", 0.1)
    monkeypatch.setattr(whole, "_ASK_SECONDS", 0.01)
    with Collection(milvus_place) as milvus, Collection(tmp_path / "back.lookalike") as back:
        texts.copy_to(milvus)
        connection = milvus.engine.connection
        monkeypatch.setattr(connection, "share_served", lambda _: 0.5)
        options = ExportOptions(jsonl=True)
        assert milvus.export(tmp_path / "out", options=options).rows == 700  # what is missing was deleted
        count, more = connection.count, iter(range(1_000))

        def counts(*args, **how):
            return count(*args, **how) - next(more) % 2

        monkeypatch.setattr(connection, "count", counts)
        for call in (
            lambda: milvus.copy_to(back),
            lambda: milvus.export(tmp_path / "other", options=options),
        ):
            with pytest.raises(UnreachableError, match="is served only in part just now"):
                call()
        assert not (tmp_path / "other").exists()
        monkeypatch.undo()
        assert milvus.copy_to(back).items == 700


def test_vectors_of_a_copy_are_those_of_the_source(texts, milvus_place):
    with Collection(milvus_place) as milvus:
        texts.copy_to(milvus)
        space = milvus.spaces()[0]
        items = milvus.items(limit=20)
        rows = milvus.engine.vectors(space).fetch([item.id for item in items]).rows
        theirs = texts.engine.vectors(texts.spaces()[0]).fetch([item.id for item in items]).rows
        assert np.array_equal(rows, theirs)
