"""The same items in a folder and in Milvus, and what conditions find in either."""

from __future__ import annotations

import hashlib
import unicodedata

import numpy as np

from lookalike.open_collection import OpenCollection
from lookalike.places import place_of
from lookalike.records import FileStamp, Passage, Photo
from lookalike.store import PhotoBatch
from lookalike.store.text_commit import TextBatch

OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_LETTERS = [
    *"aAbB019_%*?.;-+#[]{}' ",
    "; ",
    '"',
    "\\",
    "é",
    "É",
    "e\u0301",
    "K",
    "\u212a",
    "İ",
    "ß",
    "\U0001f600",
]


def made_up(chance, *, text=False):
    """A short fact of odd letters, or a number, sometimes as text."""
    kind = chance.random()
    if kind < 0.25:
        number = chance.choice([0, 1, 5, -1, 0.5, 1e16, 2**53, 2**53 + 1, 1e-7, 2019])
        return str(number) if text or kind < 0.1 else number
    if kind < 0.3:
        return chance.choice(["true", "FALSE"]) if text else chance.choice([True, False])
    if kind < 0.4:
        return chance.choice(["2019", "2019-06", "2019-06-30T18:05:00", "2020-01-01T00:00:00"])
    made = "".join(chance.choice(_LETTERS) for _ in range(chance.randrange(4)))
    return unicodedata.normalize(chance.choice(["NFC", "NFD"]), made) if "\u212a" not in made else made


def opened_at(place):
    """The engine and the store of a new collection."""
    opened = OpenCollection(place_of(place), None, None, None)
    store = opened.store(create=True)
    return opened.engine(), store


def rows_of(count):
    rows = np.eye(count, 8, dtype=np.float32) + np.float32(0.1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill_with_photos(store, uris, facts):
    """Return the space, and the uri of each item by id."""
    space = store.ensure_space("fake", "ab" * 32, 8)
    photos = [
        Photo(uri, FileStamp(1, 1), b"%032d" % at, None, each)
        for at, (uri, each) in enumerate(zip(uris, facts, strict=True))
    ]
    batch = PhotoBatch(list(zip(photos, rows_of(len(photos)), strict=True)))
    written = store.commit(space, batch, reader="test", is_gone=lambda _: False)
    return space, {each.item_id: each.uri for each in written.committed}


def fill_with_texts(store, uris, facts, further=()):
    """Return the space, and the first uri of each item by id; `further` are the places that come later."""
    space = store.ensure_space("fake", "ab" * 32, 8, kind="text")
    vectors, names = rows_of(len(uris)), {}
    for places in (list(enumerate(uris)), list(further)):
        batch = TextBatch()
        for at, uri in places:
            text = f"text {at}"
            content = hashlib.sha256(text.encode()).digest()
            batch.passages.append((Passage(uri, text, content, FileStamp(6, 1), facts[at]), vectors[at]))
        written = store.commit_texts(space, batch, reader="test", is_gone=lambda _: False)
        for each in written.committed:
            names.setdefault(each.item_id, each.uri)
    return space, names


def check_same(folder, milvus_place, filters, fill):
    """Check that each condition finds the same in both, or is refused by both; returns what each found."""
    found = {}
    for place in (folder / "c.lookalike", milvus_place):
        engine, store = opened_at(place)
        _, names = fill(store)
        for each in filters:
            try:
                ids = engine.items.matching([each]).tolist()
            except Exception as error:  # which must be of the same kind
                found.setdefault(each, []).append(type(error))
            else:
                found.setdefault(each, []).append({names[item_id] for item_id in ids})
    assert {each: both for each, both in found.items() if len(both) == 2 and both[0] != both[1]} == {}
    return {each: both[0] for each, both in found.items() if isinstance(both[0], set)}
