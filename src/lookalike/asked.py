"""What callers hand in, checked and made uniform before anything is touched."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import SupportsIndex

from lookalike.errors import UsageError
from lookalike.search import Query
from lookalike.sources import uri_of
from lookalike.store.filters import Filter, parse_filter

AnyPath = str | PathLike[str]
Where = str | Filter | Sequence[str | Filter]


def as_path(given: AnyPath) -> Path:
    """Return a path; in text, a leading ~ is the home folder. An empty text is no path but a mistake.

    A shell expands ~ itself, so the faces hand in `Path` objects, which are taken as they are.
    """
    try:
        text = fspath(given)
    except TypeError:
        raise UsageError(f"expected a path, got {given!r}") from None
    if not isinstance(text, str) or not text:
        raise UsageError(f"expected a path, got {text!r}")
    if isinstance(given, str) and (text == "~" or text.startswith(("~/", "~\\"))):
        return Path(text).expanduser()
    return Path(given)


def as_query(given: AnyPath | SupportsIndex) -> Query:
    """Return the path of a photo, or an item's id from any whole number."""
    if isinstance(given, bool):
        raise UsageError(f"expected a photo's path or an item's id, got {given!r}")
    if isinstance(given, SupportsIndex):
        return operator.index(given)
    return as_path(given)


def as_count(k: SupportsIndex) -> int:
    """Return how many hits are wanted."""
    if isinstance(k, bool) or not isinstance(k, SupportsIndex):
        raise UsageError(f"k is how many hits to return, a whole number; got {k!r}")
    if operator.index(k) < 1:
        raise UsageError(f"k is how many hits to return: at least 1, got {k}")
    return operator.index(k)


def as_filters(where: Where) -> list[Filter]:
    """Return the conditions; folders are made absolute."""
    given = [where] if isinstance(where, str | Filter) else where
    filters = [each if isinstance(each, Filter) else parse_filter(each) for each in given]
    return [
        replace(each, value=uri_of(as_path(each.value))) if each.field == "folder" else each
        for each in filters
    ]
