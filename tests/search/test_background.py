"""The line between hits that are related to a query and those that are not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.embedders.vectors import unit_length
from lookalike.search.background import Background
from lookalike.store.vectors import VectorBlock


class Vectors:
    """Stands in for `SpaceVectors`: rows in memory, and a count of how often a sample was drawn."""

    def __init__(self, rows):
        self.rows, self.drawn, self.clock = rows, 0, 1

    def seq(self):
        return self.clock

    def count(self):
        return len(self.rows)

    def draw(self, count, chance):
        self.drawn += 1
        return np.sort(np.arange(1, len(self.rows) + 1)[chance.permutation(len(self.rows))[:count]])

    def fetch(self, item_ids):
        assert len(item_ids) <= 1000
        return VectorBlock(np.array(item_ids), self.rows[np.array(item_ids, int) - 1])


def crowd(count, dim=300, seed=0):
    """Unit-length rows around a common mean, as vectors of photos are."""
    rng = np.random.default_rng(seed)
    return unit_length(rng.standard_normal((count, dim)) + 0.7)


def kin(row, count, seed=1):
    noise = np.random.default_rng(seed).standard_normal((count, len(row))) / np.sqrt(len(row))
    return unit_length(row + 0.8 * noise)


@pytest.mark.parametrize("count", [200, 3_000])
@pytest.mark.parametrize("alike", [True, False])
def test_it_parts_the_related_from_the_others(count, alike):
    others = crowd(count)
    query = crowd(1, seed=5)[0]
    related = kin(query, count // 100)
    line = Background(Vectors(np.concatenate([others, related]))).line(query, alike=alike)
    assert np.all(related @ query > line)
    assert np.mean(others @ query > line) <= 0.04


def test_two_of_a_hundred_random_pairs_are_above_the_line():
    rows = crowd(300)
    line = Background(Vectors(rows)).line(rows[0])
    scores = (rows @ rows.T)[np.triu_indices(300, 1)]
    assert np.mean(scores >= line) == pytest.approx(0.02, abs=0.0005)


def test_few_items_have_no_line():
    assert Background(Vectors(crowd(49))).line(crowd(1)[0]) is None
    assert Background(Vectors(crowd(49))).closer_than([0.5], crowd(1)[0]) is None
    assert Background(Vectors(crowd(50))).line(crowd(1)[0]) is not None


def test_copies_of_one_photo_have_a_line_that_lets_them_pass():
    query = crowd(1)[0]
    line = Background(Vectors(np.repeat(query[None], 80, axis=0))).line(query)
    assert line <= 1


def test_a_share_is_that_of_all_pairs_rounded_down():
    rows = crowd(120)
    scores = (rows @ rows.T)[np.triu_indices(120, 1)]
    asked = np.quantile(scores, [0.0, 0.1, 0.5, 0.9, 0.98, 0.99]) + 1e-4
    found = Background(Vectors(rows)).closer_than(asked, rows[0])
    for share, score in zip(found, asked, strict=True):
        exact = scipy.stats.percentileofscore(scores, score, "strict") / 100
        assert exact - 1.0001e-4 - 2 / len(scores) <= share <= exact  # two pairs may be as good as equal


def test_what_is_drawn_for_words_is_items_not_pairs():
    rows, query = crowd(400), crowd(1, seed=9)[0]
    (share,) = Background(Vectors(rows)).closer_than([0.6], query, alike=False)
    exact = np.mean(rows @ query < 0.6)
    assert share == min(exact, 1 - 8 / 400)


@given(st.integers(50, 400), st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_share_never_says_more_than_is_known(count, asked, alike):
    rows = crowd(count, dim=12)
    background = Background(Vectors(rows))
    found = background.closer_than(asked, rows[0], alike=alike)
    drawn = rows @ rows[0] if not alike else (rows @ rows.T)[np.triu_indices(count, 1)]
    most = 1 - 8 / len(drawn)
    for share, score in zip(found, asked, strict=True):
        assert 0 <= share <= most
        assert share <= np.mean(drawn < score + 1e-6) + 1e-12  # both are counts, divided in two ways
    assert [found[at] for at in np.argsort(asked)] == sorted(found)


def test_equal_scores_are_not_closer_than_each_other():
    query = crowd(1)[0]
    rows = np.repeat(query[None], 80, axis=0)
    assert Background(Vectors(rows)).closer_than([float(query @ query)], query)[0] == 0


def test_the_sample_is_drawn_anew_when_the_collection_has_changed_much():
    vectors = Vectors(crowd(100))
    background = Background(vectors)
    query = crowd(1, seed=5)[0]
    first = background.line(query)
    vectors.rows = np.concatenate([vectors.rows, crowd(25, seed=2)])
    vectors.clock += 1
    assert background.line(query) == first and vectors.drawn == 1
    vectors.rows = np.concatenate([vectors.rows, kin(query, 200)])  # which are like each other
    assert background.line(query) == first and vectors.drawn == 1  # the clock stands still
    vectors.clock += 1
    assert background.line(query) > first and vectors.drawn == 2


def themes(sizes, dim=300, seed=0):
    """Unit-length rows of some kinds, so many of each, and the kind of each row."""
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((len(sizes), dim)) + 0.7
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    return unit_length(middles[kinds] + 0.9 * rng.standard_normal((len(kinds), dim))), kinds


@pytest.mark.parametrize(
    "sizes", [[40] * 3, [40] * 5, [30] * 10, [20] * 20, [100, *[20] * 8], [5] * 60, [60, 60, *[1] * 80]]
)
@pytest.mark.parametrize("alike", [True, False])
def test_few_kinds_do_not_lift_the_line_into_themselves(sizes, alike):
    kept, false = [], []
    for seed in range(5):
        rows, kinds = themes(sizes, seed=seed)
        background = Background(Vectors(rows))
        for at in range(0, len(rows), 7):
            same = kinds == kinds[at]
            above = rows @ rows[at] >= background.line(rows[at], alike=alike)
            kept.append(above[same].mean())
            false.append(above[~same].mean())
    assert np.mean(kept) >= 0.7
    assert np.mean(false) <= 0.02


def test_where_most_pairs_score_the_same_the_line_is_not_among_them():
    rows = np.eye(200, dtype=np.float32)  # as of texts that share no word
    rows[:20, 0] = 1
    rows = unit_length(rows)
    line = Background(Vectors(rows)).line(rows[30])
    assert np.mean(rows @ rows[30] >= line) <= 0.05


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3, 0.45])
def test_the_line_is_never_above_what_copies_score(noise):
    rows = themes([200], seed=1)[0]
    alike = unit_length(rows[0] + noise * rows)
    assert Background(Vectors(alike)).line(alike[0]) <= 0.9
