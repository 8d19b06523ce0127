"""What callers hand in, checked and made uniform before anything is touched."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import SupportsIndex

from lookalike.engine.protocol import EngineItems
from lookalike.errors import NotFoundError, UsageError
from lookalike.records import Box, SearchOptions, Words
from lookalike.search.queries import Example, Query, Source
from lookalike.sources.paths import AnyPath, as_path, as_source
from lookalike.sources.remote.addresses import is_address, normal
from lookalike.sources.uris import path_of, uri_of
from lookalike.store.filters import Filter, parse_filter

Where = str | Filter | Sequence[str | Filter]
AnyQuery = AnyPath | SupportsIndex | bytes | Words | Example | list[Example] | tuple[Example, ...]
"""A photo's path or bytes, an item's id, words, or weighted examples of these."""

_MOST_EXAMPLES = 32
_LONGEST_KEY = 10_000  # letters of `SearchResult.key`
_MOST_WORDS = 10_000  # letters
_DEEPEST = 100_000  # hits; beyond, the answer is a list of the whole collection


def as_target(given: AnyPath | SupportsIndex) -> Path | int:
    """Return a path, or an item's id from any whole number."""
    if isinstance(given, bool):
        raise UsageError(f"expected a photo's path or an item's id, got {given!r}")
    if isinstance(given, SupportsIndex):
        return operator.index(given)
    return as_path(given)


def as_query(given: AnyQuery) -> Query:
    """Return the examples of a query: at least one, of weight 1 unless they say otherwise."""
    if isinstance(given, list | tuple):
        if not 1 <= len(given) <= _MOST_EXAMPLES:
            raise UsageError(f"a query has 1 to {_MOST_EXAMPLES} examples, got {len(given)}")
        return tuple(_as_example(each) for each in given)
    return (_as_example(given),)


def _as_example(given: AnyPath | SupportsIndex | bytes | Words | Example) -> Example:
    example = given if isinstance(given, Example) else Example(_as_source(given))
    if not (math.isfinite(example.weight) and 0 < abs(example.weight) <= 1000):
        raise UsageError(f"a weight is a number from -1000 to 1000 other than 0, got {example.weight!r}")
    if example.box is not None:
        if isinstance(example.source, Words):
            raise UsageError("a box is a part of a photo; words have none")
        _check_box(example.box)
    return replace(example, source=_as_source(example.source))


def _as_source(given: AnyPath | SupportsIndex | bytes | Words) -> Source:
    if isinstance(given, Words):
        if not given.text.strip() or len(given.text) > _MOST_WORDS:
            raise UsageError(f"words to search by: 1 to {_MOST_WORDS:,} letters")
        return Words(" ".join(given.text.split()))
    if isinstance(given, bytes):
        return given
    return as_target(given)


def _check_box(box: Box) -> None:
    """Refuse a box that is not inside the photo; a little rounding does no harm."""
    inside = (
        box.left >= 0 and box.top >= 0 and box.left + box.width <= 1.0001 and box.top + box.height <= 1.0001
    )
    if not (inside and box.width > 0 and box.height > 0):  # also where one is not a number
        raise UsageError(
            "a box is left, top, width and height as fractions of the photo: from 0 to 1, inside it, got "
            f"{box.left:g}, {box.top:g}, {box.width:g}, {box.height:g}"
        )


def as_count(k: SupportsIndex) -> int:
    """Return how many hits are wanted."""
    if isinstance(k, bool) or not isinstance(k, SupportsIndex):
        raise UsageError(f"k is how many hits to return, a whole number; got {k!r}")
    if operator.index(k) < 1:
        raise UsageError(f"k is how many hits to return: at least 1, got {k}")
    return operator.index(k)


def as_search_options(options: SearchOptions) -> SearchOptions:
    """Return what is wanted, its numbers checked."""
    k = as_count(options.k)
    if options.offset < 0 or (options.offset and options.offset + k > _DEEPEST):
        raise UsageError(f"offset is how many hits to pass over, up to {_DEEPEST:,}; got {options.offset}")
    if options.hybrid and options.rerank:
        raise UsageError("hits are re-ranked by meaning alone: leave out either hybrid or rerank")
    return replace(options, k=k, rerank=False if options.hybrid else options.rerank)


def as_filters(where: Where) -> list[Filter]:
    """Return the conditions; folders are made absolute."""
    given = [where] if isinstance(where, str | Filter) else where
    filters = [each if isinstance(each, Filter) else parse_filter(each) for each in given]
    return [
        replace(each, value=_place_of(each.value)) if each.field == "folder" else each for each in filters
    ]


def _place_of(written: str) -> str:
    source = as_source(path_of(written))
    return source if isinstance(source, str) else uri_of(source)


def ids_of(items: EngineItems, target: AnyPath | SupportsIndex) -> list[int]:
    """Return the items that an id, path or address stands for; a folder stands for all below it."""
    if isinstance(target, str) and is_address(target):
        uri = normal(target)
    else:
        wanted = as_target(target)
        if isinstance(wanted, int):
            return list(items.get([wanted])) or list(items.damaged([wanted]))
        uri = uri_of(wanted)
    item = items.by_uri(uri)
    return [item.id] if item else items.matching([Filter("folder", "=", uri)]).tolist()


def ids_of_all(items: EngineItems, targets: Iterable[AnyPath | SupportsIndex]) -> list[int]:
    """Return the items that the targets stand for, ascending; raises `NotFoundError` for one without."""
    found: set[int] = set()
    for target in targets:
        ids = ids_of(items, target)
        if not ids:
            raise NotFoundError(f"nothing in the collection matches {target}")
        found.update(ids)
    return sorted(found)


def check_vote(query: str, value: int) -> None:
    """Refuse what is no vote."""
    if value not in (1, 0, -1) or not query or len(query) > _LONGEST_KEY:
        raise UsageError(f"a vote is 1, -1 or 0 on a hit of a query; got {value!r} for {query[:80]!r}")
