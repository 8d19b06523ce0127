"""What people are asked to judge: for some items as queries, what the compared spaces find first.

Pooling of depth k (Spärck Jones and van Rijsbergen 1975, as TREC does it): the first k hits of every space
are judged, whichever found them, so that the judgements are fair to all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.collection import Collection
from lookalike.embedders import COMPANION
from lookalike.records import Item, SearchOptions
from lookalike.search.queries import item_key, item_of

QUERIES = 50
"""Items that are queries: with ten hits each, about an hour of judging."""


@dataclass(frozen=True, slots=True)
class RatingTask:
    """What is to be judged next: nothing, where `query` is None.

    `key` is what votes on it are kept under. `candidates` were not judged yet, in an order by chance;
    `judged` of this query's were. `queries_judged` of `queries` are done.
    """

    query: Item | None
    key: str | None
    candidates: tuple[Item, ...]
    judged: int
    queries: int
    queries_judged: int


def next_to_rate(
    collection: Collection, spaces: Sequence[str], depth: int = 10, after: int | None = None
) -> RatingTask:
    """Return the next query that has hits without a judgement, beyond the query `after`, then from the start.

    Without `spaces`, all are pooled but those for words. Raises `NotFoundError` for an unknown space.
    """
    names = list(spaces) or [
        space.name for space in collection.spaces() if not space.reference.startswith(COMPANION)
    ]
    queries = _drawn(collection, names[0]) if names else []
    judged = _judged(collection)
    begin = queries.index(after) + 1 if after in queries else 0
    found: tuple[int, list[int], int] | None = None
    done = 0
    for query in queries[begin:] + queries[:begin]:
        if found is not None and query not in judged:
            continue
        pool = _pool(collection, query, names, depth)
        left = [item for item in pool if item not in judged.get(query, set())]
        done += not left
        if left and found is None:
            found = query, left, len(pool)
    if found is None:
        return RatingTask(None, None, (), 0, len(queries), done)
    query, left, pooled = found
    shuffled = np.random.default_rng(query).permutation(left).tolist()
    candidates = tuple(collection.item(item) for item in shuffled)
    return RatingTask(
        collection.item(query), item_key(query), candidates, pooled - len(left), len(queries), done
    )


def _pool(collection: Collection, query: int, names: Sequence[str], depth: int) -> list[int]:
    """Return what any of the spaces finds among its first hits, ascending."""
    found: set[int] = set()
    for name in names:
        (result,) = collection.answer([query], SearchOptions(depth, space=name))
        found.update(hit.id for hit in result)
    return sorted(found)


def _judged(collection: Collection) -> dict[int, set[int]]:
    """Return the items judged for each query that is one item."""
    judged: dict[int, set[int]] = {}
    for vote in collection.votes():
        query = item_of(vote.query)
        if query is not None and vote.uri is not None:
            judged.setdefault(query, set()).add(vote.item_id)
    return judged


def _drawn(collection: Collection, name: str) -> list[int]:
    """Return the items that are asked about, by chance, the same ones for the same items."""
    vectors, chance = collection.open_space(name).vectors, np.random.default_rng(0)
    return [int(each) for each in chance.permutation(vectors.draw(QUERIES, chance))]
