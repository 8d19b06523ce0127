"""Two ways to answer the same queries, side by side: models, settings or collections.

Every query is answered by both, so differences are paired: what makes a query hard does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from lookalike.collection import Collection
from lookalike.errors import UsageError
from lookalike.evaluate.candidates import drawn, nearest, reranked
from lookalike.evaluate.intervals import Interval, bootstrap, permutation_p
from lookalike.evaluate.metrics import measure_order, names
from lookalike.evaluate.quality import MOST_QUERIES, measure_queries
from lookalike.evaluate.trial import rescored
from lookalike.evaluate.truth import Judgements, Labels, Truth
from lookalike.indexing.live import LiveIndex
from lookalike.open_collection import OpenSpace
from lookalike.records import Ids, Item, OnStep, Vectors
from lookalike.search.background import Background
from lookalike.search.reranking import BEST, rerank
from lookalike.search.scoring import score_exactly

DEPTH = 100
"""How many answers count where a side answers by its index."""

_TIMED = 100  # searches
_DIFFER = 12  # queries that are shown


@dataclass(frozen=True, slots=True)
class Side:
    """One way to answer: a space, by exact search, in the plain order or re-ranked, or by its index.

    `ids` leads from an item's id in the first side's collection to its id here; None where they are the same.
    """

    name: str
    opened: OpenSpace
    by_index: bool = False
    ids: Mapping[int, int] | None = None
    rerank: bool = False

    def own(self, item: int) -> int:
        """Return an item's id here."""
        return item if self.ids is None else self.ids[item]


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of both sides over the same queries, and B minus A with its interval and p-value.

    `better`, `worse` and `equal` count queries, as B does on them.
    """

    measure: str
    a: Interval
    b: Interval
    difference: Interval
    p: float
    better: int
    worse: int
    equal: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a side takes: ms of a warm search by item, bytes per item of vectors and of the index."""

    median_ms: float | None
    vector_bytes: int
    index_bytes: float


@dataclass(frozen=True, slots=True)
class DifferingQuery:
    """A query on which the sides differ: their average precision, or their overlap, and first answers."""

    query: int
    a: float
    b: float
    answers_a: tuple[int, ...]
    answers_b: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """What a comparison found; `measures` is empty where no truth was given. Ids are those of A's collection.

    `overlap` is the share of each query's k answers that both give. `differing` has the most different first.
    """

    a: str
    b: str
    k: int
    queries: int
    items: int
    measures: tuple[Difference, ...]
    overlap: Interval
    differing: tuple[DifferingQuery, ...]
    costs: tuple[Cost, Cost]
    problems: tuple[str, ...]
    seconds: float


def compare(
    a: Side,
    b: Side,
    truth: Truth | None,
    *,
    k: int = 10,
    most_queries: int = MOST_QUERIES,
    on_step: OnStep = lambda *_: None,
) -> CompareReport:
    """Let both sides answer the same queries among the items that both have.

    Without `truth`, items drawn by chance are the queries, and only the answers' overlap is known. Raises
    `UsageError` where nothing is left to compare.
    """
    begun = time.perf_counter()
    items = common_items(a, b)
    given = None if truth is None else truth.candidates
    candidates = items if given is None else np.intersect1d(given, items)
    queries, problems = _queries(truth, candidates, items, most_queries)
    values_a: dict[int, dict[str, float]] = {}
    values_b: dict[int, dict[str, float]] = {}
    depth = max(k, DEPTH if truth is not None and (a.by_index or b.by_index) else k)
    found_a = answers(a, queries, candidates, depth, on_step)
    found_b = answers(b, queries, candidates, depth, on_step)
    if truth is not None and depth > k:
        values_a, values_b = (_cut(found, truth, candidates, k) for found in (found_a, found_b))
        problems.append(f"measured on the first {depth} answers, since a side answers by its index")
    elif truth is not None:
        values_a, values_b = (_whole(side, truth, queries, candidates, k, on_step) for side in (a, b))
    shared = sorted(set(values_a) & set(values_b))
    measures = tuple(_difference(name, shared, values_a, values_b) for name in names(k)) if shared else ()
    overlaps = {query: overlap(found_a[query][:k], found_b[query][:k]) for query in queries.tolist()}
    return CompareReport(
        a.name,
        b.name,
        k,
        len(shared) if measures else len(queries),
        len(items),
        measures,
        bootstrap(np.array(list(overlaps.values()))),
        _differing(shared, values_a, values_b, overlaps, (found_a, found_b)),
        (_cost(a, queries), _cost(b, queries)),
        (*(truth.problems if truth is not None else ()), *problems),
        time.perf_counter() - begun,
    )


