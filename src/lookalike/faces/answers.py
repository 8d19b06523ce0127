"""Many queries on one command line: a bad one does not cost the answers of the others."""

from __future__ import annotations

from pathlib import Path

from lookalike.collection import Collection
from lookalike.errors import DamagedError, LookalikeError, NotFoundError, QueryError
from lookalike.records import SearchResult

Answered = tuple[Path | int, SearchResult]


def answer(
    collection: Collection, queries: tuple[Path | int, ...], k: int, where: tuple[str, ...]
) -> tuple[list[Answered], list[LookalikeError]]:
    """Return each query that could be answered with its result, and why each other one could not.

    What fails for a reason that is not the query's own, or for a single query, is raised.
    """
    try:
        return list(zip(queries, collection.search_many(queries, k, where=where), strict=True)), []
    except (QueryError, NotFoundError, DamagedError):
        if len(queries) == 1 or not collection.info().items:
            raise
    answered: list[Answered] = []
    failures: list[LookalikeError] = []
    for query in queries:
        try:
            answered.append((query, collection.search(query, k, where=where)))
        except (QueryError, NotFoundError, DamagedError) as error:
            failures.append(error)
    return answered, failures
