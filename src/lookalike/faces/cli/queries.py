"""Many queries on one command line: a bad one does not cost the answers of the others."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lookalike.collection import Collection
from lookalike.errors import DamagedError, LookalikeError, NotFoundError, QueryError, UsageError
from lookalike.faces.cli.arguments import is_file
from lookalike.records import Kind, SearchOptions, SearchResult, Words
from lookalike.search.queries import Example
from lookalike.sources.remote.addresses import is_address, normal

QueryInput = Path | bytes | int | Words | list[Example]
Answered = tuple[QueryInput, SearchResult]


def read_inputs(queries: tuple[str | int, ...], kind: Kind) -> list[Path | bytes | int | Words]:
    """Return what is written as texts or as paths of photos, as the collection holds them.

    Raises `UsageError` where the name of a file is written for a text, or words for a photo.
    """
    if kind == "photo":
        if (
            len(queries) == 1
            and isinstance(queries[0], str)
            and not is_address(queries[0])
            and _reads_as_words(queries[0])
        ):
            raise UsageError(f"there is no file {queries[0]}; by words: --words {shlex.quote(queries[0])}")
        return [_photo_of(each) if isinstance(each, str) else each for each in queries]
    for each in queries:
        if isinstance(each, str) and is_file(each):
            raise UsageError(
                f"{each} is a file, and this collection holds texts: write the text, or --words {each}"
            )
    return [Words(each) if isinstance(each, str) else each for each in queries]


def _photo_of(written: str) -> Path | bytes:
    """Return the path of a photo, or the bytes that lie at an address."""
    if not is_address(written):
        return Path(written)
    from lookalike.sources.remote.reading import read_object  # loads much that files do without
    from lookalike.sources.remote.troubles import RemoteError

    address = normal(written)
    try:
        return read_object(address)
    except RemoteError as error:
        raise QueryError(f"cannot search by {address}: {error}") from None


def _reads_as_words(written: str) -> bool:
    return " " in written and not (os.path.lexists(written) or Path(written).suffix or os.sep in written)


def combined(
    queries: list[Path | bytes | int | Words],
    words: tuple[str, ...],
    unlike: list[Path | bytes | int | Words],
    unlike_words: tuple[str, ...],
) -> list[QueryInput]:
    """Return what is asked: every photo, text or item for itself, or all as one query where more is said."""
    if not (words or unlike or unlike_words):
        return list(queries)
    wanted = [*queries, *map(Words, words)]
    unwanted = [*unlike, *map(Words, unlike_words)]
    return [[*map(Example, wanted), *(Example(each, -1.0) for each in unwanted)]]


def answer(
    collection: Collection, queries: list[QueryInput], options: SearchOptions, where: tuple[str, ...]
) -> tuple[list[Answered], list[LookalikeError]]:
    """Return each query that could be answered with its result, and why each other one could not.

    What fails for a reason that is not the query's own, or for a single query, is raised.
    """
    try:
        return list(zip(queries, collection.answer(queries, options, where=where), strict=True)), []
    except (QueryError, NotFoundError, DamagedError):
        if len(queries) == 1 or not collection.info().items:
            raise
    answered: list[Answered] = []
    failures: list[LookalikeError] = []
    for query in queries:
        try:
            answered.append((query, collection.answer([query], options, where=where)[0]))
        except (QueryError, NotFoundError, DamagedError) as error:
            failures.append(error)
    return answered, failures
