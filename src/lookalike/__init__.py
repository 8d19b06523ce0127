"""Bring a photo; get the most similar ones in your collection, at once, with nothing sent anywhere.

>>> from lookalike import Collection
>>> collection = Collection("photos.lookalike")
>>> collection.add("~/Pictures")
>>> collection.search("holiday.jpg", k=8)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime's official builds note each run under a device id and send that to their maker (since 1.29 on
# Linux and macOS, too). It reads this when it is first imported: then it makes no note and sends nothing.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.decode.tables import ReadAs
    from lookalike.errors import LookalikeError
    from lookalike.records import Box, Hit, Item, SearchOptions, SearchResult, Skipped, Words
    from lookalike.reports import AddReport, Info
    from lookalike.search.queries import Example
    from lookalike.store.filters import Filter
    from lookalike.upkeep.verify import VerifyReport

__version__ = "0.1.0"
__all__ = [
    "AddReport",
    "Box",
    "Collection",
    "Example",
    "Filter",
    "Hit",
    "Info",
    "Item",
    "LookalikeError",
    "ReadAs",
    "SearchOptions",
    "SearchResult",
    "Skipped",
    "VerifyReport",
    "Words",
    "__version__",
]

_HOMES = {
    "Collection": "lookalike.collection",
    "LookalikeError": "lookalike.errors",
    "AddReport": "lookalike.reports",
    "Box": "lookalike.records",
    "Example": "lookalike.search.queries",
    "Filter": "lookalike.store.filters",
    "Hit": "lookalike.records",
    "Info": "lookalike.reports",
    "Item": "lookalike.records",
    "ReadAs": "lookalike.decode.tables",
    "SearchResult": "lookalike.records",
    "SearchOptions": "lookalike.records",
    "Words": "lookalike.records",
    "Skipped": "lookalike.records",
    "VerifyReport": "lookalike.upkeep.verify",
}


def __getattr__(name: str) -> Any:
    """Import on first use: decode workers import this package too and need none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    from importlib import import_module  # deferred with the rest

    return getattr(import_module(_HOMES[name]), name)
