"""Holds the files of all items against what was read of them, whatever their size and time say."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice

from lookalike.decode.texts import TextFile
from lookalike.embedders import TextEmbedder
from lookalike.errors import LookalikeError
from lookalike.files import open_bytes
from lookalike.ingest.texts import local_path, read_before
from lookalike.open_collection import OpenCollection
from lookalike.records import Item, Skipped
from lookalike.sources.uris import is_fetched, path_of
from lookalike.store import Store
from lookalike.store.text_files import contents_at, count_in, count_skipped, text_files
from lookalike.upkeep.verify import Damage

_BLOCK = 1 << 20  # bytes
_PAGE = 500  # passages
GONE, DIFFERS = "it is gone", "it is not what was read; read it again with: lookalike add --afresh"


def check_files(opened: OpenCollection) -> Iterator[Damage]:
    """Yield the files of items that differ from what was read, are gone or cannot be read.

    Photos are held against the sha256 of their file, texts against those of all passages of theirs. Items
    that came without a file, by an import, have none to check.
    """
    store = opened.local_engine("verify", "Milvus has its own tools for that").store
    space = store.default_space()
    if space is None:
        return
    if space.kind == "photo":
        for page in store.items.pages():
            yield from (damage for item in page if (damage := _photo_damage(item)) is not None)
            yield from _fetched_damage([item for item in page if is_fetched(item.uri) and item.stamp.size])
        return
    embedder = opened.embedder_of(space)
    assert isinstance(embedder, TextEmbedder)  # what embeds texts
    for uri, column, manner in text_files(store.database):
        try:
            with local_path(uri) as path:
                file = TextFile(path, uri, column, embedder.reach, read_as=read_before(manner))
                problem = _texts_problem(store, file)
        except (LookalikeError, OSError) as error:
            problem = _problem(error)
        if problem is not None:
            yield Damage("file", problem, uri=uri)


def _photo_damage(item: Item) -> Damage | None:
    path = path_of(item.uri)
    if not os.path.isabs(path) or is_fetched(item.uri):  # noqa: PTH117  # or a name that came without its file
        return None
    digest = hashlib.sha256()
    try:
        with open_bytes(path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except (OSError, ValueError) as error:
        return Damage("file", _problem(error), item.id, item.uri)
    return None if digest.digest() == item.content_hash else Damage("file", DIFFERS, item.id, item.uri)


def _fetched_damage(items: list[Item]) -> Iterator[Damage]:
    """Yield what differs of items that lie in remote places, shards or tables."""
    if not items:
        return
    from lookalike.sources.remote.reading import ObjectRequest, read_objects  # loads much

    found = read_objects(ObjectRequest(item.uri, item.stamp) for item in items)
    for item, content in zip(items, found, strict=True):
        if isinstance(content, Skipped):
            yield Damage("file", f"it cannot be read: {content.reason}", item.id, item.uri)
        elif hashlib.sha256(content).digest() != item.content_hash:
            yield Damage("file", DIFFERS, item.id, item.uri)


def _texts_problem(store: Store, file: TextFile) -> str | None:
    """Say what is wrong with a file of texts; None where it holds just what was read."""
    passages = file.passages()
    database = store.database
    left = count_in(database, file.uri)
    try:
        while page := list(islice(passages, _PAGE)):
            known = contents_at(database, [passage.uri for passage in page])
            if any(known.get(each.uri, each.content_hash) != each.content_hash for each in page):
                return DIFFERS
            left -= len(known)
            unknown = [each.uri for each in page if each.uri not in known]
            if len(unknown) > count_skipped(database, unknown):
                return DIFFERS
    except (LookalikeError, OSError, ValueError) as error:
        return _problem(error)
    return DIFFERS if left else None


def _problem(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return GONE
    return f"it cannot be read: {(error.strerror if isinstance(error, OSError) else None) or error}"
