"""The way out: query → decode → embed → index → re-score → re-rank → hits. `search` names the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lookalike.engine.protocol import Candidates, Engine, EngineVectors, Selection
from lookalike.errors import QueryError
from lookalike.records import Hit, Ids, Item, SearchOptions, SearchResult, Space, Vectors, Words
from lookalike.search.background import Background, BackgroundScores
from lookalike.search.batch import Fetches, LookedUp, for_each_query
from lookalike.search.copies import mark_copies, rows_of, space_of_copies
from lookalike.search.fusion import fuse
from lookalike.search.products import scores_of
from lookalike.search.queries import Query, QueryContext, ResolvedQuery, resolve
from lookalike.search.reranking import BEST, rerank
from lookalike.store.filters import Filter
from lookalike.store.vectors import VectorBlock

_FUSED = 200  # of each ranking, by meaning and by words, that are fused
_SURE = 50  # of what is re-ranked, found as surely as without


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


@dataclass(frozen=True, slots=True)
class _Scored:
    """Items with exact scores and vectors, best first; `recall` is how surely the nearest are among them.

    `total` is how many were searched; `damaged` were left out, and `missing` more that are not found.
    `matched` have the exact words of the query.
    """

    ids: Ids
    scores: Vectors
    rows: Vectors
    damaged: frozenset[int]
    recall: float | None
    total: int
    missing: int = 0
    matched: frozenset[int] = frozenset()
    reranked: bool = False


def search(
    context: SearchContext, queries: Sequence[Query], options: SearchOptions, filters: Sequence[Filter]
) -> list[SearchResult]:
    """Answer each query with its nearest items, fewer than asked for only where there are no more."""
    if not queries:
        return []
    resolved = resolve(context.queries, queries)
    among = context.engine.select(filters)
    scored = _nearest(context, resolved, options, among)
    if options.hybrid:
        scored = [
            _with_words(context, query, one, among) for query, one in zip(resolved, scored, strict=True)
        ]
    items = LookedUp(context.engine.items)
    if len(scored) > 1:
        firsts = [one.ids[: options.offset + options.k] for one in scored]
        items.get(np.unique(np.concatenate(firsts)).tolist())
    return [
        _result(context, query, one, options, items, one.total - _own_among(query, among))
        for query, one in zip(resolved, scored, strict=True)
    ]


def _nearest(
    context: SearchContext,
    resolved: Sequence[ResolvedQuery],
    options: SearchOptions,
    among: Selection | None,
) -> list[_Scored]:
    """Find, for all queries at once, what is nearest; those that are re-ranked apart from the others."""
    rerank = np.array([_is_reranked(context, query, options) for query in resolved])
    scored: dict[int, _Scored] = {}
    for kind in (False, True):
        some = np.flatnonzero(rerank == kind).tolist()
        if some:
            found = _nearest_alike(context, [resolved[at] for at in some], options, among, rerank=kind)
            scored |= zip(some, found, strict=True)
    return [scored[at] for at in range(len(resolved))]


def _nearest_alike(
    context: SearchContext,
    resolved: Sequence[ResolvedQuery],
    options: SearchOptions,
    among: Selection | None,
    *,
    rerank: bool,
) -> list[_Scored]:
    """Find candidates; the store's vectors decide, and then the hits for each other."""
    space, end = context.space, options.offset + options.k
    rows = np.stack([one.row for one in resolved])
    # Its own items are no hits, and one more tells whether hits follow.
    wanted = end + 1 + max((len(one.own) for one in resolved), default=0)
    if options.hybrid:
        wanted = max(wanted, _FUSED)
    reach = 0
    if rerank and end <= BEST:  # whatever page is wanted, the same ones are ranked among themselves
        wanted, reach = wanted - end + _SURE, wanted - end + BEST
    found = context.engine.nearest(space, rows, wanted, among, reach=reach)

    def score(vectors: Fetches, at: int) -> _Scored:
        query = resolved[at]
        one = _rescored(vectors, query, found, at)
        if len(one.ids) < end and len(found.ids[at]) < found.total:  # the index lost some to the conditions
            every = context.engine.nearest(space, query.row[None], wanted, among, reach=reach, exact=True)
            one = _rescored(context.vectors, query, every, 0, found.damaged)
        return _reranked(context, query, one) if rerank else one

    return for_each_query(context.vectors, space.dim, found.ids, score)


def _own_among(query: ResolvedQuery, among: Selection | None) -> int:
    """How many of a query's own items are left out of what could be hits."""
    return len(query.own) if among is None else among.count_among(query.own)


def score_exactly(
    vectors: Fetches, row: Vectors, candidates: Ids
) -> tuple[VectorBlock, Vectors, npt.NDArray[np.int64]]:
    """Return the candidates' stored vectors, their scores with a query's `row`, and the order of the best.

    Equal ones are in the order of their ids.
    """
    block = vectors.fetch(candidates.tolist())
    scores = scores_of(block.rows, row)
    return block, scores, np.lexsort((block.ids, -scores))


def _rescored(
    vectors: Fetches,
    query: ResolvedQuery,
    found: Candidates,
    at: int,
    damaged: frozenset[int] = frozenset(),
) -> _Scored:
    """Score the candidates of the query at that place exactly, best first, equal ones by id."""
    block, scores, order = score_exactly(vectors, query.row, found.ids[at])
    if query.own:
        order = order[~np.isin(block.ids[order], list(query.own))]
    return _Scored(
        block.ids[order],
        scores[order],
        block.rows[order],
        found.damaged.union(damaged, block.damaged),
        found.recall,
        found.total,
        found.missing,
    )


