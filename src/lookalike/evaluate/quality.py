"""Quality on labelled or judged items: exact rankings of all candidates, in two passes over the vectors.

The first pass scores each query's relevant items, the second counts for each of them how many candidates
score higher; ranks are all that the measures need. Memory holds a block of candidates and the scores of
relevant pairs, never queries times items.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lookalike.background import Background
from lookalike.errors import UsageError
from lookalike.evaluate.intervals import Interval, bootstrap
from lookalike.evaluate.metrics import measure
from lookalike.evaluate.truth import Judgements, Truth
from lookalike.records import Ids, OnStep, Vectors
from lookalike.store.vectors import VectorBlock
from lookalike.wiring import OpenSpace

MOST_QUERIES = 2_000
_BLOCK = 2_000  # candidates at a time: with 2,000 queries 16 MB of scores
_MOST_PAIRS = 20_000_000  # of queries and relevant items: 320 MB
_WORST = 12


@dataclass(frozen=True, slots=True)
class QueryQuality:
    """How well one query does: measures by name, each 0 to 1."""

    query: int
    label: str | None
    relevant: int
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well the queries of one label do."""

    label: str
    queries: int
    measures: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class LineQuality:
    """How well the background line divides: shares 0 to 1 of relevant and of other candidates above it."""

    kept: Interval
    false_alarms: Interval


@dataclass(frozen=True, slots=True)
class LabelsReport:
    """What evaluation found: `queries` of `possible` ones were asked, `candidates` ranked for each."""

    space: str
    k: int
    queries: int
    possible: int
    candidates: int
    overall: dict[str, Interval]
    classes: tuple[ClassQuality, ...]
    worst: tuple[QueryQuality, ...]
    line: LineQuality | None
    problems: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class _Ranking:
    """One query: its relevant items by score, best first, and how many candidates come before each."""

    query: int
    ids: Ids
    grades: npt.NDArray[np.float64]
    scores: Vectors = field(default_factory=lambda: np.empty(0, np.float32))
    before: Ids = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Measured:
    """All queries' measures, and per query how many relevant and other candidates are above the line."""

    queries: list[QueryQuality]
    line: LineQuality | None
    candidates: int


def evaluate_labels(
    opened: OpenSpace,
    truth: Truth,
    *,
    k: int = 10,
    most_queries: int = MOST_QUERIES,
    on_step: OnStep = lambda *_: None,
) -> LabelsReport:
    """Measure how well a space ranks what is relevant; see `measure_queries`."""
    begun = time.perf_counter()
    measured = measure_queries(opened, truth, k=k, most_queries=most_queries, on_step=on_step)
    found = measured.queries
    by_label: dict[str, list[QueryQuality]] = {}
    for each in found:
        if each.label is not None:
            by_label.setdefault(each.label, []).append(each)
    classes = [ClassQuality(label, len(some), _intervals(some)) for label, some in by_label.items()]
    return LabelsReport(
        opened.space.name,
        k,
        len(found),
        len(truth.queries),
        measured.candidates,
        _intervals(found),
        tuple(sorted(classes, key=lambda one: (one.measures["map"].mean, one.label))),
        tuple(sorted(found, key=lambda one: (one.measures["map"], one.query))[:_WORST]),
        measured.line,
        truth.problems,
        time.perf_counter() - begun,
    )


def choose_queries(truth: Truth, most: int, seed: int = 0) -> Ids:
    """Return the queries, or `most` of them drawn by chance, ascending; the same for the same truth."""
    queries = truth.queries
    if len(queries) > most:
        queries = np.sort(np.random.default_rng(seed).choice(queries, most, replace=False))
    return queries


def measure_queries(
    opened: OpenSpace,
    truth: Truth,
    *,
    k: int = 10,
    most_queries: int = MOST_QUERIES,
    on_step: OnStep = lambda *_: None,
) -> Measured:
    """Rank all candidates exactly for each query, leaving out itself; equal scores by ascending id.

    Queries and candidates without a vector in the space are left out. Raises `UsageError` when none is left.
    Where only judged items count, each query's own are ranked, and no line is measured.
    """
    if isinstance(truth, Judgements) and truth.only_judged:
        return _measure_judged(opened, truth, k, most_queries)
    queries = opened.vectors.fetch(choose_queries(truth, most_queries).tolist())
    rankings = _rankings(truth, queries.ids)
    rows = queries.rows[: len(rankings)]
    if not rankings:
        raise UsageError(f"none of the queries has a vector in the space {opened.space.name}")
    total = len(truth.candidates) if truth.candidates is not None else opened.vectors.count()
    found = [np.zeros(len(each.ids), bool) for each in rankings]
    for done, block in _blocks(opened, truth):
        _note_scores(rankings, found, rows, block)
        on_step("scoring", done, 2 * total)
    for each, there in zip(rankings, found, strict=True):
        _sort(each, there)
    lines = _lines(opened, rows)
    above = np.zeros(len(rankings), np.int64)
    candidates = 0
    for done, block in _blocks(opened, truth):
        candidates += len(block.ids)
        _count_before(rankings, rows, block, lines, above)
        on_step("scoring", total + done, 2 * total)
    scored = [_quality(each, truth, k) for each in rankings]
    return Measured(scored, _line_quality(rankings, lines, above, candidates), candidates)


