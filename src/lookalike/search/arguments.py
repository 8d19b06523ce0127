"""What callers hand in, checked and made uniform before anything is touched."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from lookalike.engine.protocol import EngineItems
from lookalike.errors import NotFoundError, UsageError
from lookalike.records import Box, Hit, Item, SearchOptions, Words
from lookalike.search.in_memory import as_vector_or_photo, is_picture, photo_of_picture
from lookalike.search.queries import Example, Query, Source, Vector
from lookalike.sources.paths import AnyPath, as_path, as_source
from lookalike.sources.remote.addresses import is_address, normal
from lookalike.sources.uris import path_of, uri_of
from lookalike.store.filters import Filter, parse_filter

Where = str | Filter | Sequence[str | Filter]
AnySource = AnyPath | SupportsIndex | bytes | Words | Item | Hit | Vector | Any
"""A photo's path or bytes, a picture of Pillow, an array; an item, a hit or an id; words; a vector."""
AnyQuery = AnySource | Example | list[Example] | tuple[Example, ...]
"""One of these, or weighted examples of them."""

_MOST_EXAMPLES = 32
_LONGEST_KEY = 10_000  # letters of `SearchResult.key`
_MOST_WORDS = 10_000  # letters
_DEEPEST = 100_000  # hits; beyond, the answer is a list of the whole collection


def as_target(given: AnyPath | SupportsIndex) -> Path | int:
    """Return a path, or an item's id from any whole number."""
    if isinstance(given, bool):
        raise UsageError(f"expected a photo's path or an item's id, got {given!r}")
    return operator.index(given) if isinstance(given, int | SupportsIndex) else as_path(given)


def as_query(given: AnyQuery) -> Query:
    """Return the examples of a query: at least one, of weight 1 unless they say otherwise."""
    if isinstance(given, list | tuple):
        if not 1 <= len(given) <= _MOST_EXAMPLES:
            raise UsageError(f"a query has 1 to {_MOST_EXAMPLES} examples, got {len(given)}")
        return tuple(_as_example(each) for each in given)
    return (_as_example(given),)


def _as_example(given: AnySource | Example) -> Example:
    example = given if isinstance(given, Example) else Example(_as_source(given))
    if not (math.isfinite(example.weight) and 0 < abs(example.weight) <= 1000):
        raise UsageError(f"a weight is a number from -1000 to 1000 other than 0, got {example.weight!r}")
    example = replace(example, source=_as_source(example.source))
    if example.box is not None:
        if isinstance(example.source, Words | Vector):
            raise UsageError("a box is a part of a photo; words and vectors have none")
        _check_box(example.box)
    return example


def _as_source(given: AnySource) -> Source:
    if isinstance(given, Words):
        if not given.text.strip() or len(given.text) > _MOST_WORDS:
            raise UsageError(f"words to search by: 1 to {_MOST_WORDS:,} letters")
        return Words(" ".join(given.text.split()))
    if isinstance(given, Item | Hit):
        return given.id
    if isinstance(given, Vector | np.ndarray) or (hasattr(given, "__array__") and not _is_number(given)):
        made = as_vector_or_photo(given.row if isinstance(given, Vector) else given)
        return made if isinstance(made, bytes) else Vector(made)
    if is_picture(given):
        return photo_of_picture(given)
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given)
    if isinstance(given, str | PathLike) or _is_number(given):
        return as_target(given)
    raise UsageError(
        "a query is a photo (its path, its bytes, a picture of Pillow, an array of pixels), an item, a hit "
        f"or an id, Words, or a vector; got {reprlib.repr(given)} of type {type(given).__name__}"
    )


def _is_number(given: object) -> bool:
    return isinstance(given, int) or (isinstance(given, SupportsIndex) and not isinstance(given, np.ndarray))


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
    if options.any_way_up and (options.hybrid or options.rerank):
        raise UsageError("any way up, hits are ordered by their scores: leave out hybrid and rerank")
    is_by_score = options.hybrid or options.any_way_up
    return replace(options, k=k, rerank=False if is_by_score else options.rerank)


def as_filters(where: Where) -> list[Filter]:
    """Return the conditions; folders are made absolute."""
    given = [where] if isinstance(where, str | Filter) else where
    if not isinstance(given, Iterable) or not all(isinstance(each, str | Filter) for each in given):
        raise UsageError(f"conditions are text such as 'taken>=2019', one or a list of them; got {given!r}")
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
