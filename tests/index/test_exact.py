import numpy as np

from lookalike.index.exact import ExactIndex, TopK, top_ids


def rows(n, dim=16, seed=0):
    made = np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def brute(ids, vectors, query, k):
    scores = [float(np.dot(v.astype(np.float64), query.astype(np.float64))) for v in vectors]
    return [ids[at] for at in sorted(range(len(ids)), key=lambda at: -scores[at])[:k]]


def test_finds_the_same_as_a_loop_over_all():
    vectors, queries = rows(500), rows(20, seed=1)
    index = ExactIndex(16)
    ids = np.arange(500) * 3 + 7
    for at in range(0, 500, 64):
        index.add(ids[at : at + 64], vectors[at : at + 64])
    for query, found in zip(queries, index.search(queries, 10), strict=True):
        assert set(found.tolist()) == set(brute(ids.tolist(), vectors, query, 10))


def test_removed_items_are_gone_and_others_stay_right():
    vectors = rows(300)
    index = ExactIndex(16)
    index.add(np.arange(300), vectors)
    index.remove(np.arange(0, 300, 2))
    index.remove(np.array([9999]))
    assert len(index) == 150
    (found,) = index.search(vectors[4:5], 5)
    left = list(range(1, 300, 2))
    assert set(found.tolist()) == set(brute(left, vectors[left], vectors[4], 5))


def test_only_allowed_items_come_back():
    vectors = rows(300)
    index = ExactIndex(16)
    index.add(np.arange(300), vectors)
    allowed = np.array([3, 50, 51, 52, 200])
    (found,) = index.search(vectors[:1], 3, allowed)
    assert set(found.tolist()) == set(brute(allowed.tolist(), vectors[allowed], vectors[0], 3))
    (found,) = index.search(vectors[:1], 30, allowed)
    assert sorted(found.tolist()) == allowed.tolist()


def test_an_empty_index_answers_nothing():
    assert ExactIndex(16).search(rows(2), 5)[0].tolist() == []


def test_best_so_far_over_blocks_ranks_as_one_sort_does():
    vectors, queries = rows(1000), rows(7, seed=2)
    ids = np.random.default_rng(3).permutation(5000)[:1000]
    seen = TopK(queries, 12)
    for at in range(0, 1000, 77):
        seen.see(ids[at : at + 77], vectors[at : at + 77])
    ranked, scores = seen.ranked()
    for at, query in enumerate(queries):
        assert ranked[at].tolist() == brute(ids.tolist(), vectors, query, 12)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_equal_scores_rank_by_id():
    seen = TopK(rows(1), 3)
    seen.see(np.array([9, 4, 6]), np.repeat(rows(1), 3, axis=0))
    assert seen.ranked()[0].tolist() == [[4, 6, 9]]


def test_top_ids_of_fewer_than_k_are_all():
    assert top_ids(np.array([5, 6]), np.array([0.1, 0.2], np.float32), 10).tolist() == [5, 6]
