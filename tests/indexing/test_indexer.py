"""The index kept in step with the store: built, measured, saved, caught up, thrown away and rebuilt."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lookalike.errors import StorageError
from lookalike.index.exact import ExactIndex
from lookalike.index.ivf import IvfIndex
from lookalike.indexing import live as indexing
from lookalike.indexing.indexer import Indexer
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch, Store

DIM, FLOOR = 32, 0.98


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 1000)


@pytest.fixture
def store(tmp_path):
    with opened(tmp_path / "c.lookalike") as made:
        yield made


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    made = Store(folder, create=True)
    yield made
    made.close()


def rows(n, seed):
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(99).standard_normal((60, DIM), dtype=np.float32)
    made = middle[random.integers(0, 60, n)] + 0.8 * random.standard_normal((n, DIM), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def fill(store, n, seed):
    """Add n items with random vectors; returns their ids."""
    space = store.ensure_space("fake", "ab" * 32, DIM)
    stamp = FileStamp(1, 1)
    batch = PhotoBatch()
    for at, row in enumerate(rows(n, seed)):
        photo = Photo(f"/p/{seed}-{at}.jpg", stamp, f"{seed}-{at}".encode(), None, {"width": 1, "height": 1})
        batch.photos.append((photo, row))
    done = store.commit(space, batch, reader="test", is_gone=lambda uri: False)
    assert {each.outcome for each in done.committed} == {"added"}
    return [each.item_id for each in done.committed]


def indexer_of(store):
    space = store.default_space()
    return Indexer(store.folder, space, store.vectors(space))


def recall_of(live, store, queries):
    """Share of the true 10 nearest of what the store holds now, by plain float64 arithmetic."""
    vectors = store.vectors(store.default_space())
    block = vectors.fetch(vectors.ids().tolist())
    scores = queries.astype(np.float64) @ block.rows.T.astype(np.float64)
    found = live.search(queries, 10, None)
    shares = []
    for row, candidates in zip(scores, found, strict=True):
        truth = set(block.ids[np.argsort(-row)[:10]].tolist())
        assert set(candidates.tolist()) <= set(block.ids.tolist())
        shares.append(len(truth & set(candidates.tolist())) / 10)
    return np.mean(shares)


def test_few_items_are_searched_exactly_without_a_file(store):
    fill(store, 900, 1)
    live = indexer_of(store).refresh(None)
    assert isinstance(live.index, ExactIndex)
    assert recall_of(live, store, rows(50, 7)) == 1.0
    assert not (store.folder / "index").exists()


def test_many_items_get_a_measured_index_that_survives_reopening(store):
    fill(store, 4000, 1)
    built = indexer_of(store).refresh(None)
    again = indexer_of(store).open()
    for live in (built, again):
        assert isinstance(live.index, IvfIndex)
        assert live.index.recall >= 0.99
        assert recall_of(live, store, rows(50, 7)) >= FLOOR
    assert indexer_of(store).describe() == ("ivf", built.index.recall, indexer_of(store).path.stat().st_size)


def test_adds_and_removes_after_the_build_are_seen_at_once(store):
    ids = fill(store, 4000, 1)
    live = indexer_of(store).refresh(None)
    fill(store, 300, 2)
    store.items.remove(ids[:500])
    live.catch_up(store.vectors(store.default_space()))
    assert len(live.index) == 3800
    assert recall_of(live, store, rows(50, 7)) >= FLOOR
    assert recall_of(live, store, rows(300, 2)[:50]) >= FLOOR
    assert recall_of(indexer_of(store).open(), store, rows(50, 7)) >= FLOOR  # from the older file


def test_small_changes_are_saved_only_when_that_pays_and_large_ones_rebuild(store):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    written = indexer.path.read_bytes()
    fill(store, 20, 2)
    live = indexer.refresh(live)
    assert indexer.path.read_bytes() == written
    fill(store, 400, 3)
    live = indexer.refresh(live)
    assert indexer.path.read_bytes() != written
    assert live.built_count == 4000
    fill(store, 1500, 4)
    live = indexer.refresh(live)
    assert live.built_count == 5920
    assert recall_of(live, store, rows(50, 7)) >= FLOOR


def test_an_exact_index_that_outgrows_itself_becomes_an_approximate_one(store):
    fill(store, 900, 1)
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    fill(store, 200, 2)
    assert isinstance(indexer.refresh(live).index, IvfIndex)


@pytest.mark.parametrize("at", [0, 30, 200, -1, -40, "half"])
def test_a_damaged_file_is_noticed_and_rebuilt(store, at):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    indexer.refresh(None)
    content = bytearray(indexer.path.read_bytes())
    content[len(content) // 2 if at == "half" else at] ^= 1
    indexer.path.write_bytes(content)
    assert indexer.open() is None
    live = indexer.refresh(indexer.open())
    assert recall_of(live, store, rows(50, 7)) >= FLOOR
    assert indexer.open() is not None


def test_a_file_cut_short_or_empty_is_noticed(store):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    indexer.refresh(None)
    content = indexer.path.read_bytes()
    for length in (0, 10, 40, len(content) // 3, len(content) - 1):
        indexer.path.write_bytes(content[:length])
        assert indexer.open() is None


def test_a_file_of_another_model_or_of_a_later_store_is_not_used(store, tmp_path):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    indexer.refresh(None)
    with opened(tmp_path / "other.lookalike") as other:
        fill(other, 4000, 1)
        fill(store, 10, 2)
        indexer.build()  # its clock is now ahead of the other store
        theirs = indexer_of(other)
        theirs.path.parent.mkdir()
        theirs.path.write_bytes(indexer.path.read_bytes())
        assert theirs.open() is None


def test_a_failed_save_leaves_the_old_file_and_no_litter(store, monkeypatch):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    before = indexer.path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        indexer.save(live)
    assert indexer.path.read_bytes() == before
    assert [path.name for path in indexer.path.parent.iterdir()] == [indexer.path.name]


def topics(n, seed, count, spread=0.35):
    """Rows around as many middles of their own."""
    random = np.random.default_rng(seed)
    middle = random.standard_normal((count, DIM), dtype=np.float32)
    made = middle[random.integers(0, count, n)] + spread * random.standard_normal((n, DIM), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def put(store, made, name):
    space = store.ensure_space("fake", "ab" * 32, DIM)
    batch = PhotoBatch()
    for at, row in enumerate(made):
        photo = Photo(f"/p/{name}-{at}.jpg", FileStamp(1, 1), f"{name}-{at}".encode(), None, {})
        batch.photos.append((photo, row))
    store.commit(space, batch, reader="test", is_gone=lambda uri: False)


NEW_TOPICS = [(0.1, 1), (0.1, 20), (0.05, 3), (0.2, 60)]


@pytest.mark.parametrize(("share", "count"), NEW_TOPICS)
def test_new_topics_are_found_as_surely_as_is_said(store, share, count):
    put(store, topics(4000, 1, 40, 0.1), "old")
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    new = topics(int(4000 * share), 7, count, 0.9)
    put(store, new, "new")
    live = indexer.refresh(live)
    measured = recall_of(live, store, new[:200])
    assert live.index.recall <= measured + 0.02
    assert measured >= FLOOR
    assert not live.needs_measuring
    assert indexer.describe()[1] == live.index.recall


def test_what_fell_and_cannot_be_built_anew_is_shown_as_it_is(store, monkeypatch):
    put(store, topics(4000, 1, 40, 0.1), "old")
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    monkeypatch.setattr(indexer, "build", lambda *_: (_ for _ in ()).throw(StorageError("full")))
    for part in range(3):  # few at a time do not go unnoticed either
        put(store, topics(60, 7 + part, 20, 0.9), f"new{part}")
        try:
            indexer.refresh(live)
        except StorageError:
            break
    measured = recall_of(live, store, topics(60, 7, 20, 0.9))
    assert live.measured > 0
    assert live.index.recall <= measured + 0.03


def test_more_of_the_same_is_measured_and_built_no_more(store, monkeypatch):
    fill(store, 4000, 1)
    indexer = indexer_of(store)
    live = indexer.refresh(None)
    monkeypatch.setattr(indexer, "build", None)  # is not called
    fill(store, 300, 2)
    assert indexer.refresh(live) is live
    assert live.measured == 300
    again = indexer.open()
    assert (again.measured, again.needs_measuring) == (300, False)
    assert 0.98 <= again.index.recall <= 1
