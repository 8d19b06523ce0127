"""Models that give some items nothing that can be searched: those are skipped with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers import CountingDecoder, execute, rows_of, select
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.embedders.vectors import have_direction, unit_length
from lookalike.errors import QueryError
from lookalike.faces.contract import result_json
from lookalike.records import Words
from lookalike.search.queries import Example
from lookalike.store.rows import encode_vector, vector_checksum
from text_helpers import write_csv

pytest_plugins = ["store_fixtures"]

BAD = {"nan": np.nan, "inf": np.inf, "zeros": 0.0}


class SometimesBad(FakeEmbedder):
    """Gives nothing to photos whose first value is odd."""

    value = np.nan

    def embed(self, pixels):
        rows = super().embed(pixels)
        rows[pixels[:, 0, 0, 0] % 2 == 1] = self.value
        return rows


class SometimesBadTexts(FakeTextEmbedder):
    """Gives nothing to texts with a number in them."""

    value = np.nan

    def embed_texts(self, texts):
        rows = super().embed_texts(texts)
        rows[[any(letter.isdigit() for letter in text) for text in texts]] = self.value
        return rows


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_photos_without_a_direction_are_skipped(tmp_path, photos, value):
    embedder = SometimesBad()
    embedder.value = value
    with Collection(tmp_path / "c.lookalike", embedder=embedder, decoder=CountingDecoder()) as collection:
        report = collection.add(photos)
        assert report.skipped and report.added and report.found == 6
        assert len(collection.skipped()) == report.skipped
        assert all("no direction" in each.reason for each in collection.skipped())
        (first, *_) = rows_of(collection)
        result = collection.search(first[0], 10)
        assert len(result) == report.added - 1 and all(np.isfinite(hit.score) for hit in result)
        json.dumps(result_json(result), allow_nan=False)
        assert collection.verify().sound
        with pytest.raises(QueryError, match="no direction"):
            collection.search(collection.skipped()[0].uri)
        embedder.value = 1.0  # another model file, say: tried again
        assert collection.add(photos).found == 6


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_texts_without_a_direction_are_skipped(tmp_path, value):
    embedder = SometimesBadTexts()
    embedder.value = value
    texts = [f"text {'abcdefgh'[n]}{n if n % 3 == 0 else ''}" for n in range(8)] * 2
    table = write_csv(tmp_path / "t.csv", texts)
    with Collection(tmp_path / "c.lookalike", embedder=embedder) as collection:
        report = collection.add(table)
        assert (report.added, report.skipped, report.found) == (5, 6, 16)
        again = collection.add(table)
        assert (again.added, again.skipped, again.found) == (0, 6, 16)
        assert collection.verify().sound
        embedder.embed_words = embedder.embed_texts
        with pytest.raises(QueryError, match="no direction"):
            collection.search(Example(Words("number 7")))


def test_a_further_space_lacks_what_its_model_gives_no_direction(tmp_path, photos):
    with Collection(
        tmp_path / "c.lookalike", embedder=FakeEmbedder(), decoder=CountingDecoder()
    ) as collection:
        collection.add(photos)
        second = SometimesBad(name="second")
        store = collection._opened.store()
        space = store.ensure_space(second.spec.name, second.spec.model_id, second.spec.dim)
        from lookalike.ingest.fill import FillContext, fill_photos

        left = fill_photos(FillContext(store, space, CountingDecoder(), second, lambda *_: None))
        assert 0 < left < 6
        assert store.vectors(space).count() == 6 - left
        assert collection.verify().sound


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_older_versions_stored_is_named_left_out_and_taken_out(watched, photos, value):
    watched.add(photos)
    folder = watched.collection.path
    content = encode_vector(np.full(32, value, np.float32))
    execute(folder, f"UPDATE vectors_1 SET vector = x'{content.hex()}', "
            f"checksum = {vector_checksum(1, 3, content)} WHERE item_id = 3")  # fmt: skip
    watched.collection.close()
    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        (damage,) = collection.verify().damage
        assert damage.item_id == 3 and "no direction" in damage.detail
        result = collection.search(1, 6)
        assert all(np.isfinite(hit.score) for hit in result)
        if value != 0:
            assert 3 not in [hit.id for hit in result] and result.damaged == (3,)
        with pytest.raises(Exception, match=r"damaged|no direction"):
            collection.search(3)
        assert collection.verify(repair=True).sound
        assert select(folder, "SELECT count(*) FROM items WHERE id = 3") == [(0,)]
        assert collection.add(photos).found == 6
        assert collection.info().items == 6


def test_rows_that_leave_the_range_keep_their_direction():
    rows = np.array([[3e30, 4e30], [3e-30, 4e-30], [0, 0], [np.nan, 1], [np.inf, 1], [3, 4]], np.float32)
    made = unit_length(rows)
    np.testing.assert_allclose(made[[0, 1, 5]], [[0.6, 0.8]] * 3, rtol=1e-6)
    assert have_direction(made).tolist() == [True, True, False, False, False, True]
