"""The first bytes of the store's file: whatever bit of them is flipped, its rows are had back."""

from __future__ import annotations

import shutil

import pytest

from helpers import CountingDecoder, rows_of
from lookalike import Collection
from lookalike.embed.fake import FakeEmbedder
from lookalike.errors import LookalikeError, NewerFormatError, NotACollectionError
from lookalike.ingest.fill import FillContext, fill_photos
from lookalike.store.header import is_damaged_header

pytest_plugins = ["store_fixtures"]

FORMAT = {63}  # no one can tell the flip of its low bits from a newer format


def opened(folder):
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.fixture
def filled(photos, watched):
    watched.add(photos)
    watched.collection.close()
    return watched.collection.path


def test_every_byte_of_it(filled, tmp_path):
    content, copy = (filled / "store.sqlite").read_bytes(), tmp_path / "copy.lookalike"
    for at in [each for each in range(100) if each not in FORMAT]:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(filled, copy)
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
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


def test_a_format_that_may_be_newer_is_refused_and_kept(filled):
    store = filled / "store.sqlite"
    content = bytearray(store.read_bytes())
    content[63] ^= 8
    store.write_bytes(content)
    with opened(filled) as collection, pytest.raises(NewerFormatError):
        collection.verify(repair=True)
    assert store.read_bytes() == content


@pytest.mark.parametrize("bit", [6, 7])
def test_a_format_that_is_none_is_damage(filled, bit):
    store = filled / "store.sqlite"
    content = bytearray(store.read_bytes())
    content[63] ^= 1 << bit
    store.write_bytes(content)
    with opened(filled) as collection:
        assert collection.verify(repair=True).sound
        assert len(rows_of(collection)) == 6


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
