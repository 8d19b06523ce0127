"""The picture of an item, as the decode workers are asked for it: wherever its file lies."""

from __future__ import annotations

from lookalike.decode.requests import ThumbnailRequest
from lookalike.errors import NotFoundError
from lookalike.records import Item
from lookalike.sources.recorded import read_recorded
from lookalike.sources.uris import is_fetched, path_of


def picture_request(item: Item, longest: int) -> ThumbnailRequest | None:
    """Return how an item's picture is made small; None where what lies in a far place cannot be had."""
    content = None
    if is_fetched(item.uri):
        try:
            content = read_recorded(item)
        except NotFoundError:
            return None
    return ThumbnailRequest(path_of(item.uri), longest, content, item.content_hash)
