"""Quality on labelled or judged items: exact rankings of all candidates, in two passes over the vectors.

The first pass scores each query's relevant items, the second counts for each of them how many candidates
score higher; ranks are all that the measures need. Memory holds a block of candidates and the scores of
relevant pairs, never queries times items.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lookalike.engine.protocol import EngineVectors
from lookalike.errors import UsageError
from lookalike.evaluate.candidates import OnBlock, blocks_of, drawn, nearest, reranked
from lookalike.evaluate.intervals import Interval, bootstrap
from lookalike.evaluate.metrics import Grades, measure, measure_order
from lookalike.evaluate.truth import Judgements, Truth
from lookalike.open_collection import OpenSpace
from lookalike.records import Ids, OnStep, Vectors
from lookalike.search.background import Background
from lookalike.search.reranking import BEST
from lookalike.store.vectors import VectorBlock

MOST_QUERIES = 2_000
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
    grades: Grades
    ideal: Grades
    scores: Vectors = field(default_factory=lambda: np.empty(0, np.float32))
    before: Ids = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class MeasuredQueries:
    """All queries' measures, how well the line divides, and how many candidates were ranked."""

    queries: list[QueryQuality]
    line: LineQuality | None
    candidates: int


def evaluate_labels(
    opened: OpenSpace,
    truth: Truth,
    *,
    k: int = 10,
    most_queries: int = MOST_QUERIES,
    rerank: bool = False,
    on_step: OnStep = lambda *_: None,
) -> LabelsReport:
    """Measure how well a space ranks what is relevant; see `measure_queries`."""
    begun = time.perf_counter()
    measured = measure_queries(opened, truth, k=k, most_queries=most_queries, rerank=rerank, on_step=on_step)
    found = measured.queries
    by_label: dict[str, list[QueryQuality]] = {}
    for each in found:
        if each.label is not None:
            by_label.setdefault(each.label, []).append(each)
    classes = [ClassQuality(label, len(some), intervals_of(some)) for label, some in by_label.items()]
    return LabelsReport(
        opened.space.name,
        k,
        len(found),
        len(truth.queries),
        measured.candidates,
        intervals_of(found),
        tuple(sorted(classes, key=lambda one: (one.measures["map"].mean, one.label))),
        tuple(sorted(found, key=lambda one: (one.measures["map"], one.query))[:_WORST]),
        measured.line,
        truth.problems,
        time.perf_counter() - begun,
    )


def measure_queries(
    opened: OpenSpace,
    truth: Truth,
    *,
    k: int = 10,
    most_queries: int = MOST_QUERIES,
    rerank: bool = False,
    on_step: OnStep = lambda *_: None,
) -> MeasuredQueries:
    """Rank all candidates exactly for each query, leaving out itself; equal scores by ascending id.

    With `rerank` the best vouch for each other, as in a search that re-ranks.
    Queries and candidates without a vector in the space are left out. Raises `UsageError` when none is left.
    Where only judged items count, each query's own are ranked, and no line is measured.
    """
    if isinstance(truth, Judgements) and truth.only_judged:
        if rerank:
            raise UsageError("judgements that rank only what was judged have no re-ranked order")
        return _measure_judged(opened, truth, k, most_queries)
    queries = opened.vectors.fetch(drawn(truth.queries, most_queries).tolist())
    rankings = _rankings(truth, queries.ids)
    rows = queries.rows[: len(rankings)]
    if not rankings:
        raise UsageError(f"none of the queries has a vector in the space {opened.space.name}")
    first, second = (_half(on_step, at) for at in (0, 1))
    found = [np.zeros(len(each.ids), bool) for each in rankings]
    for block in blocks_of(opened.vectors, truth.candidates, first):
        _note_scores(rankings, found, rows, block)
    for each, there in zip(rankings, found, strict=True):
        _sort(each, there)
    line = Background(opened.vectors).line(rows[0])  # the same for all queries that are items
    above = np.zeros(len(rankings), np.int64)
    candidates = 0
    for block in blocks_of(opened.vectors, truth.candidates, second):
        candidates += len(block.ids)
        _count_before(rankings, rows, block, line, above)
    if rerank:
        _rerank(opened.vectors, rankings, truth.candidates, line)
    scored = [_quality(each, truth, k) for each in rankings]
    return MeasuredQueries(scored, _line_quality(rankings, line, above, candidates), candidates)