def matching(one: Collection, other: Collection) -> dict[int, int]:
    """Return the other collection's ids of the items that both have, recognised by their content."""
    theirs = {item.content_hash: item.id for page in _pages(other) for item in page}
    ours = ((item.id, theirs.get(item.content_hash)) for page in _pages(one) for item in page)
    return {own: found for own, found in ours if found is not None}


def _pages(collection: Collection) -> Iterator[list[Item]]:
    return collection.open_space().items.pages()


def common_items(a: Side, b: Side) -> Ids:
    """Return A's ids of the items that have a vector on both sides, ascending; `UsageError` for none."""
    there = set(b.opened.vectors.ids().tolist())
    if b.ids is not None:
        shared = [item for item in a.opened.vectors.ids().tolist() if b.ids.get(item) in there]
    else:
        shared = [item for item in a.opened.vectors.ids().tolist() if item in there]
    if len(shared) < 2:
        raise UsageError(f"{a.name} and {b.name} have {len(shared)} items in common: nothing to compare")
    return np.array(shared, np.int64)


def answers(
    side: Side, queries: Ids, candidates: Ids, count: int, on_step: OnStep = lambda *_: None
) -> dict[int, list[int]]:
    """Return the `count` best candidates of each query, itself left out, by A's ids."""
    own = {side.own(item): item for item in candidates.tolist()}
    asked = {side.own(query): query for query in queries.tolist()}
    allowed = np.array(sorted(own), np.int64)
    live = side.opened.indexer.open() if side.by_index else None
    if live is not None:
        found = _by_index(side.opened, live, sorted(asked), allowed, count)
    else:
        heard = partial(on_step, f"answering by {side.name}")
        depth = max(count, BEST) if side.rerank else count
        scored = nearest(side.opened.vectors, np.array(sorted(asked)), allowed, depth, heard)
        found = {query: [item for item, _ in hits] for query, hits in scored.items()}
        if side.rerank and asked:
            orders = reranked(side.opened.vectors, scored, _line(side.opened, min(asked)))
            found = {query: order[:count] for query, order in orders.items()}
    return {asked[query]: [own[item] for item in hits] for query, hits in found.items()}


def _line(opened: OpenSpace, query: int) -> float | None:
    """Return the line to background, which is the same for all queries that are items."""
    some = opened.vectors.fetch([query]).rows
    return Background(opened.vectors).line(some[0]) if len(some) else None


def overlap(one: list[int], other: list[int]) -> float:
    """Return the share of answers that both have, 0 to 1."""
    return len(set(one) & set(other)) / max(len(one), len(other), 1)


def _by_index(
    opened: OpenSpace, live: LiveIndex, queries: list[int], allowed: Ids, count: int
) -> dict[int, list[int]]:
    vectors = opened.vectors
    everything = None if len(allowed) == vectors.count() else allowed
    block, found = vectors.fetch(queries), dict[int, list[int]]()
    for query, row in zip(block.ids.tolist(), block.rows, strict=True):
        hits = rescored(vectors, live.search(row[None], count + 1, everything)[0], row, count + 1)
        found[query] = [item for item in hits.tolist() if item != query][:count]
    return found


def _queries(truth: Truth | None, candidates: Ids, items: Ids, most: int) -> tuple[Ids, list[str]]:
    """Draw the queries from those that both sides can answer."""
    possible = candidates if truth is None else np.intersect1d(truth.queries, items)
    if not len(possible):
        raise UsageError("no query of the truth is an item that both sides have")
    problems = []
    if truth is not None and len(possible) < len(truth.queries):
        left = len(truth.queries) - len(possible)
        problems.append(f"queries that one side does not have, left out: {left:,}")
    return drawn(possible, most), problems


