"""What was killed while it made a collection, or unloaded by someone, is gone on with."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakePairedEmbedder
from lookalike.engine.milvus.address import parse_address
from lookalike.engine.milvus.client import MilvusConnection
from lookalike.errors import LookalikeError, UnreachableError

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(6):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    return tmp_path / "photos"


@pytest.mark.parametrize("call", ["create_index", "load_collection"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_collection_that_was_made_in_part_is_finished(milvus_place, photos, monkeypatch, call, at):
    """Interrupted while it makes the books, or while it makes the first space."""
    from pymilvus import MilvusClient

    made = getattr(MilvusClient, call)
    calls = []

    def interrupted(self, name, *more, **options):
        calls.append(name)
        if len(set(calls)) == at:
            raise RuntimeError("interrupted")
        return made(self, name, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MilvusClient, call, interrupted)
        with (
            Collection(milvus_place, embedder=FakeEmbedder()) as collection,
            pytest.raises(LookalikeError),
        ):
            collection.add(photos)
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        assert collection.add(photos).added == 6
        assert len(collection.search(photos / "1.png", 3)) == 3


@pytest.mark.parametrize("interrupted_at", ["default", "companion"])
def test_a_changed_photo_has_its_new_vector_in_every_space(
    milvus_place, photos, monkeypatch, make_photo, interrupted_at
):
    """Whatever is interrupted: the next run reads the file again, until all spaces show what it holds."""
    with Collection(milvus_place, embedder=FakePairedEmbedder()) as collection:
        collection.add(photos)
        spaces = {space.is_default: space for space in collection.spaces()}
        doomed = collection.engine.vectors(spaces[interrupted_at == "default"]).name
    make_photo(photos / "2.png", 77)
    upsert = MilvusConnection.upsert

    def interrupted(self, name, rows, **more):
        if name == doomed and rows:
            raise UnreachableError("interrupted")
        upsert(self, name, rows, **more)

    with monkeypatch.context() as patch:
        patch.setattr(MilvusConnection, "upsert", interrupted)
        with Collection(milvus_place, embedder=FakePairedEmbedder()) as it, pytest.raises(UnreachableError):
            it.add(photos)
    with Collection(milvus_place, embedder=FakePairedEmbedder()) as collection:
        collection.add(photos)
        item = collection.engine.items.by_uri(str(photos / "2.png"))
        with Collection(photos.parent / "c.lookalike", embedder=FakePairedEmbedder()) as other:
            other.add(photos / "2.png")
            for space, same in zip(collection.spaces(), other.spaces(), strict=True):
                found = collection.engine.vectors(space).fetch([item.id]).rows
                assert np.array_equal(found, other.engine.vectors(same).fetch([1]).rows), space.name


def test_what_someone_unloaded_is_loaded_again(milvus_place, photos):
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        collection.add(photos)
    connection = MilvusConnection(parse_address(milvus_place))
    client = connection._open()
    for name in client.list_collections():
        if name.startswith(parse_address(milvus_place).name):
            client.release_collection(name)
            assert not connection.is_loaded(name)
    connection.close()
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        assert len(collection.search(photos / "1.png", 3)) == 3
