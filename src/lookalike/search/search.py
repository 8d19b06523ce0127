"""The way out: query → decode → embed → index → re-score → re-rank → hits. `search` names the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from lookalike.engine.protocol import Engine, EngineVectors, Selection
from lookalike.errors import QueryError
from lookalike.records import SearchOptions, SearchResult, Space, Words
from lookalike.search.background import Background, BackgroundScores
from lookalike.search.batch import for_each_query
from lookalike.search.fusion import fuse
from lookalike.search.products import scores_of
from lookalike.search.queries import Query, QueryContext, ResolvedQuery, resolve
from lookalike.search.reranking import BEST
from lookalike.search.results import Results
from lookalike.search.scoring import Scored, reranked, rescored, with_few_rows
from lookalike.search.ways import best_of_ways, ways_of
from lookalike.store.filters import Filter
from lookalike.store.vectors import VectorBlock

_FUSED = 200  # of each ranking, by meaning and by words, that are fused
_SURE = 50  # of what is re-ranked, found as surely as without
_SPARE = 10  # vectors kept for items that make room for others, which may be damaged


@dataclass(frozen=True, slots=True)
class SearchContext:
    """The parts that answering needs."""

    queries: QueryContext
    background: Background

    @property
    def engine(self) -> Engine:
        """Where the items are."""
        return self.queries.engine

    @property
    def space(self) -> Space:
        """Whose vectors are searched."""
        return self.queries.space

    @property
    def vectors(self) -> EngineVectors:
        """The vectors that are searched."""
        return self.engine.vectors(self.space)


def search(
    context: SearchContext, queries: Sequence[Query], options: SearchOptions, filters: Sequence[Filter]
) -> list[SearchResult]:
    """Answer each query with its nearest items, fewer than asked for only where there are no more."""
    if not queries:
        return []
    resolved = resolve(context.queries, queries)
    among = context.engine.select(filters)
    rerank = [_is_reranked(context, query, options) for query in resolved]
    drawn = _drawn(context, resolved) if options.background or any(rerank) else [None] * len(resolved)
    if options.any_way_up:
        scored = _nearest_any_way_up(context, resolved, options, among)
    else:
        scored = _nearest(context, resolved, rerank, drawn, options, among)
    if options.hybrid:
        scored = [
            _with_words(context, query, one, among) for query, one in zip(resolved, scored, strict=True)
        ]
    results = Results(context.queries, options, scored)
    told = drawn if options.background else [None] * len(resolved)
    return [
        results.of(query, one, meaning, one.total - _own_among(query, among))
        for query, one, meaning in zip(resolved, scored, told, strict=True)
    ]


def _drawn(context: SearchContext, resolved: Sequence[ResolvedQuery]) -> list[BackgroundScores | None]:
    """Return what each query's scores stand out from: the same for all of one example.

    None for words among photos, whose scores tell what is nearer, not what is near.
    """
    told = [query for query in resolved if not _is_of_words(context, query)]
    one = next((query.row for query in told if len(query.query) == 1), None)
    of_one = None if one is None else context.background.against(one)
    return [
        None
        if _is_of_words(context, query)
        else of_one
        if len(query.query) == 1
        else context.background.against(query.row, alike=False)
        for query in resolved
    ]


def _nearest(
    context: SearchContext,
    resolved: Sequence[ResolvedQuery],
    rerank: Sequence[bool],
    drawn: Sequence[BackgroundScores | None],
    options: SearchOptions,
    among: Selection | None,
) -> list[Scored]:
    """Find, for all queries at once, what is nearest; those that are re-ranked apart from the others."""
    scored: dict[int, Scored] = {}
    for kind in (False, True):
        some = [at for at, each in enumerate(rerank) if each == kind]
        if some:
            lines = [_line(drawn[at]) for at in some] if kind else None
            found = _nearest_alike(context, [resolved[at] for at in some], lines, options, among)
            scored |= zip(some, found, strict=True)
    return [scored[at] for at in range(len(resolved))]


def _nearest_any_way_up(
    context: SearchContext,
    resolved: Sequence[ResolvedQuery],
    options: SearchOptions,
    among: Selection | None,
) -> list[Scored]:
    """Find what is nearest to the photo of each query in any of its ways."""
    ways = [ways_of(context.queries, query) for query in resolved]
    found = iter(_nearest_alike(context, [way for each in ways for way in each], None, options, among))
    return [best_of_ways(list(islice(found, len(each)))) for each in ways]


def _nearest_alike(
    context: SearchContext,
    resolved: Sequence[ResolvedQuery],
    lines: Sequence[float | None] | None,
    options: SearchOptions,
    among: Selection | None,
) -> list[Scored]:
    """Find candidates; the store's vectors decide, and then, with `lines` to background, the hits themselves.

    Without `lines` nothing is re-ranked.
    """
    space, end = context.space, options.offset + options.k
    rows = np.stack([one.row for one in resolved])
    # Its own items are no hits, and one more tells whether hits follow.
    wanted = end + 1 + max((len(one.own) for one in resolved), default=0)
    if options.hybrid:
        wanted = max(wanted, _FUSED)
    reach = 0
    if (
        lines is not None and end <= BEST
    ):  # whatever page is wanted, the same ones are ranked among themselves
        wanted, reach = wanted - end + _SURE, wanted - end + BEST
    found = context.engine.nearest(space, rows, wanted, among, reach=reach)

    def ranked(one: Scored, at: int) -> Scored:
        one = one if lines is None else reranked(one, lines[at])
        return one if len(resolved) == 1 else with_few_rows(one, None if options.hybrid else end + _SPARE)

    def score(block: VectorBlock, at: int) -> Scored:
        return ranked(rescored(block, resolved[at], found), at)

    scored = for_each_query(context.vectors, space.dim, found.ids, score)
    for at, one in enumerate(scored):
        if len(one.ids) < end and len(found.ids[at]) < found.total:  # the index lost some to the conditions
            row = resolved[at].row[None]
            every = context.engine.nearest(space, row, wanted, among, reach=reach, exact=True)
            block = context.vectors.fetch(every.ids[0].tolist())
            scored[at] = ranked(rescored(block, resolved[at], every, found.damaged), at)
    return scored


def _line(drawn: BackgroundScores | None) -> float | None:
    return None if drawn is None else drawn.line


def _own_among(query: ResolvedQuery, among: Selection | None) -> int:
    """How many of a query's own items are left out of what could be hits."""
    return len(query.own) if among is None else among.count_among(query.own)


