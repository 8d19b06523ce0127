"""Intervals and tests against scipy, and against what they promise in simulations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from lookalike.evaluate.intervals import (
    _student,
    bootstrap,
    permutation_p,
    share,
    sign_test_p,
    votes_needed,
)

TRIALS = 1_000


def shares_covered(draw, truth, seed=1):
    """How often the interval of a drawn sample holds the truth."""
    random = np.random.default_rng(seed)
    found = [bootstrap(draw(random), resamples=500, seed=trial) for trial in range(TRIALS)]
    return np.mean([each.low <= truth <= each.high for each in found])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda random: random.beta(2, 1, 100), 2 / 3),  # such as average precision of easy queries
        (lambda random: random.beta(0.5, 0.5, 50), 0.5),  # nearly all or nothing
        (lambda random: (random.random(200) < 0.8).astype(float), 0.8),
        (lambda random: random.normal(0.02, 0.3, 30), 0.02),  # differences
        (lambda random: random.beta(2, 2, 10), 0.5),  # a small class
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(draw, truth):
    error = np.sqrt(0.95 * 0.05 / TRIALS)  # of a share of so many trials
    assert abs(shares_covered(draw, truth) - 0.95) < 4 * error


def test_an_interval_repeats_and_is_about_what_scipy_gives():
    values = np.random.default_rng(3).beta(2, 1, 400)
    ours, theirs = (
        bootstrap(values),
        scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=5_000, method="percentile", random_state=1
        ).confidence_interval,
    )
    assert ours == bootstrap(values)
    assert (ours.mean, ours.low, ours.high) == (
        pytest.approx(values.mean()),
        pytest.approx(theirs.low, abs=0.003),
        pytest.approx(theirs.high, abs=0.003),
    )


def test_equal_values_have_no_spread_and_one_value_says_nothing():
    assert bootstrap(np.full(5, 0.5)) == bootstrap(np.full(50, 0.5))
    assert (bootstrap(np.array([0.5])).low, bootstrap(np.array([0.5])).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no values"):
        bootstrap(np.array([]))


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 9, 30, 1_000])
def test_students_quantile_is_that_of_scipy(freedom):
    assert _student(0.975, freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=0.012)


def test_a_permutation_test_is_that_of_scipy():
    differences = np.random.default_rng(5).normal(0.3, 1, 12)
    exact = scipy.stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
    ).pvalue
    assert permutation_p(differences) == pytest.approx(exact, abs=0.015)


def test_no_difference_is_no_evidence():
    assert permutation_p(np.zeros(20)) == 1.0
    assert permutation_p(np.array([0.5, -0.5])) == 1.0


@pytest.mark.slow
def test_p_values_of_equal_sides_are_even():
    random = np.random.default_rng(7)
    found = [permutation_p(random.normal(size=40), resamples=999, seed=trial) for trial in range(400)]
    assert scipy.stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 3), (5, 0), (8, 2), (60, 40), (700, 611), (4, 9)])
def test_the_sign_test_is_the_binomial_test(wins, losses):
    theirs = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test_p(wins, losses) == pytest.approx(theirs, rel=1e-9)


def test_a_share_has_wilsons_interval():
    ours = share(31, 9)
    theirs = scipy.stats.binomtest(31, 40).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


@pytest.mark.slow
def test_the_votes_said_to_be_needed_decide_as_often_as_promised():
    wins, losses = 30, 20
    more = votes_needed(wins, losses)
    total = wins + losses + more
    seen = (wins + 0.5) / (wins + losses + 1)
    drawn = np.random.default_rng(0).binomial(total, seen, 2_000)
    significant = np.mean([sign_test_p(int(each), total - int(each)) <= 0.05 for each in drawn])
    assert 0.75 < significant < 0.85


def test_what_is_decided_needs_no_more_votes_and_what_is_even_is_never_decided():
    assert votes_needed(90, 10) == 0
    assert votes_needed(7, 7) is None
    assert votes_needed(3, 0) > 3
