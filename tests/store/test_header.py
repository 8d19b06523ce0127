"""The first bytes of the store's file: whatever bit of them is flipped, its rows are had back."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from contextlib import closing

import pytest

from helpers import CountingDecoder, execute, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError, LookalikeError, NewerFormatError, NotACollectionError
from lookalike.ingest.fill import FillContext, fill_photos
from lookalike.store import schema
from lookalike.store.header import is_damaged_header
from lookalike.store.schema import FORMAT

pytest_plugins = ["store_fixtures"]


def opened(folder):
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.fixture
def filled(photos, watched):
    watched.add(photos)
    watched.collection.close()
    return watched.collection.path


def test_every_byte_of_it(filled, tmp_path):
    content, copy = (filled / "store.sqlite").read_bytes(), tmp_path / "copy.lookalike"
    flips = [(at, at % 8) for at in range(100)] + [(at, bit) for at in (18, 19) for bit in range(8)]
    for at, bit in flips:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(filled, copy)
        changed = bytearray(content)
        changed[at] ^= 1 << bit
        (copy / "store.sqlite").write_bytes(changed)
        with opened(copy) as collection:
            try:
                sound = collection.verify().sound
            except LookalikeError as error:
                sound = False
                assert "verify --repair" in str(error), at
            if not sound:
                assert collection.verify(repair=True).sound, at
            assert len(rows_of(collection)) == 6, at
            assert len(collection.search(1, 5)) == 5, at


def with_format(store, number):
    content = bytearray(store.read_bytes())
    content[60:64] = number.to_bytes(4, "big")
    store.write_bytes(content)
    return content


def test_a_newer_format_is_refused_and_kept(filled):
    """Whatever a newer one changes, its tables are others."""
    store = filled / "store.sqlite"
    execute(filled, "CREATE TABLE more (id INTEGER PRIMARY KEY)")
    content = with_format(store, FORMAT + 1)
    with opened(filled) as collection, pytest.raises(NewerFormatError):
        collection.verify(repair=True)
    assert store.read_bytes() == content


@pytest.mark.parametrize("number", [each for bit in range(32) if (each := FORMAT ^ (1 << bit))] + [0, 2, 3])
def test_a_format_that_the_tables_are_not_of_is_damage(filled, number):
    """Older ones would be brought to this format once more, newer ones refused."""
    with_format(filled / "store.sqlite", number)
    with opened(filled) as collection:
        with pytest.raises(DamagedError, match="verify --repair"):
            collection.search(1, 5)
        assert collection.verify(repair=True).sound
        assert len(rows_of(collection)) == 6
        assert len(collection.search(1, 5)) == 5


def test_no_two_formats_have_the_same_tables():
    """Else a flipped number could not be told from another format."""
    seen = []
    for number in range(1, FORMAT + 1):
        with closing(sqlite3.connect(":memory:")) as connection:
            schema.add_functions(connection)
            for script in schema.MIGRATIONS[:number]:
                schema.run_script(connection, script)
            seen.append(sorted(connection.execute("SELECT name, sql FROM sqlite_master").fetchall()))
    assert all(one != other for one, other in itertools.pairwise(seen))


def test_another_programs_file_is_not_taken_for_a_damaged_store(filled):
    store = filled / "store.sqlite"
    content = bytearray(store.read_bytes())
    content[68:72] = b"fslp"
    store.write_bytes(content)
    with opened(filled) as collection, pytest.raises(NotACollectionError):
        collection.verify(repair=True)
    store.write_bytes(b"\x89PNG" + bytes(200))
    assert not is_damaged_header(store)


def test_the_default_model_is_not_dropped_though_another_process_has_just_made_it_that(filled):
    with opened(filled) as one, opened(filled) as other:
        spec = FakeEmbedder(name="b").spec
        store = one._opened.store()
        space = store.ensure_space(spec.name, spec.model_id, spec.dim)
        fill_photos(FillContext(store, space, one._opened.decoder, FakeEmbedder(name="b"), lambda *_: None))
        other._opened.store().use_space(space)
        with pytest.raises(LookalikeError, match="is the default"):
            store.drop_space(space)  # which believes that it is not
        first = next(each for each in store.spaces() if each.name != "b")
        store.use_space(first)
        store.drop_space(space)
        with pytest.raises(LookalikeError, match="was dropped meanwhile"):
            other._opened.store().use_space(space)
        assert sum(each.is_default for each in store.spaces()) == 1


def test_a_model_that_lacks_items_is_not_made_the_default(filled):
    with opened(filled) as collection:
        spec = FakeEmbedder(name="b").spec
        store = collection._opened.store()
        space = store.ensure_space(spec.name, spec.model_id, spec.dim)
        with pytest.raises(LookalikeError, match="6 items have no vector by b"):
            store.use_space(space)  # as one whose look was long ago
        with pytest.raises(LookalikeError, match="6 items have no vector by b"):
            collection.use_model("b")
