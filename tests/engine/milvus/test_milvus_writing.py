"""What a writer has just written is known to its next batch, though the engine shows it a moment later."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from compared import opened_at

from lookalike.engine.milvus.client import MilvusConnection
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow

ROWS = np.eye(8, dtype=np.float32)


@pytest.fixture
def opened(milvus_place):
    engine, store = opened_at(milvus_place)
    yield engine, store, store.ensure_space("fake", "ab" * 32, 8)
    store.close()


def photo(name, content):
    return Photo(name, FileStamp(1, 1), hashlib.sha256(content.encode()).digest(), None, {"width": 1})


def commit(store, space, *photos, gone=()):
    batch = PhotoBatch([(each, ROWS[at]) for at, each in enumerate(photos)])
    written = store.commit(space, batch, reader="test", is_gone=lambda uri: uri in gone)
    return {each.uri: each.outcome for each in written.committed}


def strong_reads(monkeypatch):
    waited, query = [], MilvusConnection.query

    def noted(self, name, *rest, strong=False, **more):
        if strong and "__" in name:
            waited.append(name)
        return query(self, name, *rest, strong=strong, **more)

    monkeypatch.setattr(MilvusConnection, "query", noted)
    return waited


@pytest.mark.parametrize("is_empty_at_first", [True, False])
def test_the_same_uri_in_the_next_batch_is_the_same_item(opened, is_empty_at_first):
    engine, store, space = opened
    if not is_empty_at_first:
        commit(store, space, photo("before", "before"))
        store.checkpoint()
    assert commit(store, space, photo("a", "1"), photo("b", "2")) == {"a": "added", "b": "added"}
    assert commit(store, space, photo("c", "3"), photo("a", "4")) == {"c": "added", "a": "updated"}
    assert commit(store, space, photo("a", "5"), photo("b", "2")) == {"a": "updated", "b": "unchanged"}
    store.checkpoint()
    there = {item.uri: item.content_hash for page in engine.items.pages() for item in page}
    expected = {"a": "5", "b": "2", "c": "3"} | ({} if is_empty_at_first else {"before": "before"})
    assert there == {uri: photo(uri, content).content_hash for uri, content in expected.items()}
    assert engine.items.count() == len(expected)


def test_what_comes_first_into_an_empty_collection_waits_for_nothing(opened, monkeypatch):
    _, store, space = opened
    waited = strong_reads(monkeypatch)
    for at in range(4):
        commit(store, space, *(photo(f"{at}-{each}", f"{at} {each}") for each in range(8)))
    assert waited == []
    commit(store, space, photo("0-0", "changed"))
    assert len(waited) == 1
    commit(store, space, photo("0-1", "changed"))  # nothing was written since that is not remembered
    assert len(waited) == 1


def test_items_of_two_writers_who_both_found_it_empty_are_there_once(milvus_place):
    (engine, first), (_, second) = opened_at(milvus_place), opened_at(milvus_place)
    space = first.ensure_space("fake", "ab" * 32, 8)
    assert second.ensure_space("fake", "ab" * 32, 8) == space
    assert commit(first, space, photo("a", "1")) == {"a": "added"}
    second._pusher._own = set()  # as if it had looked before that
    assert commit(second, space, photo("a", "2"), photo("b", "3")) == {"a": "added", "b": "added"}
    assert commit(first, space, photo("b", "3"), photo("c", "4"))["c"] == "added"
    for each in (first, second):
        each.checkpoint()
    assert engine.items.count() == 3
    there = {item.uri: item.content_hash for page in engine.items.pages() for item in page}
    assert there == {
        each.uri: each.content_hash for each in (photo("a", "2"), photo("b", "3"), photo("c", "4"))
    }
    for each in (first, second):
        each.close()
