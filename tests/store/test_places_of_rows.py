"""Rows that changed places, and the rows of the store's books: whatever is not what was written is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers import CountingDecoder, execute, select
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import LookalikeError
from text_helpers import write_csv

pytest_plugins = ["store_fixtures"]

SWAP = (
    "UPDATE {table} SET {cells} FROM (SELECT * FROM {table}) AS o "
    "WHERE {table}.{key} IN (2, 3) AND o.{key} = 5 - {table}.{key}"
)


def swapped(table: str, key: str, *cells: str) -> str:
    return SWAP.format(table=table, key=key, cells=", ".join(f"{cell} = o.{cell}" for cell in cells))


@pytest.fixture
def filled(photos, watched):
    watched.add(photos)
    watched.collection.close()
    return watched.collection.path


def opened(folder):
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.mark.parametrize("cells", [("vector",), ("vector", "checksum"), ("vector", "checksum", "seq")])
def test_vectors_in_each_others_place_are_named_and_restored(filled, cells):
    before = select(filled, "SELECT * FROM vectors_1")
    execute(filled, swapped("vectors_1", "item_id", *cells))
    assert select(filled, "SELECT * FROM vectors_1") != before
    with opened(filled) as collection:
        assert {each.item_id for each in collection.verify().damage} == {2, 3}
        assert set(collection.search(1, 6).damaged) == {2, 3}
        assert collection.verify(repair=True).sound
    after = select(filled, "SELECT item_id, checksum, vector FROM vectors_1")
    assert after == [(row[0], row[2], row[3]) for row in before]


def test_items_in_each_others_place_are_named(filled):
    cells = ("content_hash", "size", "mtime_ns", "metadata", "checksum")
    execute(filled, swapped("items", "id", *cells))
    with opened(filled) as collection:
        assert {each.item_id for each in collection.verify().damage} == {2, 3}


def test_vectors_of_another_space_are_named(filled):
    with opened(filled) as collection:
        spec = FakeEmbedder(name="other").spec
        store = collection._opened.store()
        store.ensure_space(spec.name, spec.model_id, spec.dim)
    execute(filled, "INSERT INTO vectors_2 SELECT * FROM vectors_1")
    with opened(filled) as collection:
        names = [each.what for each in collection.verify().damage]
    assert len(names) == 6 and all(name.endswith("in other") for name in names)


def test_a_dropped_space_leaves_its_number_to_nobody(filled):
    with opened(filled) as collection:
        store = collection._opened.store()
        numbers = []
        for name in ("b", "c"):
            spec = FakeEmbedder(name=name).spec
            space = store.ensure_space(spec.name, spec.model_id, spec.dim)
            numbers.append(space.id)
            store.drop_space(space)
    assert numbers == [2, 3]


def test_a_model_that_another_process_drops_is_no_damage(filled):
    with opened(filled) as one, opened(filled) as other:
        spec = FakeEmbedder(name="b").spec
        store = one._opened.store()
        space = store.ensure_space(spec.name, spec.model_id, spec.dim)
        vectors = store.vectors(space)
        other.drop_model("b")
        for ask in (vectors.count, vectors.ids, lambda: vectors.fetch([1]), lambda: store.fill(space, [])):
            try:
                ask()
            except LookalikeError as error:
                assert "was dropped" in str(error) and "damaged" not in str(error)
        assert one.verify().sound and len(one.search(1, 5)) == 5


ACTS = (
    lambda collection, _: collection.search(1, 3),
    lambda collection, source: collection.add(source),
    lambda collection, _: collection.info(),
    lambda collection, _: collection.facets(),
    lambda collection, _: collection.votes(),
    lambda collection, _: collection.verify(),
    lambda collection, _: collection.verify(repair=True),
    lambda collection, source: collection.add(source),
)
VALUES = ("NULL", "x'ff00'", "'words'", "-1", "1e300")
MUTATIONS = ("DELETE FROM {table}", *(f"UPDATE {{table}} SET {{cell}} = {value}" for value in VALUES))


def tables(folder) -> list[tuple[str, str]]:
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'table' "
        "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'text_words*'"
    )
    return [
        (table, cell)
        for (table,) in select(folder, names)
        for cell in [row[1] for row in select(folder, f"PRAGMA table_info({table})")]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["photos", "texts"])
def test_whatever_a_row_says_it_is_answered_or_named_and_never_unexpected(filled, photos, tmp_path, kind):
    """Every column of every table, emptied or filled with what does not belong there."""
    source, folder = photos, filled
    if kind == "texts":
        from lookalike.embedders.fake import FakeTextEmbedder

        source, folder = (
            write_csv(tmp_path / "t.csv", [f"text {n}" for n in range(6)]),
            tmp_path / "t.lookalike",
        )
        with Collection(folder, embedder=FakeTextEmbedder()) as collection:
            collection.add(source)

    def collection_of():
        if kind == "texts":
            return Collection(folder, embedder=FakeTextEmbedder())
        return opened(folder)

    whole = (folder / "store.sqlite").read_bytes()
    tried = 0
    for table, cell in tables(folder):
        for mutation in MUTATIONS:
            if mutation.startswith("DELETE") and cell != tables_first(folder, table):
                continue
            for beside in folder.glob("store.*"):
                beside.unlink()
            (folder / "store.sqlite").write_bytes(whole)
            with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
                try:
                    connection.execute(mutation.format(table=table, cell=cell))
                except sqlite3.DatabaseError:
                    continue  # the schema does not let it
                connection.commit()
            tried += 1
            done = mutation.format(table=table, cell=cell)
            for act in ACTS:
                with collection_of() as collection:
                    try:
                        act(collection, source)
                    except LookalikeError:
                        pass
                    except Exception as error:
                        raise AssertionError(f"{done}: {error!r}") from error
            with collection_of() as collection:
                assert collection.verify().sound, done
                assert collection.info().items == 6, done
    assert tried > 60


def tables_first(folder, table: str) -> str:
    return select(folder, f"PRAGMA table_info({table})")[0][1]
