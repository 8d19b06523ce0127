"""The exact nearest of some items to one item, in steady memory."""

from __future__ import annotations

from lookalike.errors import NotFoundError
from lookalike.index.exact import BestSoFar
from lookalike.records import Ids
from lookalike.wiring import OpenSpace


def nearest(opened: OpenSpace, query: int, candidates: Ids | None, count: int) -> list[tuple[int, float]]:
    """Return ids and scores of the `count` nearest candidates (None: of all items), best first."""
    own = opened.vectors.fetch([query])
    if not len(own.ids):
        raise NotFoundError(f"item {query} has no vector in the space {opened.space.name}")
    best = BestSoFar(own.rows, count + 1)
    for block in opened.vectors.blocks() if candidates is None else opened.vectors.blocks_of(candidates):
        best.see(block.ids, block.rows)
    ids, scores = best.ranked()
    pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
    return [(item, round(score, 6)) for item, score in pairs if item != query][:count]
