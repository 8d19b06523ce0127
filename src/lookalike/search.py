"""The way out: query → decode → embed → index → re-score from the store → hits. `search` names the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lookalike.decode.pool import DecodePool
from lookalike.decode.worker import Request
from lookalike.embed import Embedder
from lookalike.errors import DamagedError, NotFoundError, QueryError
from lookalike.index.exact import BestSoFar
from lookalike.indexing import LiveIndex
from lookalike.records import Hit, Ids, Item, Photo, SearchResult, Skipped, Space, Vectors
from lookalike.store import Store
from lookalike.store.filters import Filter
from lookalike.store.vectors import SpaceVectors

Query = Path | int
"""A photo file, or the id of an item (which is left out of its own hits)."""

_EMBED_AT_ONCE = 32
_RESCORE_ALL_UP_TO = 1_000  # so few allowed items are scored one and all, without the index


@dataclass(frozen=True, slots=True)
class Search:
    """The parts that answering needs; the decoder and the embedder are asked for photos only.

    Without an index (`live`) the answers are exact and slow: all vectors are read from the store.
    """

    store: Store
    space: Space
    vectors: SpaceVectors
    live: LiveIndex | None
    decoder: DecodePool
    embedder: Embedder | None


@dataclass(frozen=True, slots=True)
class _Scored:
    """Items with their exact scores, best first; `recall` is how surely the nearest are among them."""

    ids: Ids
    scores: Vectors
    damaged: tuple[int, ...]
    recall: float


def search(parts: Search, queries: Sequence[Query], k: int, filters: Sequence[Filter]) -> list[SearchResult]:
    """Answer each query with its k nearest items, fewer only where there are no more."""
    rows = _query_vectors(parts, queries)
    allowed = parts.store.items.matching(filters) if filters else None
    scored = _nearest(parts, queries, rows, k, allowed)
    return [_result(parts, query, one, k) for query, one in zip(queries, scored, strict=True)]


def _query_vectors(parts: Search, queries: Sequence[Query]) -> Vectors:
    """Return one unit-length row per query."""
    rows = np.empty((len(queries), parts.space.dim), np.float32)
    photos = {at: query for at, query in enumerate(queries) if isinstance(query, Path)}
    if photos:
        rows[list(photos)] = _embedded(parts, list(photos.values()))
    for at, query in enumerate(queries):
        if isinstance(query, int):
            rows[at] = _stored(parts.vectors, query)
    return rows


def _stored(vectors: SpaceVectors, item_id: int) -> Vectors:
    block = vectors.fetch([item_id])
    if block.damaged:
        raise DamagedError(f"item {item_id} is damaged; run: lookalike verify --repair")
    if not len(block.ids):
        raise NotFoundError(f"item {item_id} is not in this collection")
    row: Vectors = block.rows[0]
    return row


def _embedded(parts: Search, paths: list[Path]) -> Vectors:
    assert parts.embedder is not None  # the caller brings one whenever a query is a photo
    view = parts.embedder.spec.view
    answers = parts.decoder.photos(Request(str(path), str(path.absolute()), view) for path in paths)
    rows = []
    while some := list(islice(answers, _EMBED_AT_ONCE)):
        for answer in some:
            if isinstance(answer, Skipped):
                raise QueryError(f"cannot search by {answer.uri}: {answer.reason}")
        photos = [photo for photo in some if isinstance(photo, Photo)]
        rows.append(
            parts.embedder.embed(np.stack([each.pixels for each in photos if each.pixels is not None]))
        )
    return np.concatenate(rows)


def _nearest(
    parts: Search, queries: Sequence[Query], rows: Vectors, k: int, allowed: Ids | None
) -> list[_Scored]:
    """Find candidates for all queries at once and let the store's vectors decide."""
    wanted = k + 1  # an item does not answer itself
    recall = 1.0
    if allowed is not None and len(allowed) <= _RESCORE_ALL_UP_TO:
        candidates = [allowed] * len(queries)
    elif parts.live is not None:
        candidates, recall = parts.live.search(rows, wanted, allowed), parts.live.index.recall
    else:
        candidates = _exhaustive(parts.vectors, rows, wanted, allowed)
    scored = []
    for query, row, some in zip(queries, rows, candidates, strict=True):
        one = _rescored(parts.vectors, query, row, some, recall)
        if len(one.ids) < k and len(some) < _how_many(parts, allowed):  # the index lost some to the filter
            every = _exhaustive(parts.vectors, row[None], wanted, allowed)[0]
            one = _rescored(parts.vectors, query, row, every, 1.0)
        scored.append(one)
    return scored


def _how_many(parts: Search, allowed: Ids | None) -> int:
    if allowed is not None:
        return len(allowed)
    return parts.vectors.count() if parts.live is None else len(parts.live.index)


def _exhaustive(vectors: SpaceVectors, rows: Vectors, k: int, allowed: Ids | None) -> list[Ids]:
    """Return the k nearest of all allowed items for each row, read from the store in blocks."""
    best = BestSoFar(rows, k)
    for block in vectors.blocks() if allowed is None else vectors.blocks_of(allowed):
        best.see(block.ids, block.rows)
    return list(best.ranked()[0])


def _rescored(vectors: SpaceVectors, query: Query, row: Vectors, candidates: Ids, recall: float) -> _Scored:
    """Score candidates exactly, best first, equal ones by id."""
    block = vectors.fetch(candidates.tolist())
    scores = np.clip(block.rows @ row, -1.0, 1.0)
    order = np.lexsort((block.ids, -scores))
    if isinstance(query, int):
        order = order[block.ids[order] != query]
    return _Scored(block.ids[order], scores[order], block.damaged, recall)


def _result(parts: Search, query: Query, scored: _Scored, k: int) -> SearchResult:
    """Look the best k items up; one that is damaged, or was removed a moment ago, makes room for the next."""
    hits: list[Hit] = []
    lost: list[int] = []
    for at in range(0, len(scored.ids), k):
        ids, scores = scored.ids[at : at + k].tolist(), scored.scores[at : at + k].tolist()
        items = parts.store.items.get(ids)
        hits += [_hit(items[each], score) for each, score in zip(ids, scores, strict=True) if each in items]
        lost += [each for each in ids if each not in items]
        if len(hits) >= k:
            break
    left_out = parts.live.damaged if parts.live else frozenset[int]()
    damaged = tuple(sorted({*left_out, *scored.damaged, *parts.store.items.damaged(lost)}))
    return SearchResult(str(query), parts.space.name, scored.recall, tuple(hits[:k]), damaged)


def _hit(item: Item, score: float) -> Hit:
    return Hit(item.id, item.uri, round(score, 6), item.metadata)
