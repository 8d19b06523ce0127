"""A collection in Milvus keeps the contract of engines, on a real server."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from contract import COUNT, DIM, STAMP, EngineContract, Filled, batch_of_texts, clusters, facts_of, uri_of

from lookalike.engine.milvus.address import MilvusAddress
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.store import MilvusStore
from lookalike.records import Photo
from lookalike.store import PhotoBatch

pytest_plugins = ["milvus_fixture"]


def never(uri: str) -> bool:
    return False


def new_collection(server):
    """An engine for a collection of a name of its own."""
    host, port = server.address.split(":")
    return MilvusEngine(MilvusAddress(host, int(port), f"test_{uuid.uuid4().hex[:12]}"), create=True)


@pytest.fixture(scope="class")
def of_photos(milvus_server):
    """An engine with a space and nothing in it; made once, since that takes seconds."""
    engine = new_collection(milvus_server)
    yield engine, MilvusStore(engine).ensure_space("fake", "ab" * 32, DIM)
    engine.space_book.drop_all()
    engine.close()


@pytest.fixture(scope="class")
def of_texts(milvus_server):
    engine = new_collection(milvus_server)
    yield engine, MilvusStore(engine).ensure_space("fake", "ab" * 32, DIM, kind="text")
    engine.space_book.drop_all()
    engine.close()


@pytest.mark.slow
class TestMilvusEngine(EngineContract):
    @pytest.fixture
    def photos(self, of_photos):
        engine, space = of_photos
        store, rows = MilvusStore(engine), clusters(COUNT, 1)
        photos = [Photo(uri_of(at), STAMP, b"%032d" % at, None, facts_of(at)) for at in range(COUNT)]
        batch = PhotoBatch(list(zip(photos, rows, strict=True)))
        written = store.commit(space, batch, reader="test", is_gone=never)
        store.checkpoint()
        yield Filled(engine, space, np.array([each.item_id for each in written.committed]), rows)
        for book in ("vote", "credit", "decision"):
            for page in engine.books.pages(book):
                engine.books.delete(page)

    @pytest.fixture
    def texts(self, of_texts):
        engine, space = of_texts
        store = MilvusStore(engine)
        batch, rows = batch_of_texts()
        written = store.commit_texts(space, batch, reader="test", is_gone=never)
        store.checkpoint()
        return Filled(engine, space, np.array([each.item_id for each in written.committed]), rows)
