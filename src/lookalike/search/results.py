"""What was found as results: items looked up, near copies marked, and what their scores mean."""

from __future__ import annotations

import numpy as np

from lookalike.records import Hit, Item, SearchOptions, SearchResult
from lookalike.search.background import BackgroundScores
from lookalike.search.batch import LookedUp
from lookalike.search.copies import mark_copies, rows_of, space_of_copies
from lookalike.search.queries import QueryContext, ResolvedQuery
from lookalike.search.scoring import Scored


class Results:
    """Makes the results of one search, of one query or many."""

    def __init__(self, context: QueryContext, options: SearchOptions, scored: list[Scored]) -> None:
        """Prepare for `scored`, what was found for each of the queries."""
        self._context = context
        self._options = options
        self._end = options.offset + options.k
        self._items = LookedUp(context.engine.items)
        if len(scored) > 1:
            firsts = [one.ids[: self._end] for one in scored]
            self._items.get(np.unique(np.concatenate(firsts)).tolist())
        self._looks = space_of_copies(context.engine, context.space) if options.mark_copies else None

    def of(
        self, query: ResolvedQuery, scored: Scored, drawn: BackgroundScores | None, available: int
    ) -> SearchResult:
        """Look the best items up; one that is damaged, or was removed a moment ago, makes room for the next.

        `drawn` is what scores stand out from, where that can be told; `available` is how many items could be
        hits.
        """
        hits: list[Hit] = []
        kept: list[int] = []
        lost: list[int] = []
        for at in range(0, len(scored.ids), self._end):
            ids = scored.ids[at : at + self._end].tolist()
            items = self._items.get(ids)
            sound = [at + place for place, each in enumerate(ids) if each in items]
            hits += _hits(query, scored, sound, items, drawn)
            kept += sound
            lost += [each for each in ids if each not in items]
            if len(hits) >= self._end:
                break
        hits = self._with_copies(hits[: self._end], scored, kept[: self._end])
        return SearchResult(
            str(query),
            self._context.space.name,
            scored.recall,
            tuple(hits[self._options.offset :]),
            damaged=tuple(sorted(scored.damaged | self._damaged_among(lost))),
            missing=scored.missing,
            key=query.key,
            more=len(hits) >= self._end and available > self._end + len(lost),
            reranked=scored.reranked,
            background=None if drawn is None else drawn.line,
        )

    def _with_copies(self, hits: list[Hit], scored: Scored, at: list[int]) -> list[Hit]:
        """Say of each hit, found at that place of `scored`, what it is a near copy of."""
        if not self._options.mark_copies or not hits:
            return hits
        space, context = self._looks, self._context
        if space is None:
            rows = np.zeros((len(hits), 1), np.float32)
        elif space.id != context.space.id or at[-1] >= len(scored.places):
            rows = rows_of(context.engine, space, np.array([hit.id for hit in hits], np.int64))
        else:
            rows = scored.vectors[scored.places[at]]
        return mark_copies(hits, rows, context.known_shares, context.told)

    def _damaged_among(self, lost: list[int]) -> frozenset[int]:
        """Return those of the items that were found and not read which no one has removed: they are damaged.

        An item that is removed takes its vector along.
        """
        if not lost:
            return frozenset()
        engine, space = self._context.engine, self._context.space
        return frozenset(engine.items.damaged(lost)) | {*engine.vectors(space).fetch(lost).ids.tolist()}


def _hits(
    query: ResolvedQuery,
    scored: Scored,
    places: list[int],
    items: dict[int, Item],
    drawn: BackgroundScores | None,
) -> list[Hit]:
    """Return what is at some places of `scored` as hits.

    Each with the share of what is drawn by chance that scores lower; but for several examples, since no
    random pair is like them.
    """
    scores = [round(score, 6) for score in scored.scores[places].tolist()]
    shares: list[float | None] = [None] * len(scores)
    if drawn is not None and len(query.query) == 1:
        shares = [*drawn.closer_than(scores)]
    found = [items[each] for each in scored.ids[places].tolist()]
    return [
        Hit(
            item.id,
            item.uri,
            score,
            item.metadata,
            item.content_hash,
            text=item.text,
            places=item.places,
            matched=item.id in scored.matched,
            closer_than=share,
        )
        for item, score, share in zip(found, scores, shares, strict=True)
    ]