def _half(on_step: OnStep, at: int) -> OnBlock:
    """Tell of one of the two passes as a half of the whole."""
    return lambda done, total: on_step("scoring", at * total + done, 2 * total)


def _measure_judged(opened: OpenSpace, truth: Judgements, k: int, most_queries: int) -> MeasuredQueries:
    found, candidates = [], set[int]()
    for query in drawn(truth.queries, most_queries).tolist():
        judged = np.array(sorted({query, *truth.grades[query]}), np.int64)
        block = opened.vectors.fetch(judged.tolist())
        own = np.flatnonzero(block.ids == query)
        if not len(own):
            continue
        candidates.update(block.ids.tolist())
        scores = block.rows @ block.rows[own[0]]
        ids, scores = np.delete(block.ids, own), np.delete(scores, own)
        order = ids[np.lexsort((ids, -scores))].tolist()
        relevant, grades = truth.relevant(query)
        measures = measure_order(order, relevant, grades, k)
        found.append(QueryQuality(query, None, len(relevant), measures))
    if not found:
        raise UsageError(f"none of the judged queries has a vector in the space {opened.space.name}")
    return MeasuredQueries(found, None, len(candidates))


def _rankings(truth: Truth, queries: Ids) -> list[_Ranking]:
    """Return what is to be found for each query, for so many queries as memory allows."""
    rankings: list[_Ranking] = []
    pairs = 0
    for query in queries.tolist():
        ids, grades = truth.relevant(query)
        pairs += len(ids)
        if pairs > _MOST_PAIRS and rankings:
            break
        ideal = np.sort(grades)[::-1]
        rankings.append(_Ranking(query, ids, grades, ideal, np.zeros(len(ids), np.float32)))
    return rankings


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
    rankings: list[_Ranking], rows: Vectors, block: VectorBlock, line: float | None, above: Ids
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
        if line is not None:
            above[at] += int((theirs >= line).sum())
        ascending = np.sort(theirs)
        higher = len(theirs) - np.searchsorted(ascending, each.scores, "right")
        as_high = len(theirs) - np.searchsorted(ascending, each.scores, "left")
        each.before += higher
        for tied in np.flatnonzero(as_high > higher):  # one of them may be the relevant item itself
            same = block.ids[theirs == each.scores[tied]]
            each.before[tied] += int((same < each.ids[tied]).sum())


def _rerank(
    vectors: EngineVectors, rankings: list[_Ranking], candidates: Ids | None, line: float | None
) -> None:
    """Put the relevant items that are among the best where re-ranking puts them."""
    queries = np.array([each.query for each in rankings], np.int64)
    orders = reranked(vectors, nearest(vectors, queries, candidates, BEST), line)
    for each in rankings:
        places = {item: at for at, item in enumerate(orders[each.query])}
        ranked = zip(each.ids.tolist(), each.before.tolist(), strict=True)
        before = np.array([places.get(item, at) for item, at in ranked], np.int64)
        order = np.argsort(before)
        each.ids, each.grades, each.before = each.ids[order], each.grades[order], before[order]
        each.scores = each.scores[order]


def _quality(each: _Ranking, truth: Truth, k: int) -> QueryQuality:
    found = measure(each.before + 1, each.grades, each.ideal, k)
    return QueryQuality(each.query, truth.label(each.query), len(each.ideal), found)


def _line_quality(
    rankings: list[_Ranking], line: float | None, above: Ids, candidates: int
) -> LineQuality | None:
    if line is None:
        return None
    kept, false = [], []
    for each, count in zip(rankings, above.tolist(), strict=True):
        right = int((each.scores >= line).sum())
        others = candidates - 1 - len(each.ids)
        kept += [right / len(each.ids)] if len(each.ids) else []
        false += [(count - right) / others] if others > 0 else []
    if not kept or not false:
        return None
    return LineQuality(bootstrap(np.array(kept)), bootstrap(np.array(false)))


def intervals_of(some: list[QueryQuality]) -> dict[str, Interval]:
    """Return the mean of each measure over some queries."""
    return {name: bootstrap(np.array([one.measures[name] for one in some])) for name in some[0].measures}
