"""Bring a photo or a text; get the most similar ones in your collection, at once, with nothing sent anywhere.

A collection is a folder that you fill once and search as often as you like:

>>> from lookalike import Collection, Example, Words
>>> photos = Collection("photos.lookalike")
>>> photos.add("~/Pictures")                          # again later: only what is new is read
>>> hits = photos.search("holiday.jpg", k=8)          # a path, bytes, a picture of Pillow, an array of pixels
>>> for hit in hits:
...     print(f"{hit.score:.3f}", hit.uri)            # cosine similarity: 1 is the same photo

A query can be an item of the collection, words, a vector, or several weighted examples:

>>> photos.search(hits[0])
>>> photos.search(Words("a red car in the snow"))
>>> photos.search([Example("a.jpg"), Example("b.jpg", weight=-0.5)], where="taken>=2019")
>>> photos.search_many(["a.jpg", "b.jpg"])            # many queries, several times as fast as one by one

Items can be walked through, counted and put into tables, and their vectors taken along:

>>> len(photos), [item.uri for item in photos][:3]
>>> photos.items(where="camera=canon*", limit=1000).to_pandas()
>>> photos.vectors()                                  # float32 (n, dim), unit length, by ascending id

The same photo twice, however it was edited, cropped or turned (close looks need the extra `copies`):

>>> for group in photos.copies().groups:
...     print(group.best.uri, group.why_best, [(copy.item.uri, copy.how) for copy in group.copies])

Texts work the same way: `Collection("texts.lookalike").add("tweets.csv", column="text")`. Vectors without a
collection: `lookalike.embed`. A widget for notebooks: `lookalike.notebook.browse`. Calls block and may come
from several threads at once; in asyncio, `await asyncio.to_thread(photos.search, "a.jpg")`.

Every error that is the caller's or the data's is a `LookalikeError` whose text says what is wrong.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime's official builds note each run under a device id and send that to their maker (since 1.29 on
# Linux and macOS, too). It reads this when it is first imported: then it makes no note and sends nothing.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.copies.groups import CopiesReport, Copy, CopyGroup
    from lookalike.datasets.demo import demo_photos
    from lookalike.decisions import Decision
    from lookalike.decode.tables import ReadAs
    from lookalike.direct import embed
    from lookalike.errors import LookalikeError, NotFoundError, QueryError, UsageError
    from lookalike.listed import Items
    from lookalike.records import Box, Hit, Item, SearchOptions, SearchResult, Skipped, Space, Words
    from lookalike.reports import AddReport, Info
    from lookalike.search.queries import Example, Vector
    from lookalike.store.filters import Filter
    from lookalike.upkeep.verify import VerifyReport

__version__ = "0.1.0"
__all__ = [
    "AddReport",
    "Box",
    "Collection",
    "CopiesReport",
    "Copy",
    "CopyGroup",
    "Decision",
    "Example",
    "Filter",
    "Hit",
    "Info",
    "Item",
    "Items",
    "LookalikeError",
    "NotFoundError",
    "QueryError",
    "ReadAs",
    "SearchOptions",
    "SearchResult",
    "Skipped",
    "Space",
    "UsageError",
    "Vector",
    "VerifyReport",
    "Words",
    "__version__",
    "demo_photos",
    "embed",
]

_HOMES = {
    "Collection": "lookalike.collection",
    "LookalikeError": "lookalike.errors",
    "NotFoundError": "lookalike.errors",
    "QueryError": "lookalike.errors",
    "UsageError": "lookalike.errors",
    "CopiesReport": "lookalike.copies.groups",
    "Copy": "lookalike.copies.groups",
    "CopyGroup": "lookalike.copies.groups",
    "Decision": "lookalike.decisions",
    "Items": "lookalike.listed",
    "Vector": "lookalike.search.queries",
    "Space": "lookalike.records",
    "embed": "lookalike.direct",
    "demo_photos": "lookalike.datasets.demo",
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


def __dir__() -> list[str]:
    return __all__
