"""Pictures for a notebook: hits as one contact sheet, and photos by their address."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import SupportsIndex

import anyio
from PIL import Image

from lookalike.collection import Collection
from lookalike.errors import UsageError
from lookalike.faces.server.fetch import Fetcher
from lookalike.faces.sheet import Cell, make_sheet
from lookalike.records import Hit, Item
from lookalike.sources.paths import AnyPath


def show(
    collection: Collection, found: Iterable[Hit | Item], *queries: AnyPath | SupportsIndex | bytes
) -> Image.Image:
    """Return hits or items as one picture, which a notebook shows: the queries first, in blue frames.

    Below each are its score and its name. A photo that cannot be read any more is an empty frame. Raises
    `UsageError` for a collection of texts, and where there is nothing to show.
    """
    if collection.kind == "text":
        raise UsageError("these are texts: print hit.text")
    cells = [Cell(collection.thumbnail(query), "query", "", is_query=True) for query in queries]
    for one in found:
        title = f"{one.score:.3f}" if isinstance(one, Hit) else ""
        cells.append(Cell(collection.thumbnail(one.id), title, Path(one.uri).name))
    if not cells:
        raise UsageError("there is nothing to show")
    return make_sheet([cells])


def fetch_photo(address: str) -> bytes:
    """Return the bytes of the picture at a public http or https address, to search by.

    Within limits of size and time, and never from an address of a private network. Raises `FetchError`.
    """
    with ThreadPoolExecutor(1) as pool:  # a notebook's own thread runs an event loop already
        return pool.submit(anyio.run, Fetcher().fetch, address).result()