def _whole(
    side: Side, truth: Truth, queries: Ids, candidates: Ids, k: int, on_step: OnStep
) -> dict[int, dict[str, float]]:
    """Measure whole rankings of the common candidates, by A's ids."""
    back = {side.own(item): item for item in candidates.tolist()}
    back |= {side.own(query): query for query in queries.tolist()}
    own = _mapped(side, truth, candidates, queries)
    count = len(queries)
    found = measure_queries(side.opened, own, k=k, most_queries=count, rerank=side.rerank, on_step=on_step)
    return {back[each.query]: each.measures for each in found.queries}


def _mapped(side: Side, truth: Truth, candidates: Ids, queries: Ids) -> Truth:
    """Return a truth about the common candidates and the queries drawn, by a side's own ids."""
    wanted = set(queries.tolist())
    if isinstance(truth, Labels):
        labels = {side.own(item): truth.given[item] for item in candidates.tolist()}
        return _Chosen(labels, np.array(sorted(side.own(query) for query in wanted), np.int64))
    assert isinstance(truth, Judgements)  # there are two kinds
    known = set(candidates.tolist())
    grades = {
        side.own(query): {side.own(item): grade for item, grade in judged.items() if item in known}
        for query, judged in truth.grades.items()
        if query in wanted
    }
    return Judgements(grades, only_judged=truth.only_judged)


class _Chosen(Labels):
    """Labels of which only some items are queries."""

    def __init__(self, labels: Mapping[int, str], queries: Ids) -> None:
        super().__init__(labels)
        self._queries = queries

    @property
    def queries(self) -> Ids:
        """See `Truth`."""
        return np.intersect1d(super().queries, self._queries)


def _cut(found: dict[int, list[int]], truth: Truth, candidates: Ids, k: int) -> dict[int, dict[str, float]]:
    """Measure answers that end somewhere: what is not among them is not found."""
    values = {}
    for query, answered in found.items():
        relevant, grades = truth.relevant(query)
        there = np.isin(relevant, candidates)
        values[query] = measure_order(answered, relevant[there], grades[there], k)
    return values


def _difference(
    name: str, queries: list[int], a: dict[int, dict[str, float]], b: dict[int, dict[str, float]]
) -> Difference:
    one, other = (np.array([values[query][name] for query in queries]) for values in (a, b))
    gap = other - one
    better, worse = int((gap > 0).sum()), int((gap < 0).sum())
    return Difference(
        name,
        bootstrap(one),
        bootstrap(other),
        bootstrap(gap),
        permutation_p(gap),
        better,
        worse,
        len(gap) - better - worse,
    )


def _differing(
    shared: list[int],
    a: dict[int, dict[str, float]],
    b: dict[int, dict[str, float]],
    overlaps: dict[int, float],
    found: tuple[dict[int, list[int]], dict[int, list[int]]],
) -> tuple[DifferingQuery, ...]:
    if shared:
        pairs = {query: (a[query]["map"], b[query]["map"]) for query in shared}
        gaps = {query: abs(other - one) for query, (one, other) in pairs.items()}
    else:
        pairs = {query: (share, share) for query, share in overlaps.items()}
        gaps = {query: 1 - share for query, share in overlaps.items()}
    differ = sorted((query for query in gaps if gaps[query] > 0), key=lambda query: (-gaps[query], query))
    return tuple(
        DifferingQuery(query, *pairs[query], tuple(found[0][query]), tuple(found[1][query]))
        for query in differ[:_DIFFER]
    )


def _cost(side: Side, queries: Ids) -> Cost:
    """Time warm searches through the index in use, one at a time, as a search by item does."""
    opened = side.opened
    live = opened.indexer.open()
    times = []
    if live is not None:
        own = [side.own(query) for query in queries[:_TIMED].tolist()]
        for row in opened.vectors.fetch(own).rows:
            begun = time.perf_counter()
            _search_once(side, live, row)
            times.append(1_000 * (time.perf_counter() - begun))
    _, _, size = opened.indexer.describe()
    per_item = size / max(1, opened.vectors.count())
    return Cost(float(np.median(times)) if times else None, 4 * opened.space.dim, per_item)


def _search_once(side: Side, live: LiveIndex, row: Vectors) -> None:
    vectors = side.opened.vectors
    if not side.rerank:
        rescored(vectors, live.search(row[None], 11, None)[0], row, 11)
        return
    block, scores, order = score_exactly(vectors, row, live.search(row[None], BEST + 1, None)[0])
    rerank(scores[order], block.rows[order])
