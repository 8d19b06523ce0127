"""Rows out of their order, as a damaged page has them: reading on behind the last one ends."""

from __future__ import annotations

from contextlib import suppress

import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError, LookalikeError

pytest_plugins = ["store_fixtures"]

PAGE = 4096


def swapped(content: bytearray, root: int) -> bytearray:
    """Let the last place of a page of rows say what the first one does."""
    at = (root - 1) * PAGE
    assert content[at] == 13
    cells = int.from_bytes(content[at + 3 : at + 5], "big")
    last = at + 8 + 2 * (cells - 1)
    content[last : last + 2] = content[at + 8 : at + 10]
    return content


@pytest.fixture(params=["items", "vectors_1"])
def disordered(request, photos, watched):
    watched.add(photos)
    store = watched.collection._opened.store()
    sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
    ((root,),) = store.database.fetch(sql, (request.param,))
    watched.collection.close()
    file = watched.collection.path / "store.sqlite"
    file.write_bytes(swapped(bytearray(file.read_bytes()), root))
    return watched.collection.path


def test_every_way_of_reading_ends(disordered, photos):
    def listed(collection):
        after = 0
        for _ in range(20):  # as programs and the page go on
            found = collection.items(after=after, limit=4)
            if not found:
                return
            after = found[-1].id
        raise AssertionError("it does not end")

    with Collection(disordered, embedder=FakeEmbedder()) as collection:
        reads = [
            listed,
            lambda c: list(c._opened.store().items.pages()),
            lambda c: list(c._opened.store().vectors(c._opened.store().default_space()).blocks(2)),
            lambda c: c._opened.store().items.matching((), limit=4),
            lambda c: c.search(2, 4),
            lambda c: c.verify(files=True),
            lambda c: c.relocate(photos, photos.parent / "elsewhere"),
        ]
        for read in reads:
            try:
                read(collection)
            except LookalikeError as error:
                assert "verify --repair" in str(error) or "damaged" in str(error), error
        with suppress(DamagedError):
            assert not collection.verify().sound
        assert collection.verify(repair=True).sound
        collection.add(photos)  # for the row that nothing leads to any more
        assert len(collection.items()) == 6
        assert len(collection.search(2, 5)) == 5
