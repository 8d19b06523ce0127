"""An engine that serves only a part, or changes, makes no short export; a damaged row is only left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers import execute
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import UnreachableError
from lookalike.transfer.exporting.run import ExportOptions, export_vectors


class _Part:
    """Stands for another thing, but for what is named."""

    def __init__(self, of, **named):
        self._of = of
        self.__dict__ |= named

    def __getattr__(self, name):
        return getattr(self._of, name)


class _Remote(_Part):
    """A store that is on no disk of this machine, and serves its first `rows` only while it is asked so."""

    def __init__(self, store, *, counts, rows, lacks=()):
        super().__init__(store, folder=None)
        self._counts, self._rows = list(counts), rows
        self.items = _Part(
            store.items,
            get=lambda ids: {id_: it for id_, it in store.items.get(ids).items() if id_ not in lacks},
        )

    def vectors(self, space):
        vectors = self._of.vectors(space)
        return _Part(
            vectors,
            count=lambda: self._counts.pop(0),
            blocks=lambda size: (
                replace(block, ids=block.ids[: self._rows], rows=block.rows[: self._rows])
                for block in vectors.blocks(size)
            ),
        )


@pytest.fixture
def collection(tmp_path, make_photo):
    for seed in range(8):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        yield collection


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        ((8, 8, 8), 5),  # it went and came back in between
        ((5, 5, 8), 5),  # it has come back
        ((8, 8, 5), 8),  # it has just gone
        ((8, 8, 9), 8),  # another process has added one
        ((0, 0, 8), 0),
    ],
)
def test_no_short_export_is_made(collection, tmp_path, counts, rows):
    store = _Remote(collection._opened.store(), counts=counts, rows=rows)
    with pytest.raises(UnreachableError, match=r"is served only in part just now.*run it again"):
        export_vectors(store, collection.spaces()[0], tmp_path / "out", ExportOptions(jsonl=True))
    assert not (tmp_path / "out").exists()


def test_items_that_are_not_served_are_not_taken_for_damaged(collection, tmp_path):
    store = collection._opened.store()
    remote = _Remote(store, counts=(8, 8, 8), rows=8, lacks={collection.items()[2].id})
    with pytest.raises(UnreachableError, match="is served only in part"):
        export_vectors(remote, collection.spaces()[0], tmp_path / "out", ExportOptions(jsonl=True))


def test_damaged_rows_are_left_out_as_before(collection, tmp_path):
    ids = [item.id for item in collection.items()]
    collection.close()
    execute(
        collection.path,
        f"UPDATE vectors_1 SET vector = zeroblob(length(vector)) WHERE item_id = {ids[1]}",
        f"UPDATE items SET size = size + 1 WHERE id = {ids[2]}",
    )
    remote = _Remote(collection._opened.store(), counts=(8, 8, 8), rows=8)
    report = export_vectors(remote, collection.spaces()[0], tmp_path / "out", ExportOptions(jsonl=True))
    assert (report.rows, set(report.left_out)) == (6, {ids[1], ids[2]})


def test_a_collection_in_a_folder_is_exported_as_it_is(collection, tmp_path):
    store = _Remote(collection._opened.store(), counts=(8, 8, 9), rows=8)
    store.folder = tmp_path
    assert export_vectors(store, collection.spaces()[0], tmp_path / "out").rows == 8
