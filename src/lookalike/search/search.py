"""The way out: query → decode → embed → index → re-score from the store → hits. `search` names the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lookalike.index.exact import BestSoFar
from lookalike.indexing.indexer import LiveIndex
from lookalike.records import Hit, Ids, Item, SearchResult, Space, Vectors, Wish, Words
from lookalike.search.background import Background
from lookalike.search.fusion import fuse
from lookalike.search.queries import Asked, Asking, Query, ask
from lookalike.store import Store
from lookalike.store.filters import Filter
from lookalike.store.vectors import SpaceVectors, VectorBlock

NEAR_COPY = 0.9
"""From this score on two photos are taken for versions of the same one: no two Caltech-101 photos of
different classes come as near (`bench/background.py`)."""

_COMPARED = 1_000  # best hits that others may be copies of: with all, deep pages would cost too much
_FUSED = 200  # of each ranking, by meaning and by words, that are fused
_RESCORE_ALL_UP_TO = 1_000  # so few allowed items are scored one and all, without the index


@dataclass(frozen=True, slots=True)
class Search:
    """The parts that answering needs.

    Without an index (`live`) the answers are exact and slow: all vectors are read from the store.
    """

    asking: Asking
    space: Space
    live: LiveIndex | None
    background: Background

    @property
    def store(self) -> Store:
        """Where the items are."""
        return self.asking.store

    @property
    def vectors(self) -> SpaceVectors:
        """The vectors that are searched."""
        return self.asking.vectors


@dataclass(frozen=True, slots=True)
class _Scored:
    """Items with exact scores and vectors, best first; `recall` is how surely the nearest are among them.

    `matched` are those that have the exact words of the query.
    """

    ids: Ids
    scores: Vectors
    rows: Vectors
    damaged: tuple[int, ...]
    recall: float
    matched: frozenset[int] = frozenset()


def search(
    parts: Search, queries: Sequence[Query], wish: Wish, filters: Sequence[Filter]
) -> list[SearchResult]:
    """Answer each query with its nearest items, fewer than asked for only where there are no more."""
    asked = ask(parts.asking, queries)
    allowed = parts.store.items.matching(filters) if filters else None
    scored = _nearest(parts, asked, wish, allowed)
    if wish.hybrid:
        scored = [_with_words(parts, query, one, allowed) for query, one in zip(asked, scored, strict=True)]
    left = [_how_many(parts, allowed) - _own_among(query, allowed) for query in asked]
    return [
        _result(parts, query, one, wish, available)
        for query, one, available in zip(asked, scored, left, strict=True)
    ]


def _nearest(parts: Search, asked: Sequence[Asked], wish: Wish, allowed: Ids | None) -> list[_Scored]:
    """Find candidates for all queries at once and let the store's vectors decide."""
    rows = np.stack([one.row for one in asked]) if asked else np.empty((0, parts.space.dim), np.float32)
    end = wish.offset + wish.k
    wanted = (
        end + 1 + max((len(one.own) for one in asked), default=0)
    )  # and one that tells whether more follow
    if wish.hybrid:
        wanted = max(wanted, _FUSED)
    recall = 1.0
    if allowed is not None and len(allowed) <= _RESCORE_ALL_UP_TO:
        candidates = [allowed] * len(asked)
    elif parts.live is not None:
        candidates, recall = parts.live.search(rows, wanted, allowed), parts.live.index.recall
    else:
        candidates = _exhaustive(parts.vectors, rows, wanted, allowed)
    scored = []
    for query, some in zip(asked, candidates, strict=True):
        one = _rescored(parts.vectors, query, some, recall)
        if len(one.ids) < end and len(some) < _how_many(parts, allowed):  # the index lost some to the filter
            every = _exhaustive(parts.vectors, query.row[None], wanted, allowed)[0]
            one = _rescored(parts.vectors, query, every, 1.0)
        scored.append(one)
    return scored


def _how_many(parts: Search, allowed: Ids | None) -> int:
    if allowed is not None:
        return len(allowed)
    return parts.vectors.count() if parts.live is None else len(parts.live.index)


def _own_among(query: Asked, allowed: Ids | None) -> int:
    """How many of a query's own items are left out of what could be hits."""
    return len(query.own) if allowed is None else int(np.isin(list(query.own), allowed).sum())


def _exhaustive(vectors: SpaceVectors, rows: Vectors, k: int, allowed: Ids | None) -> list[Ids]:
    """Return the k nearest of all allowed items for each row, read from the store in blocks."""
    best = BestSoFar(rows, k)
    for block in vectors.blocks() if allowed is None else vectors.blocks_of(allowed):
        best.see(block.ids, block.rows)
    return list(best.ranked()[0])


