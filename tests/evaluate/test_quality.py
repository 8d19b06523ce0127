"""Quality on labels and judgements, against brute force and trec_eval over whole rankings."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from evaluate_helpers import clusters, collection_of

from lookalike.errors import UsageError
from lookalike.evaluate.candidates import drawn
from lookalike.evaluate.quality import evaluate_labels, measure_queries
from lookalike.evaluate.truth import Judgements, Labels
from lookalike.search.background import Background

MEASURES = {
    "map": "map",
    "precision@10": "P_10",
    "recall@10": "recall_10",
    "ndcg@10": "ndcg_cut_10",
    "mrr": "recip_rank",
}


def trec_eval(rows, ids, relevant, candidates):
    """trec_eval's measures of exact rankings, equal scores by ascending id."""
    at = {item: place for place, item in enumerate(ids)}
    run = {}
    for query in relevant:
        others = [item for item in candidates if item != query]
        scores = rows[[at[item] for item in others]] @ rows[at[query]]
        order = np.lexsort((others, -scores))
        run[str(query)] = {str(others[place]): float(-rank) for rank, place in enumerate(order)}
    judged = {
        str(query): {str(item): int(grade) for item, grade in theirs.items()}
        for query, theirs in relevant.items()
    }
    asked = {"map", "P.10", "recall.10", "ndcg_cut.10", "recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(run)
    return {
        int(query): {ours: theirs[name] for ours, name in MEASURES.items()} for query, theirs in found.items()
    }


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """130 items in 7 classes, some of them twins to the last bit, in blocks that cut classes apart."""
    monkeypatch.setattr("lookalike.evaluate.candidates._BLOCK", 17)
    rows, which = clusters(130, 7, 1.0)
    rows[40:50] = rows[0]  # ties
    with collection_of(tmp_path, rows) as collection:
        labels = {item.id: f"class {which[at]}" for at, item in enumerate(collection.items(limit=200))}
        yield collection, rows, labels


def test_labels_are_measured_as_trec_eval_measures_whole_rankings(labelled):
    collection, rows, labels = labelled
    truth = Labels({item: label for item, label in labels.items() if item % 10})  # a tenth has none
    measured = measure_queries(collection.open_space(), truth)
    candidates = truth.candidates.tolist()
    relevant = {
        query: {item: 1 for item in candidates if item != query and labels[item] == labels[query]}
        for query in candidates
    }
    theirs = trec_eval(rows, list(labels), relevant, candidates)
    assert measured.candidates == len(candidates) == 117
    assert {one.query: one.measures for one in measured.queries} == {
        query: pytest.approx(values, abs=1e-6) for query, values in theirs.items()
    }


def test_graded_judgements_are_ranked_among_all_items(labelled):
    collection, rows, labels = labelled
    random = np.random.default_rng(2)
    ids = list(labels)
    grades = {
        int(query): {
            int(item): float(random.integers(0, 4)) for item in random.choice(ids, 20, replace=False)
        }
        for query in random.choice(ids, 30, replace=False)
    }
    truth = Judgements(grades)
    found = {one.query: one.measures for one in measure_queries(collection.open_space(), truth).queries}
    judged = {
        query: {item: grade for item, grade in theirs.items() if item != query}
        for query, theirs in grades.items()
        if query in found
    }
    assert found == {
        query: pytest.approx(values, abs=1e-6) for query, values in trec_eval(rows, ids, judged, ids).items()
    }


def test_only_judged_items_count_where_little_was_judged(labelled):
    collection, rows, labels = labelled
    grades = {5: {6: 1.0, 7: 0.0, 90: 1.0}, 8: {9: 0.0}}
    (one,) = measure_queries(collection.open_space(), Judgements(grades, only_judged=True)).queries
    theirs = trec_eval(
        rows, list(labels), {5: {item: int(grade) for item, grade in grades[5].items()}}, [6, 7, 90]
    )
    assert one.measures == pytest.approx(theirs[5], abs=1e-6)


def test_the_report_names_the_worst_classes_and_queries_first(tmp_path):
    rows, which = clusters(120, 4, 0.4)
    random = np.random.default_rng(1)
    lost = np.array(which) == 3
    rows[lost] = random.normal(size=(int(lost.sum()), 16)) / 4
    with collection_of(tmp_path, rows) as collection:
        labels = {item.id: str(which[at]) for at, item in enumerate(collection.items(limit=200))}
        report = evaluate_labels(collection.open_space(), Labels(labels))
    assert report.classes[0].label == "3"
    assert [one.measures["map"].mean for one in report.classes] == sorted(
        one.measures["map"].mean for one in report.classes
    )
    assert {one.label for one in report.worst} == {"3"}
    assert report.overall["map"].low < report.overall["map"].mean < report.overall["map"].high
    assert (report.queries, report.possible, report.candidates) == (120, 120, 120)
    assert report.line is not None
    assert report.line.kept.mean > 10 * report.line.false_alarms.mean


def test_the_line_is_measured_as_counting_pairs_one_by_one_says(tmp_path):
    rows, which = clusters(200, 20, 1.0, dim=64)
    labels = {at: f"class {number}" for at, number in enumerate(which, 1)}
    with collection_of(tmp_path, rows) as collection:
        opened = collection.open_space()
        measured = measure_queries(opened, Labels(labels))
        background = Background(opened.vectors)
        kept, false = [], []
        for at, row in enumerate(rows):
            above = rows @ row >= background.line(row)
            same = np.array([label == labels[at + 1] for label in labels.values()])
            other = ~same
            same[at] = False
            kept.append(above[same].mean())
            false.append(above[other].mean())
    assert 0.1 < np.mean(kept) < 1
    assert measured.line.kept.mean == pytest.approx(np.mean(kept), abs=1e-3)
    assert measured.line.false_alarms.mean == pytest.approx(np.mean(false), abs=1e-3)


def test_many_queries_are_drawn_by_chance_and_always_the_same(labelled):
    collection, _, labels = labelled
    truth = Labels(labels)
    chosen = drawn(truth.queries, 30)
    assert len(set(chosen.tolist())) == 30
    assert chosen.tolist() == drawn(truth.queries, 30).tolist() == sorted(chosen.tolist())
    measured = measure_queries(collection.open_space(), truth, most_queries=30)
    assert [one.query for one in measured.queries] == chosen.tolist()


def test_queries_without_vectors_are_an_error_only_when_none_is_left(labelled):
    collection, _, _ = labelled
    with pytest.raises(UsageError, match="none of the queries has a vector in the space made"):
        measure_queries(collection.open_space(), Judgements({9_999: {1: 1.0}}))
    some = Judgements({9_999: {1: 1.0}, 3: {4: 1.0, 8_888: 1.0}})
    (one,) = measure_queries(collection.open_space(), some).queries
    assert one.measures["recall@10"] <= 0.5  # what has no vector is not found