def _with_words(
    context: SearchContext, query: ResolvedQuery, scored: _Scored, among: Selection | None
) -> _Scored:
    """Rank by meaning and by the exact words of the query together; scores stay cosine similarities."""
    found = [
        each for each in context.engine.having_words(query.words, _FUSED, among) if each not in query.own
    ]
    if not query.is_understood:
        if not found:
            words = query.words[:80]
            raise QueryError(f"no text has the exact words {words!r}, and the model knows none of them")
        scored = replace(scored, ids=scored.ids[:0], scores=scored.scores[:0], rows=scored.rows[:0])
    missing = np.setdiff1d(np.array(found, np.int64), scored.ids)
    block = context.vectors.fetch(missing.tolist())
    ids, rows = np.concatenate([scored.ids, block.ids]), np.concatenate([scored.rows, block.rows])
    places = {item_id: at for at, item_id in enumerate(ids.tolist())}
    order = [places[each] for each in fuse([scored.ids.tolist(), found]) if each in places]
    rows = rows[order]
    return _Scored(
        ids[order],
        scores_of(rows, query.row),
        rows,
        scored.damaged.union(block.damaged),
        scored.recall,
        scored.total if query.is_understood else len(ids),
        scored.missing,
        frozenset(found),
    )


def _reranked(context: SearchContext, query: ResolvedQuery, scored: _Scored) -> _Scored:
    """Put the best in the order in which they vouch for each other; scores stay cosine similarities."""
    order = rerank(scored.scores, scored.rows, _line(context, query))
    rows, scores, ids = scored.rows[order], scored.scores[order], scored.ids[order]
    return replace(scored, ids=ids, scores=scores, rows=rows, reranked=True)


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


def _result(
    context: SearchContext,
    query: ResolvedQuery,
    scored: _Scored,
    options: SearchOptions,
    found: LookedUp,
    available: int,
) -> SearchResult:
    """Look the best items up; one that is damaged, or was removed a moment ago, makes room for the next.

    `available` is how many items could be hits.
    """
    hits: list[Hit] = []
    kept: list[int] = []
    lost: list[int] = []
    end = options.offset + options.k
    for at in range(0, len(scored.ids), end):
        ids, scores = scored.ids[at : at + end].tolist(), scored.scores[at : at + end].tolist()
        items = found.get(ids)
        kept += [at + place for place, each in enumerate(ids) if each in items]
        hits += [
            _hit(items[each], score, matched=each in scored.matched)
            for each, score in zip(ids, scores, strict=True)
            if each in items
        ]
        lost += [each for each in ids if each not in items]
        if len(hits) >= end:
            break
    if options.mark_copies:
        hits = _with_copies(context, hits[:end], scored.rows[kept[:end]])
    line = None
    if options.background:
        hits, line = _with_meaning(context, query, hits)
    return SearchResult(
        str(query),
        context.space.name,
        scored.recall,
        tuple(hits[options.offset : end]),
        damaged=tuple(sorted(scored.damaged | _damaged_among(context, lost))),
        missing=scored.missing,
        key=query.key,
        more=len(hits) >= end and available > end + len(lost),
        reranked=scored.reranked,
        background=line,
    )


def _damaged_among(context: SearchContext, lost: list[int]) -> frozenset[int]:
    """Return those of the items that were found and not read which no one has removed: they are damaged.

    An item that is removed takes its vector along.
    """
    if not lost:
        return frozenset()
    return frozenset(context.engine.items.damaged(lost)) | {*context.vectors.fetch(lost).ids.tolist()}


def _with_copies(context: SearchContext, hits: list[Hit], rows: Vectors) -> list[Hit]:
    """Say of each hit what it is a near copy of; `rows` are of the space that was searched."""
    space = space_of_copies(context.engine, context.space)
    if space is None or not hits:
        return hits
    if space.id != context.space.id:
        rows = rows_of(context.engine, space, np.array([hit.id for hit in hits], np.int64))
    return mark_copies(hits, rows, context.queries.known_shares)


def _with_meaning(
    context: SearchContext, query: ResolvedQuery, hits: list[Hit]
) -> tuple[list[Hit], float | None]:
    """Say of each hit how much of what is drawn by chance scores lower; and give the line to background.

    Neither for words among photos, whose scores tell what is nearer, not what is near; no share for several
    examples, since no random pair is like them.
    """
    drawn, alike = _drawn(context, query), len(query.query) == 1
    if drawn is None or not alike:
        return hits, None if drawn is None else drawn.line
    shares = drawn.closer_than([hit.score for hit in hits])
    told = [replace(hit, closer_than=share) for hit, share in zip(hits, shares, strict=True)]
    return told, drawn.line


def _line(context: SearchContext, query: ResolvedQuery) -> float | None:
    drawn = _drawn(context, query)
    return None if drawn is None else drawn.line


def _drawn(context: SearchContext, query: ResolvedQuery) -> BackgroundScores | None:
    """Return what a query's scores stand out from, where that can be told."""
    if _is_of_words(context, query):
        return None
    return context.background.against(query.row, alike=len(query.query) == 1)


def _hit(item: Item, score: float, *, matched: bool) -> Hit:
    score = round(score, 6)
    return Hit(
        item.id,
        item.uri,
        score,
        item.metadata,
        item.content_hash,
        text=item.text,
        places=item.places,
        matched=matched,
    )
