"""Many queries at once answer as each alone, whatever is damaged, and hold few vectors."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import execute
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.records import FileStamp, Photo, SearchOptions
from lookalike.search import batch
from lookalike.search.queries import Example
from lookalike.store import PhotoBatch
from lookalike.store.vectors import SpaceVectors

COUNT = 1_500
ALIKE = 20
"""The first so many photos are all but the same."""


@pytest.fixture
def folder(tmp_path):
    """A collection of made-up vectors of some kinds; the first are copies of each other."""
    chance = np.random.default_rng(1)
    kinds = chance.normal(size=(20, 32)) + 0.5
    rows = kinds[chance.integers(0, 20, COUNT)] + 0.6 * chance.normal(size=(COUNT, 32))
    rows[:ALIKE] = rows[0] + 0.02 * chance.normal(size=(ALIKE, 32))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as made:
        store, spec = made._opened.store(create=True), FakeEmbedder().spec
        space = store.ensure_space(spec.name, spec.model_id, spec.dim)
        photos = PhotoBatch()
        for at, row in enumerate(rows):
            facts = {"width": at % 3}
            photos.photos.append((Photo(f"/{at}.jpg", FileStamp(1, 1), b"%d" % at, None, facts), row))
        store.commit(space, photos, reader="test", is_gone=lambda uri: False)
    return tmp_path / "c.lookalike"


def opened(folder):
    return Collection(folder, embedder=FakeEmbedder())


def alone(collection, queries, options, where=()):
    return [collection.answer([query], options, where=where)[0] for query in queries]


@pytest.mark.parametrize(
    "options", [{}, {"rerank": False}, {"offset": 30}, {"k": 300}, {"mark_copies": True}]
)
@pytest.mark.parametrize("where", [(), ("width=1",)])
def test_many_answer_as_each_alone(folder, options, where):
    options = SearchOptions(**{"k": 10, "background": True} | options)
    with opened(folder) as collection:
        several = [Example(70), Example(71, 0.5), Example(72, -0.3)]
        queries = [*range(1, 101), 5, 5, several, np.arange(32)]
        found = collection.answer(queries, options, where=where)
        assert found == alone(collection, queries, options, where)
        assert [one.reranked for one in found[-3:]] == [options.rerank is None, False, options.rerank is None]
        assert all(len(one.hits) == options.k for one in found)


def test_few_vectors_are_held_at_once(folder, monkeypatch):
    queries = list(range(1, 201))
    with opened(folder) as collection:
        options = SearchOptions(k=10, mark_copies=True)
        expected = collection.answer(queries, options)
        monkeypatch.setattr(batch, "_MOST_NUMBERS", 500 * 32)
        asked, fetch = [], SpaceVectors.fetch

        def counted(self, item_ids):
            asked.append(len(item_ids))
            return fetch(self, item_ids)

        monkeypatch.setattr(SpaceVectors, "fetch", counted)
        assert collection.answer(queries, options) == expected
    assert 200 < max(asked) <= 500


def test_damaged_vectors_are_named_by_the_queries_that_miss_them(folder):
    execute(folder, "UPDATE vectors_1 SET vector = zeroblob(128) WHERE item_id IN (3, 900)")
    with opened(folder) as collection:
        queries, options = [1, 2, *range(30, 100)], SearchOptions(k=10)
        found = collection.answer(queries, options)
        assert found == alone(collection, queries, options)
        assert 3 in found[0].damaged and all(hit.id != 3 for one in found for hit in one.hits)


def test_items_behind_many_damaged_ones_are_compared_by_their_own_vectors(folder):
    """Vectors beyond those that were kept for the best hits are read again."""
    execute(folder, f"UPDATE items SET size = 2 WHERE id BETWEEN 2 AND {ALIKE - 3}")
    with opened(folder) as collection:
        options = SearchOptions(k=3, mark_copies=True)
        both = collection.answer([1, 1], options)
        assert both == alone(collection, [1, 1], options)
        first = both[0].hits
        assert {hit.id for hit in first} == {ALIKE - 2, ALIKE - 1, ALIKE} and len(both[0].damaged) > 10
        assert [hit.copy_of for hit in first] == [None, first[0].id, first[0].id]


def test_an_error_in_one_query_is_raised(folder, monkeypatch):
    def failing(*_):
        raise MemoryError("no room")

    monkeypatch.setattr("lookalike.search.search.rescored", failing)
    with opened(folder) as collection, pytest.raises(MemoryError, match="no room"):
        collection.answer(list(range(1, 50)), SearchOptions())
