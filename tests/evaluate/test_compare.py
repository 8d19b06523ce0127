"""Comparisons: a side that is known to be better is found so, equal ones are not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from evaluate_helpers import clusters, collection_of, unit

from lookalike.errors import UsageError
from lookalike.evaluate.compare import Side, answers, common_items, compare, matching, overlap
from lookalike.evaluate.quality import measure_queries
from lookalike.evaluate.truth import Judgements, Labels
from lookalike.records import SearchOptions


@pytest.fixture
def two(tmp_path):
    """300 items in 10 classes with two spaces: `made`, and `noisy`, the same with noise."""
    rows, which = clusters(300, 10, 0.6, dim=32)
    collection_of(tmp_path, rows).close()
    noise = np.random.default_rng(1).normal(size=rows.shape)
    with collection_of(tmp_path, unit(rows + 0.12 * noise), space="noisy") as collection:
        yield collection, Labels({at: str(number) for at, number in enumerate(which, 1)})


def sides(collection, *names):
    return [Side(name, collection.open_space(name)) for name in names]


def test_a_better_side_is_found_better(two):
    collection, truth = two
    found = compare(*sides(collection, "noisy", "made"), truth)
    first = found.measures[0]
    assert (first.measure, found.queries, found.items) == ("map", 300, 300)
    assert first.difference.low > 0
    assert first.p < 0.001
    assert first.better > first.worse
    assert first.better + first.worse + first.equal == 300
    whole = [
        {one.query: one.measures for one in measure_queries(collection.open_space(name), truth).queries}
        for name in ("noisy", "made")
    ]
    gaps = np.array([whole[1][query]["map"] - whole[0][query]["map"] for query in whole[0]])
    assert first.difference.mean == pytest.approx(gaps.mean())
    assert scipy.stats.wilcoxon(gaps).pvalue < 0.001


def test_the_other_way_round_signs_change(two):
    collection, truth = two
    one = compare(*sides(collection, "noisy", "made"), truth).measures[0]
    other = compare(*sides(collection, "made", "noisy"), truth).measures[0]
    assert other.difference.mean == pytest.approx(-one.difference.mean)
    assert (other.better, other.worse, other.p) == (one.worse, one.better, one.p)


def test_equal_sides_do_not_differ(two):
    collection, truth = two
    found = compare(*sides(collection, "made", "made"), truth)
    assert {(each.difference.mean, each.p, each.better, each.worse) for each in found.measures} == {
        (0, 1, 0, 0)
    }
    assert found.overlap.mean == 1.0
    assert found.differing == ()
    assert compare(*sides(collection, "made", "made"), None).differing == ()


def test_queries_that_differ_most_come_first_with_both_answers(two):
    collection, truth = two
    found = compare(*sides(collection, "noisy", "made"), truth)
    gaps = [abs(each.a - each.b) for each in found.differing]
    assert gaps == sorted(gaps, reverse=True)
    first = found.differing[0]
    assert list(first.answers_b) == [hit.id for hit in collection.search(first.query, 10, rerank=False)]


def test_without_labels_the_overlap_is_known(two):
    collection, _ = two
    found = compare(*sides(collection, "made", "noisy"), None)
    assert found.measures == ()
    lists = [
        answers(side, np.arange(1, 301), np.arange(1, 301), 10) for side in sides(collection, "made", "noisy")
    ]
    shares = {query: len(set(lists[0][query]) & set(lists[1][query])) / 10 for query in lists[0]}
    assert found.overlap.mean == pytest.approx(np.mean(list(shares.values())))
    assert [each.a for each in found.differing] == sorted(shares.values())[:12]


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [([1, 2, 3], [3, 2, 1], 1.0), ([1, 2], [3, 4], 0.0), ([1, 2, 3, 4], [4, 9], 0.25), ([], [], 0.0)],
)
def test_overlap_in_cases_worked_by_hand(one, other, share):
    assert overlap(one, other) == share


def test_two_collections_are_compared_by_their_content(two, tmp_path):
    collection, truth = two
    rows, _ = clusters(300, 10, 0.6, dim=32)
    names = [f"/nowhere/{at:05}.jpg" for at in range(300)]
    order = np.random.default_rng(4).permutation(300)[:200]
    with collection_of(tmp_path / "other", rows[order], [names[at] for at in order]) as other:
        ids = matching(collection, other)
        assert len(ids) == 200
        second = Side("other", other.open_space(), ids=ids)
        (first,) = sides(collection, "made")
        assert common_items(first, second).tolist() == sorted((order + 1).tolist())
        found = compare(first, second, truth)
        assert (found.items, found.measures[0].difference.mean, found.overlap.mean) == (200, 0.0, 1.0)
        assert "queries that one side does not have, left out: 100" in found.problems


def test_an_index_is_compared_with_exact_search(tmp_path):
    rows, which = clusters(6_000, 30, 1.0, dim=32)
    with collection_of(tmp_path, rows) as collection:
        exact, by_index = (
            Side("made", collection.open_space()),
            Side("made@index", collection.open_space(), True),
        )
        truth = Labels({at: str(number) for at, number in enumerate(which, 1)})
        found = compare(exact, by_index, truth, most_queries=100)
        assert found.overlap.mean > 0.97
        assert any("first 100 answers" in each for each in found.problems)
        gap = found.measures[1].difference  # precision@10
        assert abs(gap.mean) < 0.05


def test_the_reranked_order_is_that_of_a_search_that_reranks(two):
    collection, truth = two
    plain, reranked = (
        sides(collection, "made")[0],
        Side("made@rerank", collection.open_space("made"), rerank=True),
    )
    found = compare(plain, reranked, truth)
    expected = {"plain": list[float](), "reranked": list[float]()}
    for item in range(1, 301):
        for name, values in expected.items():
            options = SearchOptions(k=299, space="made", rerank=name == "reranked")
            (result,) = collection.answer([item], options)
            right = np.array([truth.given[hit.id] == truth.given[item] for hit in result])
            values.append((np.cumsum(right) / np.arange(1, 300))[right].mean())
    assert found.measures[0].a.mean == pytest.approx(np.mean(expected["plain"]), abs=1e-6)
    assert found.measures[0].b.mean == pytest.approx(np.mean(expected["reranked"]), abs=1e-6)
    assert found.measures[0].difference.low > 0
    assert all(cost.median_ms > 0 for cost in found.costs)
    options = SearchOptions(k=10, space="made", rerank=True)
    first = answers(reranked, np.array([7]), np.arange(1, 301), 10)
    assert first[7] == [hit.id for hit in collection.answer([7], options)[0]]


def test_only_judged_items_have_no_reranked_order(two):
    collection, _ = two
    pair = [
        Side(name, collection.open_space("made"), rerank=name != "made") for name in ("made", "made@rerank")
    ]
    with pytest.raises(UsageError, match="no re-ranked order"):
        compare(*pair, Judgements({1: {11: 1.0, 2: 0.0}}, only_judged=True))


def test_judgements_are_compared_too(two):
    collection, _ = two
    grades = {1: {11: 1.0, 21: 2.0, 2: 0.0}, 5: {15: 1.0, 4: 0.0}}
    for only in (True, False):
        found = compare(*sides(collection, "made", "noisy"), Judgements(grades, only_judged=only))
        assert found.queries == 2


def test_nothing_in_common_is_one_clear_line(two, tmp_path):
    collection, truth = two
    with collection_of(tmp_path / "far", unit(np.eye(4)), [f"/far/{at}.jpg" for at in range(4)]) as far:
        second = Side("far", far.open_space(), ids=matching(collection, far))
        with pytest.raises(UsageError, match="made and far have 0 items in common: nothing to compare"):
            compare(*sides(collection, "made"), second, truth)
    with pytest.raises(UsageError, match="no query of the truth is an item that both sides have"):
        compare(*sides(collection, "made", "noisy"), Judgements({9_000: {1: 1.0}}))


@pytest.mark.parametrize("singles", [1, 40, 250, 298])
def test_items_whose_label_occurs_once_are_ranked_as_elsewhere(two, singles):
    collection, truth = two
    labels = {item: str(item) if item > 300 - singles else truth.given[item] for item in range(1, 301)}
    if singles == 298:
        labels |= {1: "pair", 2: "pair"}
    some = Labels(labels)
    found = compare(*sides(collection, "noisy", "made"), some).measures[0]
    for side, value in (("noisy", found.a), ("made", found.b)):
        alone = measure_queries(collection.open_space(side), some).queries
        assert value.mean == pytest.approx(np.mean([one.measures["map"] for one in alone]))
