"""What people's clicks and votes say: which of two interleaved spaces wins, and how good each one is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lookalike.collection import Collection
from lookalike.errors import UsageError
from lookalike.evaluate.intervals import Interval, share, sign_test_p, votes_needed
from lookalike.evaluate.quality import intervals_of, measure_queries
from lookalike.evaluate.reading import from_votes
from lookalike.records import Credit


@dataclass(frozen=True, slots=True)
class PairwiseResult:
    """Two spaces over all rounds in which something was clicked or voted on.

    `share` is that of A's wins among the decided rounds, `p` that of both being even, by the sign test;
    `needed` further decided rounds would make it significant, None where that cannot be told.
    """

    a: str
    b: str
    wins_a: int
    wins_b: int
    ties: int
    share: Interval | None
    p: float
    needed: int | None


@dataclass(frozen=True, slots=True)
class SpaceQuality:
    """One space's quality on the queries that were judged: measures by name, over judged items only."""

    space: str
    queries: int
    measures: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class VotesReport:
    """What all clicks and votes come to; `judgements` of `queries` queries could be used."""

    pairwise_results: tuple[PairwiseResult, ...]
    judgements: int
    queries: int
    spaces: tuple[SpaceQuality, ...]
    problems: tuple[str, ...]


def evaluate_votes(collection: Collection, *, k: int = 10) -> VotesReport:
    """Count the rounds that each space won, and measure all spaces on the votes as judgements.

    Raises `UsageError` where nobody has clicked or voted yet.
    """
    credits, votes = collection.credits(), collection.votes()
    if not credits and not votes:
        raise UsageError(
            "no votes yet: vote in the page, rate at /rate, or compare two models with lookalike serve --ab"
        )
    names = [space.name for space in collection.spaces()]
    truth = from_votes(votes, collection.open_space().items)
    problems = list(truth.problems)
    gone = {name for credit in credits for name in (credit.space, credit.other)} - set(names)
    if gone:
        problems.append(f"the collection has no model {', '.join(sorted(gone))} any more; its rounds count")
    spaces = []
    for name in names if len(truth.queries) else ():
        try:
            measured = measure_queries(collection.open_space(name), truth, k=k).queries
        except UsageError as error:  # no vector of any judged query
            problems.append(str(error))
            continue
        spaces.append(SpaceQuality(name, len(measured), intervals_of(measured)))
    return VotesReport(
        pairwise_results(credits),
        sum(len(judged) for judged in truth.grades.values()),
        len(truth.queries),
        tuple(spaces),
        tuple(problems),
    )


def pairwise_results(credits: Iterable[Credit]) -> tuple[PairwiseResult, ...]:
    """Decide each round by who earned more in it, and count, for each pair of spaces."""
    rounds: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(int))
    )
    for credit in credits:
        one, other = sorted((credit.space, credit.other))
        rounds[one, other][credit.round][credit.space] += credit.value
    return tuple(
        pairwise_result(a, b, [(earned[a], earned[b]) for earned in by_round.values()])
        for (a, b), by_round in sorted(rounds.items())
    )


def pairwise_result(a: str, b: str, earned: Sequence[tuple[int, int]]) -> PairwiseResult:
    """Return the duel of two spaces from what both earned in each round."""
    wins_a = sum(one > other for one, other in earned)
    wins_b = sum(one < other for one, other in earned)
    return PairwiseResult(
        a,
        b,
        wins_a,
        wins_b,
        len(earned) - wins_a - wins_b,
        share(wins_a, wins_b) if wins_a + wins_b else None,
        sign_test_p(wins_a, wins_b),
        votes_needed(wins_a, wins_b),
    )
