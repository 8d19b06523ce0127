"""Many queries on one command line: a bad one does not cost the answers of the others."""

from __future__ import annotations

from pathlib import Path

from lookalike.collection import Collection
from lookalike.errors import DamagedError, LookalikeError, NotFoundError, QueryError
from lookalike.queries import Example
from lookalike.records import SearchResult, Wish, Words

Asked = Path | int | list[Example]
Answered = tuple[Asked, SearchResult]


def together(
    queries: tuple[Path | int, ...],
    words: tuple[str, ...],
    unlike: tuple[Path | int, ...],
    unlike_words: tuple[str, ...],
) -> list[Asked]:
    """Return what is asked: every photo or item for itself, or all as one query where more is said."""
    if not (words or unlike or unlike_words):
        return list(queries)
    wanted = [*queries, *map(Words, words)]
    unwanted = [*unlike, *map(Words, unlike_words)]
    return [[*map(Example, wanted), *(Example(each, -1.0) for each in unwanted)]]


def answer(
    collection: Collection, queries: list[Asked], wish: Wish, where: tuple[str, ...]
) -> tuple[list[Answered], list[LookalikeError]]:
    """Return each query that could be answered with its result, and why each other one could not.

    What fails for a reason that is not the query's own, or for a single query, is raised.
    """
    try:
        return list(zip(queries, collection.answer(queries, wish, where=where), strict=True)), []
    except (QueryError, NotFoundError, DamagedError):
        if len(queries) == 1 or not collection.info().items:
            raise
    answered: list[Answered] = []
    failures: list[LookalikeError] = []
    for query in queries:
        try:
            answered.append((query, collection.answer([query], wish, where=where)[0]))
        except (QueryError, NotFoundError, DamagedError) as error:
            failures.append(error)
    return answered, failures
