import numpy as np
import pytest
from clusters import clustered, exact_neighbours, recall

from lookalike.index.exact import TopK
from lookalike.index.ivf import IvfIndex, Settings, ladder, list_count, train
from lookalike.index.tune import ranks_needed, true_neighbours, tune

N, DIM, FLOOR = 12_000, 64, 0.98
IDS = np.arange(N) * 2 + 11


@pytest.fixture(scope="module")
def vectors():
    return clustered(N, DIM)


@pytest.fixture(scope="module")
def queries():
    return clustered(100, DIM, seed=5)


@pytest.fixture
def index(vectors):
    made = train(vectors[:8000], N)
    made.add(IDS, vectors)
    return tuned(made, vectors, IDS)


def tuned(index, vectors, ids):
    held_out = np.random.default_rng(1).permutation(len(ids))[:200]
    seen = TopK(vectors[held_out], ranks_needed())
    seen.see(ids, vectors)
    tune(index, true_neighbours(ids[held_out], vectors[held_out], seen))
    return index


def test_finds_nearly_all_true_neighbours_while_looking_at_few(index, vectors, queries):
    found = index.search(queries, 10)
    assert recall(found, exact_neighbours(IDS, vectors, queries, 10)) >= FLOOR
    assert max(len(row) for row in found) < N / 20  # it did not get there by returning everything
    assert index.settings.nprobe < index.lists


def test_the_measured_recall_is_the_recall_that_fresh_queries_see(index, vectors, queries):
    assert index.recall >= 0.99
    seen = recall(index.search(queries, 10), exact_neighbours(IDS, vectors, queries, 10))
    assert seen == pytest.approx(index.recall, abs=0.02)


def test_settings_too_low_lose_neighbours(index, vectors, queries):
    index.settings = Settings(nprobe=1, depth=4)
    found = index.search(queries, 1)
    assert recall(found, exact_neighbours(IDS, vectors, queries, 10)) < 0.9


def test_added_items_are_found(index, vectors, queries):
    more = clustered(2_000, DIM, seed=8)
    more_ids = np.arange(1_000_000, 1_002_000)
    index.add(more_ids, more)
    both, both_ids = np.vstack([vectors, more]), np.concatenate([IDS, more_ids])
    assert len(index) == N + 2_000
    assert recall(index.search(queries, 10), exact_neighbours(both_ids, both, queries, 10)) >= FLOOR
    assert recall(index.search(more[:50], 10), exact_neighbours(both_ids, both, more[:50], 10)) >= FLOOR


def test_removed_items_never_come_back_and_others_are_still_found(index, vectors, queries):
    gone = np.zeros(N, bool)
    gone[np.random.default_rng(2).permutation(N)[:5_000]] = True
    index.remove(IDS[gone])
    found = index.search(queries, 10)
    assert not set(IDS[gone].tolist()) & {item for row in found for item in row.tolist()}
    assert recall(found, exact_neighbours(IDS[~gone], vectors[~gone], queries, 10)) >= FLOOR
    index.add(IDS[gone], vectors[gone])  # and what is added again is there again
    assert recall(index.search(queries, 10), exact_neighbours(IDS, vectors, queries, 10)) >= FLOOR


def test_a_reloaded_index_answers_the_same(index, queries):
    again = IvfIndex.from_bytes(index.to_bytes(), index.settings, index.recall)
    for before, after in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        assert before.tolist() == after.tolist()


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_filtered_search_keeps_its_recall(index, vectors, queries, share):
    allowed = np.random.default_rng(4).random(N) < share
    found = index.search(queries, 10, IDS[allowed])
    assert {item for row in found for item in row.tolist()} <= set(IDS[allowed].tolist())
    assert recall(found, exact_neighbours(IDS[allowed], vectors[allowed], queries, 10)) >= FLOOR - 0.02


def test_many_more_hits_than_it_was_tuned_for(index, vectors, queries):
    found = index.search(queries, 200)
    assert min(len(row) for row in found) >= 200
    assert recall(found, exact_neighbours(IDS, vectors, queries, 200)) >= FLOOR


def test_many_more_are_found_less_surely_beside_the_few_that_matter(index, vectors, queries):
    found = index.search(queries, 50, reach=200)
    assert min(map(len, found)) >= 200
    assert recall(found, exact_neighbours(IDS, vectors, queries, 10)) >= FLOOR
    assert recall(found, exact_neighbours(IDS, vectors, queries, 200)) >= 0.8
    few = IDS[:150]
    assert all(len(ids) == 150 for ids in index.search(queries, 10, few, reach=200))


def test_any_number_of_dimensions():
    vectors = clustered(6_000, 30)
    ids = np.arange(6_000)
    index = train(vectors, 6_000)
    index.add(ids, vectors)
    tuned(index, vectors, ids)
    few = vectors[:400]
    assert recall(index.search(few, 10), exact_neighbours(ids, vectors, few, 10)) >= FLOOR


def test_copies_of_a_photo_do_not_count_as_lost(vectors):
    copies = np.vstack([vectors[:3000], np.repeat(vectors[:100], 30, axis=0)])
    ids = np.arange(len(copies))
    index = train(copies, len(copies))
    index.add(ids, copies)
    assert tuned(index, copies, ids).recall >= 0.99


def test_settings_are_tried_from_cheap_to_dear_and_end_with_every_list():
    steps = ladder(400, 40_000)
    assert steps[0] == Settings(2, 16)
    assert steps[-1] == Settings(400, 400)


def test_more_items_get_more_lists_but_never_more_than_can_be_trained():
    counts = [list_count(n) for n in (100, 10_000, 1_000_000, 100_000_000)]
    assert counts == [20, 200, 2000, 8192]
