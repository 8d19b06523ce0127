"""Team drafts worked by hand, and that they favour nobody."""

from __future__ import annotations

import numpy as np
import scipy.stats

from lookalike.evaluate.intervals import sign_test_p
from lookalike.search.interleaving import team_draft

ROUNDS = 60


def test_both_sides_choose_in_turns_what_is_not_chosen_yet():
    seen = set()
    for seed in map(str, range(200)):
        drafted = team_draft([1, 2, 3], [2, 4, 1], seed)
        seen.add(tuple(drafted))
        items = [item for item, _ in drafted]
        assert len(items) == len(set(items))
        for at in range(0, len(drafted) - 1, 2):
            assert {team for _, team in drafted[at : at + 2]} == {"a", "b"}
    # a first: 1a 2b, then a has 3 left and b 4 (in either order); b first: 2b 1a, and so on.
    assert seen == {
        ((1, "a"), (2, "b"), (3, "a"), (4, "b")),
        ((1, "a"), (2, "b"), (4, "b"), (3, "a")),
        ((2, "b"), (1, "a"), (3, "a"), (4, "b")),
        ((2, "b"), (1, "a"), (4, "b"), (3, "a")),
    }


def test_equal_rankings_stay_as_they_are():
    for seed in map(str, range(50)):
        drafted = team_draft([5, 3, 9, 1], [5, 3, 9, 1], seed)
        assert [item for item, _ in drafted] == [5, 3, 9, 1]


def test_longer_rankings_go_on_where_shorter_ones_ended():
    a, b = list(range(0, 60, 2)), list(range(0, 60, 3))
    for seed in map(str, range(50)):
        short = team_draft(a[:10], b[:10], seed)
        assert team_draft(a, b, seed)[: len(short)] == short


def test_the_same_seed_tosses_the_same_coins():
    assert team_draft(range(20), range(5, 25), "x") == team_draft(range(20), range(5, 25), "x")
    assert team_draft(range(20), range(5, 25), "x") != team_draft(range(20), range(5, 25), "y")


def p_value(random, better):
    """The sign test after rounds in which a user, reading from the top, clicks what is relevant.

    Sixty items of which ten are relevant; both sides rank them by a noisy guess, A's noise shrunk by
    `better`. A cascade: the user clicks a relevant item they look at with 0.7, others with 0.1, and stops
    after a click with 0.5 (Chuklin et al. 2015, the click models that interleaving is tested with).
    """
    wins = losses = 0
    for _ in range(ROUNDS):
        relevant = random.permutation(60) < 10
        a, b = (np.argsort(-(relevant + random.normal(0, noise, 60)))[:10] for noise in (0.8 * better, 0.8))
        earned = {"a": 0, "b": 0}
        for item, team in team_draft(a.tolist(), b.tolist(), str(random.integers(1 << 40)))[:10]:
            if random.random() < (0.7 if relevant[item] else 0.1):
                earned[team] += 1
                if random.random() < 0.5:
                    break
        wins += earned["a"] > earned["b"]
        losses += earned["a"] < earned["b"]
    return wins, losses, sign_test_p(wins, losses)


def test_a_better_side_wins():
    wins, losses, p = p_value(np.random.default_rng(1), better=0.4)
    assert wins > losses
    assert p < 0.01


def test_equal_sides_win_equally_often_and_their_p_values_are_even():
    random = np.random.default_rng(2)
    found = [p_value(random, better=1.0) for _ in range(300)]
    wins, losses = (sum(each[at] for each in found) for at in (0, 1))
    assert scipy.stats.binomtest(wins, wins + losses).pvalue > 0.01
    # The sign test is discrete: the mid-p (Lancaster 1961) is nearly even, the p itself larger.
    mid = [_mid_p(each[0], each[1]) for each in found]
    assert scipy.stats.kstest(mid, "uniform").pvalue > 0.01
    assert np.mean([each[2] <= 0.05 for each in found]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def _mid_p(wins, losses):
    """The one-sided p of so many wins, with half of the probability of just that many."""
    coin = scipy.stats.binom(wins + losses, 0.5)
    return coin.sf(wins) + 0.5 * coin.pmf(wins)


def test_which_side_is_called_a_does_not_matter():
    random = np.random.default_rng(3)
    first = [team_draft(range(10), range(5, 15), str(random.integers(1 << 40)))[0][1] for _ in range(2_000)]
    assert scipy.stats.binomtest(first.count("a"), len(first)).pvalue > 0.001
