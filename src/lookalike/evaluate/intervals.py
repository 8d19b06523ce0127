"""How sure a figure is: bootstrap intervals, paired permutation tests, sign tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

LEVEL = 0.95
_NORMAL = NormalDist()
_AT_ONCE = 4_000_000  # random numbers in memory


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval that holds the true one with the stated probability."""

    mean: float
    low: float
    high: float


def bootstrap(values: Values, *, level: float = LEVEL, resamples: int = 2_000, seed: int = 0) -> Interval:
    """Return the mean of values `(n,)` with its bootstrap interval (Efron 1979).

    Percentiles of resampled means, moved outwards as Student's t asks for small n (the expanded percentile
    interval of Hesterberg 2015), since plain percentiles are too narrow there. One value says nothing of its
    spread: its interval is the whole range that such measures have, −1 to 1 or 0 to 1.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 0:
        raise ValueError("no values to take the mean of")
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, -1.0 if mean < 0 else 0.0, 1.0)
    means = _resampled(values, resamples, np.random.default_rng(seed))
    tail = _expanded_tail((1 - level) / 2, len(values))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, min(float(low), mean), max(float(high), mean))


def permutation_p(differences: Values, *, resamples: int = 10_000, seed: int = 0) -> float:
    """Return the two-sided p-value of paired differences `(n,)` having a mean of 0.

    Signs are changed by chance (Fisher's paired randomization test); the observed one counts as one of them,
    so that p is never 0 (Phipson and Smyth 2010).
    """
    differences = np.asarray(differences, np.float64)
    differences = differences[differences != 0]
    if len(differences) == 0:
        return 1.0
    observed = abs(differences.sum()) * (1 - 1e-12)  # equal sums may differ in the last bit
    random = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // len(differences))
    as_far = 0
    for at in range(0, resamples, step):
        signs = random.integers(0, 2, (min(step, resamples - at), len(differences)), np.int8) * 2.0 - 1.0
        as_far += int((np.abs(signs @ differences) >= observed).sum())
    return (as_far + 1) / (resamples + 1)


def sign_test_p(wins: int, losses: int) -> float:
    """Return the exact two-sided p-value of so many wins and losses being even; ties are left out."""
    total, fewer = wins + losses, min(wins, losses)
    if 2 * fewer >= total:
        return 1.0
    log_half = total * math.log(0.5)
    tail = math.fsum(
        math.exp(math.lgamma(total + 1) - math.lgamma(at + 1) - math.lgamma(total - at + 1) + log_half)
        for at in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def share(wins: int, losses: int, *, level: float = LEVEL) -> Interval:
    """Return the share of wins with Wilson's interval (1927)."""
    total = wins + losses
    if total == 0:
        raise ValueError("no wins and no losses")
    z = _NORMAL.inv_cdf((1 + level) / 2)
    seen = wins / total
    middle = (seen + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(seen * (1 - seen) / total + z * z / (4 * total * total))
    return Interval(seen, max(0.0, middle - half), min(1.0, middle + half))


def votes_needed(wins: int, losses: int, *, level: float = LEVEL, power: float = 0.8) -> int | None:
    """Return how many more decided comparisons would make the share seen so far significant.

    With the probability `power`, by the normal approximation of the sign test. 0 where it is already; None
    where both are even so far, which no number would decide.
    """
    total = wins + losses
    if wins == losses:
        return None
    if sign_test_p(wins, losses) <= 1 - level:
        return 0
    seen = (max(wins, losses) + 0.5) / (total + 1)  # 3 of 3 does not mean that it is always so
    z_level, z_power = _NORMAL.inv_cdf((1 + level) / 2), _NORMAL.inv_cdf(power)
    needed = ((z_level / 2 + z_power * math.sqrt(seen * (1 - seen))) / (seen - 0.5)) ** 2
    return max(1, math.ceil(needed) - total)


def _resampled(values: Values, resamples: int, random: np.random.Generator) -> Values:
    means = np.empty(resamples)
    step = max(1, _AT_ONCE // len(values))
    for at in range(0, resamples, step):
        chosen = random.integers(0, len(values), (min(step, resamples - at), len(values)))
        means[at : at + step] = values[chosen].mean(axis=1)
    return means


def _expanded_tail(tail: float, count: int) -> float:
    """Return the tail whose percentiles are as far out as Student's t with the unbiased spread asks."""
    return _NORMAL.cdf(-math.sqrt(count / (count - 1)) * _student(1 - tail, count - 1))


def _student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t: exact for 1 and 2, else Abramowitz and Stegun's 26.7.5."""
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        centred = 2 * probability - 1
        return centred * math.sqrt(2 / (1 - centred * centred))
    z = _NORMAL.inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, 1)))
