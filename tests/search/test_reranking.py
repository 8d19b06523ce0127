"""Re-ranking by neighbours: against the method written out with vectors, and what must never change."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.search.reranking import BEST, rerank


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def kinds(seed, per_kind=(40, 30, 20), noise=0.7, dim=32):
    """Unit-length rows around some centres, their kinds, and a query near the first centre."""
    chance = np.random.default_rng(seed)
    centres = unit(chance.normal(size=(len(per_kind), dim)) + 1)
    labels = np.repeat(np.arange(len(per_kind)), per_kind)
    rows = unit(centres[labels] + noise * unit(chance.normal(size=(len(labels), dim))))
    return rows, labels, unit(centres[0] + noise * unit(chance.normal(size=dim)))


def best_first(rows, query):
    scores = rows @ query
    order = np.argsort(-scores, kind="stable")
    return scores[order], rows[order], order


def written_out(scores, rows, query):
    """The blended scores, by moving the vectors themselves."""
    mean = rows[-(len(rows) // 4) :].astype(np.float64).mean(axis=0)
    centred, asked = rows - mean, query - mean
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    asked /= np.linalg.norm(asked)

    def moved(vector, others):
        alike = others @ vector
        nearest = np.argsort(-alike)[:5]
        vector = vector + np.maximum(alike[nearest], 0) @ others[nearest]
        return vector / np.linalg.norm(vector)

    hits = np.stack([moved(row, np.delete(centred, at, axis=0)) for at, row in enumerate(centred)])
    return (scores + hits @ moved(asked, centred)) / 2


@pytest.mark.parametrize("seed", range(8))
def test_the_order_is_that_of_the_method_written_out_with_vectors(seed):
    rows, _, query = kinds(seed)
    scores, rows, _ = best_first(rows, query)
    expected = np.argsort(-written_out(scores, rows, query), kind="stable").tolist()
    expected.remove(0)
    assert rerank(scores, rows).tolist() == [0, *expected]


def test_hits_of_one_kind_vouch_for_each_other():
    """Those of the query's kind come before others more often than by the cosine alone."""
    plain, reranked = [], []
    for seed in range(30):
        rows, labels, query = kinds(seed, noise=1.2)
        scores, rows, order = best_first(rows, query)
        for found, places in ((plain, np.arange(len(rows))), (reranked, rerank(scores, rows))):
            right = labels[order][places] == 0
            found.append((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())
    assert np.mean(reranked) > np.mean(plain) + 0.02
    assert np.mean(np.array(reranked) >= np.array(plain)) > 0.8


def test_the_nearest_stays_first():
    """As the original of an edited photo does, for which none of the others vouches."""
    others = 0
    for seed in range(30):
        rows, _, query = kinds(seed, noise=1.2)
        scores, rows, _ = best_first(rows, query)
        others += np.argmax(written_out(scores, rows, query)) != 0
        assert rerank(scores, rows)[0] == 0
    assert others > 2


def test_the_query_under_another_name_comes_first():
    for seed in range(20):
        rows, _, query = kinds(seed)
        rows = np.concatenate([rows, query[None], query[None]])
        scores, rows, order = best_first(rows, query)
        assert set(order[rerank(scores, rows)[:2]].tolist()) == {90, 91}


def test_what_is_below_the_line_stays_behind():
    rows, _, query = kinds(3)
    scores, rows, _ = best_first(rows, query)
    line = float(scores[25])
    order = rerank(scores, rows, line)
    assert sorted(order[:26].tolist()) == list(range(26))
    assert order[:26].tolist() != list(range(26))
    assert sorted(order.tolist()) == list(range(len(rows)))


def test_those_after_the_best_keep_their_places():
    rows, _, query = kinds(4, per_kind=(150, 100, 50))
    scores, rows, _ = best_first(rows, query)
    order = rerank(scores, rows)
    assert sorted(order[:BEST].tolist()) == list(range(BEST))
    assert order[BEST:].tolist() == list(range(BEST, 300))
    assert rerank(scores[: BEST + 1], rows[: BEST + 1])[:BEST].tolist() == order[:BEST].tolist()


@pytest.mark.parametrize("count", [0, 1, 6, 19])
def test_few_hits_stay_as_they_are(count):
    rows, _, query = kinds(5)
    scores, rows, _ = best_first(rows, query)
    assert rerank(scores[:count], rows[:count]).tolist() == list(range(count))


def test_equal_vectors_keep_their_order():
    row = unit(np.ones(16))
    query = unit(np.arange(1, 17))
    for rows in (np.repeat(row[None], 60, axis=0), np.repeat(query[None], 60, axis=0)):
        assert rerank((rows @ query).astype(np.float32), rows).tolist() == list(range(60))


def test_what_is_all_but_identical_keeps_the_order_of_its_scores():
    chance = np.random.default_rng(0)
    query = unit(chance.normal(size=64))
    rows = unit(query + np.linspace(0, 0.003, 60)[:, None] * chance.normal(size=64))
    others, _, _ = kinds(6, dim=64)
    scores, rows, _ = best_first(np.concatenate([rows, others]), query)
    assert (scores > 0.9995).sum() == 60
    assert rerank(scores, rows)[:60].tolist() == list(range(60))
