"""What indexes find, against brute force; which are best; what cannot be measured."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate_helpers import clusters, collection_of, unit

from lookalike.evaluate import factories
from lookalike.evaluate.index import SweepLimits, evaluate_index, frontier
from lookalike.evaluate.intervals import Interval
from lookalike.evaluate.trial import IndexRow, make_trial

K = 10


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """6,000 items, enough for an index of their own, around few centres, so that coarse codes lose some."""
    rows, _ = clusters(6_000, 40, 1.0, dim=32)
    with collection_of(tmp_path_factory.mktemp("many"), rows) as collection:
        yield collection, rows


def brute_force(rows, ids):
    """The K nearest of each id (row + 1), itself left out."""
    found = {}
    for item in ids:
        scores = rows @ rows[item - 1]
        scores[item - 1] = -2
        found[item] = set((np.argsort(-scores, kind="stable")[:K] + 1).tolist())
    return found


def test_the_truth_is_that_of_brute_force(many):
    collection, rows = many
    trial = make_trial(collection.open_space().vectors, K, 50)
    for item, right in brute_force(rows, trial.ids.tolist()).items():
        assert right == set(trial.right[trial.ids.tolist().index(item)])


def test_equal_scores_share_their_rank(tmp_path):
    rows = unit(np.random.default_rng(0).normal(size=(60, 8)))
    rows[20:40] = rows[20]  # more twins than K
    with collection_of(tmp_path, rows) as collection:
        trial = make_trial(collection.open_space().vectors, K, 60)
        right = dict(zip(trial.ids.tolist(), trial.right, strict=True))
        assert right[21] == frozenset(range(22, 41))
        (row,) = evaluate_index(collection.open_space(), k=K).rows
        assert row.recall == Interval(1.0, 1.0, 1.0)


def test_the_index_in_use_is_measured_as_it_answers(many):
    collection, rows = many
    report = evaluate_index(collection.open_space(), k=K, queries=100)
    (row,) = report.rows
    assert (report.items, report.queries, row.is_current, row.is_best) == (6_000, 100, True, True)
    trial = make_trial(collection.open_space().vectors, K, 100)
    shares = [
        len({hit.id for hit in collection.search(item, K, rerank=False)} & right) / K
        for item, right in brute_force(rows, trial.ids.tolist()).items()
    ]
    assert row.recall.mean == pytest.approx(np.mean(shares))
    assert row.recall.mean > 0.98
    assert row.build_seconds > 0
    assert 0 < row.median_ms <= row.p99_ms
    assert row.bytes_per_item == pytest.approx(collection.info().spaces[0].index_bytes / 6_000, rel=0.05)


def test_coarse_codes_lose_and_scoring_exactly_wins_back(many):
    collection, _ = many
    report = evaluate_index(collection.open_space(), k=K, queries=100, sweep=["IVF77,PQ16x4", "Flat"])
    found = {(row.kind, row.setting): row.recall.mean for row in report.rows}
    assert found["Flat", "all scanned"] == 1.0
    alone, scored = (found["IVF77,PQ16x4", f"nprobe 16{more}"] for more in ("", ", 100 re-scored"))
    assert alone < 0.8 < scored
    own = [row for row in report.rows if row.kind == "the collection's own"]
    assert [row.is_current for row in own].count(True) == 1
    assert len(own) > 3


def test_after_a_sweep_the_index_is_searched_as_before(many):
    collection, _ = many
    before = [hit.id for hit in collection.search(5, K)]
    evaluate_index(collection.open_space(), k=K, queries=20, sweep=["Flat"])
    assert [hit.id for hit in collection.search(5, K)] == before


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("Nonsense", "Faiss makes no index 'Nonsense' for 32 numbers"),
        ("IVF7000,Flat", "learns 7,000 lists, for which 6,000 vectors are too few"),
        ("PQ7", "Faiss"),
        ("HNSW32", "needs about 0.0 GB, more than the 0.0 GB allowed"),
    ],
)
def test_what_does_not_suit_is_said_and_the_rest_goes_on(many, factory, said):
    collection, _ = many
    report = evaluate_index(
        collection.open_space(),
        k=K,
        queries=20,
        sweep=[factory, "SQ8"],
        limits=SweepLimits(500_000 if "HNSW" in factory else 1 << 30),
    )
    (odd,) = [row for row in report.rows if row.kind == factory]
    assert said in odd.problem and "\n" not in odd.problem
    assert any(row.kind == "SQ8" and row.recall.mean > 0.9 for row in report.rows)


def test_a_missing_or_damaged_index_is_built_for_the_measurement(many):
    collection, _ = many
    (file,) = (collection.path / "index").glob("*.ivf")
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:100])
        (row,) = evaluate_index(collection.open_space(), k=K, queries=50).rows
        assert row.recall.mean > 0.98
    finally:
        file.write_bytes(whole)


def test_what_a_sweep_tries_suits_the_collection():
    tried = factories.sweep(40_000, 1_280)
    assert "IVF200,PQ16" in tried
    assert "PQ320x4fs" in tried


def row(kind, recall, ms):
    return IndexRow(kind, "", Interval(recall, recall, recall), ms)


def test_the_frontier_holds_what_none_beats():
    rows = [
        row("fast", 0.5, 0.1),
        row("slow and worse", 0.4, 0.2),
        row("good", 0.9, 1.0),
        row("as good, slower", 0.9, 2.0),
        row("exact", 1.0, 9.0),
        IndexRow("refused", "", problem="no"),
    ]
    assert [each.kind for each in frontier(rows) if each.is_best] == ["fast", "good", "exact"]


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_sweep_ends_in_time_with_what_it_has(many, seconds):
    collection, _ = many
    told = []
    tried = ["Flat", "IVF77,PQ16x4", "HNSW32", "SQ8"]
    limits = SweepLimits(seconds=seconds, on_row=told.append)
    report = evaluate_index(collection.open_space(), k=K, queries=100, sweep=tried, limits=limits)
    assert [(row.kind, row.setting) for row in told] == [(row.kind, row.setting) for row in report.rows]
    assert report.rows[0].is_current and report.rows[0].recall is not None  # whatever the time
    assert {row.kind for row in report.rows} >= {*tried}
    for row in report.rows[1:]:
        assert (row.recall is None) == (row.problem is not None)
    assert any("the time" in (row.problem or "") for row in report.rows)


def test_rows_are_told_one_by_one_and_settings_are_put_back(many):
    collection, _ = many
    opened = collection.open_space()
    before = [hit.id for hit in collection.search(5, K)]

    class EnoughError(Exception):
        pass

    heard = []

    def stop(row):
        heard.append(row)
        if len(heard) == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        evaluate_index(opened, k=K, queries=20, sweep=["Flat"], limits=SweepLimits(on_row=stop))
    assert [hit.id for hit in collection.search(5, K)] == before
    assert heard[0].is_current
