"""What clicks and votes come to, in cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate_helpers import clusters, collection_of, unit

from lookalike.errors import UsageError
from lookalike.evaluate.votes import evaluate_votes, pairwise_result, pairwise_results
from lookalike.records import Credit


def credit(round_id, space, other, item, kind="click", value=1):
    return Credit(round_id, "item:1", space, other, item, kind, value, "2026-11-27")


def test_a_round_is_won_by_who_earned_more():
    (duel,) = pairwise_results(
        [
            credit("1", "x", "y", 1),
            credit("1", "x", "y", 2),
            credit("1", "y", "x", 3),
            credit("2", "y", "x", 1),
            credit("3", "x", "y", 1),
            credit("3", "y", "x", 2),
            credit("4", "x", "y", 1, "vote", -1),
        ]
    )
    assert (duel.a, duel.b, duel.wins_a, duel.wins_b, duel.ties) == ("x", "y", 1, 2, 1)
    assert duel.p == 1.0
    assert duel.share.mean == pytest.approx(1 / 3)


def test_each_pair_has_a_duel_of_its_own():
    found = pairwise_results([credit("1", "x", "y", 1), credit("2", "z", "x", 1)])
    assert [(one.a, one.b, one.wins_a, one.wins_b) for one in found] == [("x", "y", 1, 0), ("x", "z", 0, 1)]


def test_only_even_rounds_decide_nothing():
    duel = pairwise_result("x", "y", [(1, 1), (0, 0)])
    assert (duel.ties, duel.share, duel.p, duel.needed) == (2, None, 1.0, None)


@pytest.fixture
def collection(tmp_path):
    """60 items of six classes, and a second space that is nothing but noise."""
    rows, _ = clusters(60, 6, 0.3)
    collection_of(tmp_path, rows).close()
    noise = unit(np.random.default_rng(2).normal(size=(60, 8)))
    with collection_of(tmp_path, noise, space="noise") as collection:
        yield collection


def test_nothing_yet_is_one_clear_line(collection):
    with pytest.raises(UsageError, match="no votes yet: vote in the page, rate at /rate"):
        evaluate_votes(collection)


def test_the_space_that_ranks_what_was_liked_first_is_best(collection):
    random = np.random.default_rng(0)
    for query in (1, 2, 3, 4, 5, 6):
        for item in random.choice(np.arange(7, 61), 20, replace=False).tolist():
            collection.vote(f"item:{query}", item, 1 if (item - query) % 6 == 0 else -1)
    report = evaluate_votes(collection)
    means = {one.space: one.measures["map"].mean for one in report.spaces}
    assert means["made"] > 0.95
    assert means["noise"] < 0.6
    assert (report.judgements, report.queries, report.pairwise_results) == (120, 6, ())


def test_a_model_that_is_gone_is_named_and_its_rounds_count(collection):
    collection.credit(credit("1", "made", "old", 2))
    report = evaluate_votes(collection)
    assert report.problems == ("the collection has no model old any more; its rounds count",)
    assert report.pairwise_results[0].wins_a == 1


def test_damaged_credits_are_named_and_dropped_by_a_repair(collection):
    from helpers import execute

    collection.credit(credit("1", "made", "noise", 2))
    collection.credit(credit("2", "made", "noise", 2))
    collection.close()
    execute(collection.path, "UPDATE credits SET value = -1 WHERE round = '2'")
    assert [each.round for each in collection.credits()] == ["1"]
    found = [each.what for each in collection.verify().damage]
    assert "credit 2" in found
    collection._opened.store().credits.drop_damaged()
    assert "credit 2" not in [each.what for each in collection.verify().damage]