def _with_words(
    context: SearchContext, query: ResolvedQuery, scored: Scored, among: Selection | None
) -> Scored:
    """Rank by meaning and by the exact words of the query together; scores stay cosine similarities."""
    found = [
        each for each in context.engine.having_words(query.words, _FUSED, among) if each not in query.own
    ]
    if not query.is_understood:
        if not found:
            words = query.words[:80]
            raise QueryError(f"no text has the exact words {words!r}, and the model knows none of them")
        scored = replace(scored, ids=scored.ids[:0], scores=scored.scores[:0], places=scored.places[:0])
    missing = np.setdiff1d(np.array(found, np.int64), scored.ids)
    block = context.vectors.fetch(missing.tolist())
    ids, rows = np.concatenate([scored.ids, block.ids]), np.concatenate([scored.rows(), block.rows])
    places = {item_id: at for at, item_id in enumerate(ids.tolist())}
    order = [places[each] for each in fuse([scored.ids.tolist(), found]) if each in places]
    rows = rows[order]
    return Scored(
        ids[order],
        scores_of(rows, query.row),
        rows,
        np.arange(len(rows)),
        scored.damaged.union(block.damaged),
        scored.recall,
        scored.total if query.is_understood else len(ids),
        scored.missing,
        frozenset(found),
    )


def _is_reranked(context: SearchContext, query: ResolvedQuery, options: SearchOptions) -> bool:
    """Whether hits vouch for each other.

    By default not those of several examples, of which those that have fewer like them would lose, nor of
    words among photos (`bench/words.py`).
    """
    if options.rerank is not None:
        return options.rerank
    return len(query.query) == 1 and not _is_of_words(context, query)


def _is_of_words(context: SearchContext, query: ResolvedQuery) -> bool:
    """Whether words are to find photos."""
    return context.space.kind == "photo" and any(isinstance(each.source, Words) for each in query.query)
