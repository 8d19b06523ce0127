"""Measures against cases worked by hand and against trec_eval itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval

from lookalike.evaluate.metrics import measure, names

K = 10


def of(ranking, grades, k=K):
    """Measures of a ranking of names, of which `grades` says how relevant each is."""
    found = [(at, grades[name]) for at, name in enumerate(ranking, 1) if grades.get(name, 0) > 0]
    ranks = np.array([at for at, _ in found], np.int64)
    gains = np.array([grade for _, grade in found], np.float64)
    ideal = np.sort([float(grade) for grade in grades.values() if grade > 0])[::-1]
    return measure(ranks, gains, ideal, k)


def test_a_case_worked_by_hand():
    found = of("abcde", {"a": 1, "c": 3, "z": 2}, k=4)
    assert found == {
        "map": pytest.approx((1 / 1 + 2 / 3) / 3),
        "precision@4": pytest.approx(2 / 4),
        "recall@4": pytest.approx(2 / 3),
        "ndcg@4": pytest.approx((1 + 3 / math.log2(4)) / (3 + 2 / math.log2(3) + 1 / math.log2(4))),
        "mrr": 1.0,
    }


def test_the_best_order_reaches_one_and_none_found_zero():
    assert set(of("abc", {"a": 2, "b": 1, "c": 1}, k=3).values()) == {1.0}
    assert set(of("abc", {"x": 1}).values()) == {0.0}
    assert set(of("abc", {}).values()) == {0.0}


def test_fewer_hits_than_k_still_count_as_k():
    found = of("ab", {"a": 1, "b": 1})
    assert (found["precision@10"], found["recall@10"]) == (0.2, 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_measures_are_those_of_trec_eval(seed):
    random = np.random.default_rng(seed)
    documents = [f"d{at:03}" for at in range(random.integers(1, 60))]
    judged = {name: int(random.integers(0, 4)) for name in documents if random.random() < 0.5}
    judged |= {f"missing{at}": int(random.integers(1, 3)) for at in range(random.integers(0, 3))}
    judged = judged or {"d000": 0}
    ranking = list(random.permutation(documents))
    run = {"q": {name: float(len(ranking) - at) for at, name in enumerate(ranking)}}
    asked = {"map", f"P.{K}", f"recall.{K}", f"ndcg_cut.{K}", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator({"q": judged}, asked).evaluate(run)["q"]
    ours = of(ranking, judged)
    named = ("map", f"P_{K}", f"recall_{K}", f"ndcg_cut_{K}", "recip_rank")
    assert ours == {
        name: pytest.approx(theirs[other], abs=1e-9) for name, other in zip(names(K), named, strict=True)
    }