def _measure_judged(opened: OpenSpace, truth: Judgements, k: int, most_queries: int) -> Measured:
    found, candidates = [], set[int]()
    for query in choose_queries(truth, most_queries).tolist():
        judged = np.array(sorted({query, *truth.grades[query]}), np.int64)
        block = opened.vectors.fetch(judged.tolist())
        own = np.flatnonzero(block.ids == query)
        if not len(own):
            continue
        candidates.update(block.ids.tolist())
        scores = block.rows @ block.rows[own[0]]
        ids, scores = np.delete(block.ids, own), np.delete(scores, own)
        order = ids[np.lexsort((ids, -scores))].tolist()
        grades = [truth.grades[query][item] for item in order]
        ranks = np.flatnonzero(np.array(grades) > 0) + 1
        ideal = np.sort(truth.relevant(query)[1])[::-1]
        gains = np.array([grades[at - 1] for at in ranks.tolist()])
        found.append(QueryQuality(query, None, len(ideal), measure(ranks, gains, ideal, k)))
    if not found:
        raise UsageError(f"none of the judged queries has a vector in the space {opened.space.name}")
    return Measured(found, None, len(candidates))


def _rankings(truth: Truth, queries: Ids) -> list[_Ranking]:
    """Return what is to be found for each query, for so many queries as memory allows."""
    rankings: list[_Ranking] = []
    pairs = 0
    for query in queries.tolist():
        ids, grades = truth.relevant(query)
        pairs += len(ids)
        if pairs > _MOST_PAIRS and rankings:
            break
        rankings.append(_Ranking(query, ids, grades, np.zeros(len(ids), np.float32)))
    return rankings


def _blocks(opened: OpenSpace, truth: Truth) -> Iterator[tuple[int, VectorBlock]]:
    """Yield the candidates' vectors by ascending id, with how many were asked for so far."""
    candidates = truth.candidates
    if candidates is None:
        done = 0
        for block in opened.vectors.blocks(_BLOCK):
            done += len(block.ids)
            yield done, block
        return
    for at in range(0, len(candidates), _BLOCK):
        some = candidates[at : at + _BLOCK]
        yield at + len(some), opened.vectors.fetch(some.tolist())


def _note_scores(
    rankings: list[_Ranking], found: list[npt.NDArray[np.bool_]], rows: Vectors, block: VectorBlock
) -> None:
    """Put down the scores of the relevant items of a block."""
    if not len(block.ids):
        return
    scores = rows @ block.rows.T
    for at, each in enumerate(rankings):
        here = slice(*np.searchsorted(each.ids, [block.ids[0], block.ids[-1] + 1]))
        wanted = each.ids[here]
        place = np.minimum(np.searchsorted(block.ids, wanted), len(block.ids) - 1)
        there = block.ids[place] == wanted
        each.scores[here] = np.where(there, scores[at, place], each.scores[here])
        found[at][here] |= there


def _sort(each: _Ranking, there: npt.NDArray[np.bool_]) -> None:
    """Order the relevant items that have a vector by descending score, equal ones by id."""
    ids, grades, scores = each.ids[there], each.grades[there], each.scores[there]
    order = np.lexsort((ids, -scores))
    each.ids, each.grades, each.scores = ids[order], grades[order], scores[order]
    each.before = np.zeros(len(order), np.int64)


def _count_before(
    rankings: list[_Ranking], rows: Vectors, block: VectorBlock, lines: Vectors | None, above: Ids
) -> None:
    """Count for each relevant item the candidates of a block that come before it."""
    if not len(block.ids):
        return
    scores = rows @ block.rows.T
    for at, each in enumerate(rankings):
        own = np.searchsorted(block.ids, each.query)
        theirs = scores[at]
        if own < len(block.ids) and block.ids[own] == each.query:
            theirs[own] = -2.0  # itself comes last, so before none
        if lines is not None:
            above[at] += int((theirs >= lines[at]).sum())
        ascending = np.sort(theirs)
        higher = len(theirs) - np.searchsorted(ascending, each.scores, "right")
        as_high = len(theirs) - np.searchsorted(ascending, each.scores, "left")
        each.before += higher
        for tied in np.flatnonzero(as_high > higher):  # one of them may be the relevant item itself
            same = block.ids[theirs == each.scores[tied]]
            each.before[tied] += int((same < each.ids[tied]).sum())


def _quality(each: _Ranking, truth: Truth, k: int) -> QueryQuality:
    _, grades = truth.relevant(each.query)
    order = np.argsort(each.before, kind="stable")
    ranks = each.before[order] + 1
    found = measure(ranks, each.grades[order], np.sort(grades)[::-1], k)
    return QueryQuality(each.query, truth.label(each.query), len(grades), found)


def _lines(opened: OpenSpace, rows: Vectors) -> Vectors | None:
    """Return the background line of each query; None where the collection is too small to have one."""
    background = Background(opened.vectors)
    lines = [background.line(row) for row in rows]
    if any(line is None for line in lines):
        return None
    return np.array(lines, np.float32)


def _line_quality(
    rankings: list[_Ranking], lines: Vectors | None, above: Ids, candidates: int
) -> LineQuality | None:
    if lines is None:
        return None
    kept, false = [], []
    for each, line, count in zip(rankings, lines, above.tolist(), strict=True):
        right = int((each.scores >= line).sum())
        others = candidates - 1 - len(each.ids)
        kept += [right / len(each.ids)] if len(each.ids) else []
        false += [(count - right) / others] if others > 0 else []
    if not kept or not false:
        return None
    return LineQuality(bootstrap(np.array(kept)), bootstrap(np.array(false)))


def _intervals(some: list[QueryQuality]) -> dict[str, Interval]:
    return {name: bootstrap(np.array([one.measures[name] for one in some])) for name in some[0].measures}