def score_exactly(
    vectors: SpaceVectors, row: Vectors, candidates: Ids
) -> tuple[VectorBlock, Vectors, npt.NDArray[np.int64]]:
    """Return the candidates' stored vectors, their scores with a query's `row`, and the order of the best.

    Equal ones are in the order of their ids.
    """
    block = vectors.fetch(candidates.tolist())
    scores: Vectors = np.clip(block.rows @ row, -1.0, 1.0)
    return block, scores, np.lexsort((block.ids, -scores))


def _rescored(vectors: SpaceVectors, query: Asked, candidates: Ids, recall: float) -> _Scored:
    """Score candidates exactly, best first, equal ones by id."""
    block, scores, order = score_exactly(vectors, query.row, candidates)
    if query.own:
        order = order[~np.isin(block.ids[order], list(query.own))]
    return _Scored(block.ids[order], scores[order], block.rows[order], block.damaged, recall)


def _with_words(parts: Search, query: Asked, scored: _Scored, allowed: Ids | None) -> _Scored:
    """Rank by meaning and by the exact words of the query together; scores stay cosine similarities."""
    found = [each for each in parts.store.texts.match(query.words, _FUSED, allowed) if each not in query.own]
    missing = np.setdiff1d(np.array(found, np.int64), scored.ids)
    block = parts.vectors.fetch(missing.tolist())
    ids, rows = np.concatenate([scored.ids, block.ids]), np.concatenate([scored.rows, block.rows])
    places = {item_id: at for at, item_id in enumerate(ids.tolist())}
    order = [places[each] for each in fuse([scored.ids.tolist(), found]) if each in places]
    rows = rows[order]
    return _Scored(
        ids[order],
        np.clip(rows @ query.row, -1.0, 1.0),
        rows,
        scored.damaged + block.damaged,
        scored.recall,
        frozenset(found),
    )


def _result(parts: Search, query: Asked, scored: _Scored, wish: Wish, available: int) -> SearchResult:
    """Look the best items up; one that is damaged, or was removed a moment ago, makes room for the next.

    `available` is how many items could be hits.
    """
    hits: list[Hit] = []
    kept: list[int] = []
    lost: list[int] = []
    end = wish.offset + wish.k
    for at in range(0, len(scored.ids), end):
        ids, scores = scored.ids[at : at + end].tolist(), scored.scores[at : at + end].tolist()
        items = parts.store.items.get(ids)
        kept += [at + place for place, each in enumerate(ids) if each in items]
        hits += [
            _hit(items[each], score, matched=each in scored.matched)
            for each, score in zip(ids, scores, strict=True)
            if each in items
        ]
        lost += [each for each in ids if each not in items]
        if len(hits) >= end:
            break
    if wish.mark_copies:
        hits = _marked(hits[:end], scored.rows[kept[:end]])
    line = None
    if wish.background:
        hits, line = _with_meaning(parts, query, hits)
    left_out = parts.live.damaged if parts.live else frozenset[int]()
    return SearchResult(
        str(query),
        parts.space.name,
        scored.recall,
        tuple(hits[wish.offset : end]),
        damaged=tuple(sorted({*left_out, *scored.damaged, *parts.store.items.damaged(lost)})),
        key=query.key,
        more=len(hits) >= end and available > end + len(lost),
        background=line,
    )


def _with_meaning(parts: Search, query: Asked, hits: list[Hit]) -> tuple[list[Hit], float | None]:
    """Say of each hit how much of what is drawn by chance scores lower; and give the line to background."""
    alike = len(query.query) == 1 and (
        parts.space.kind == "text" or not isinstance(query.query[0].source, Words)
    )
    drawn = parts.background.against(query.row, alike=alike)
    if drawn is None:
        return hits, None
    shares = drawn.closer_than([hit.score for hit in hits])
    told = [replace(hit, closer_than=share) for hit, share in zip(hits, shares, strict=True)]
    return told, drawn.line


def _marked(hits: list[Hit], rows: Vectors) -> list[Hit]:
    """Name for each hit the best one, itself no copy, that it is a near copy of; `rows` `(hits, dim)`."""
    near = np.tril(rows @ rows[:_COMPARED].T >= NEAR_COPY, -1)
    firsts = np.ones(near.shape[1], bool)
    marked = list(hits)
    for at in np.flatnonzero(near.any(axis=1)):  # mostly few
        originals = np.flatnonzero(near[at] & firsts)
        if len(originals):
            firsts[at : at + 1] = False
            marked[at] = replace(hits[at], copy_of=hits[originals[0]].id)
    return marked


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
