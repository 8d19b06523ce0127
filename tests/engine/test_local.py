"""The engine of this machine keeps the contract, with an index and without."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from contract import COUNT, DIM, STAMP, EngineContract, Filled, batch_of_texts, clusters, facts_of, uri_of

from lookalike.engine.local import LocalEngine
from lookalike.index.exact import ExactIndex
from lookalike.index.ivf import IvfIndex
from lookalike.indexing import live as indexing
from lookalike.records import Photo
from lookalike.store import PhotoBatch


def never(uri: str) -> bool:
    return False


class TestLocalEngine(EngineContract):
    @pytest.fixture(params=[IvfIndex, ExactIndex], ids=["index", "exact"])
    def photos(self, tmp_path, monkeypatch, request):
        monkeypatch.setattr(indexing, "EXACT_UP_TO", 500 if request.param is IvfIndex else COUNT)
        engine = LocalEngine(tmp_path / "c.lookalike", create=True)
        space = engine.store.ensure_space("fake", "ab" * 32, DIM)
        rows = clusters(COUNT, 1)
        photos = [Photo(uri_of(at), STAMP, b"%d" % at, None, facts_of(at)) for at in range(COUNT)]
        batch = PhotoBatch(list(zip(photos, rows, strict=True)))
        written = engine.store.commit(space, batch, reader="test", is_gone=never)
        engine.refresh_indexes()
        assert isinstance(engine.index_keeper(space).live().index, request.param)
        yield Filled(engine, space, np.array([each.item_id for each in written.committed]), rows)
        engine.wait()
        engine.close()

    @pytest.fixture
    def texts(self, tmp_path):
        engine = LocalEngine(tmp_path / "t.lookalike", create=True)
        space = engine.store.ensure_space("fake", "ab" * 32, DIM, kind="text")
        batch, rows = batch_of_texts()
        written = engine.store.commit_texts(space, batch, reader="test", is_gone=never)
        yield Filled(engine, space, np.array([each.item_id for each in written.committed]), rows)
        engine.close()


def test_while_an_index_is_built_answers_are_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 500)
    engine = LocalEngine(tmp_path / "c.lookalike", create=True)
    space = engine.store.ensure_space("fake", "ab" * 32, DIM)
    rows = clusters(COUNT, 1)
    photos = [Photo(uri_of(at), STAMP, b"%d" % at, None, facts_of(at)) for at in range(COUNT)]
    engine.store.commit(space, PhotoBatch(list(zip(photos, rows, strict=True))), reader="test", is_gone=never)
    filled = Filled(engine, space, engine.vectors(space).ids(), rows)
    query = clusters(1, 5)
    found = engine.nearest(space, query, 10)  # none was built yet
    assert found.recall == 1.0 and set(found.ids[0].tolist()) == filled.nearest(query[0], 10)
    engine.wait()
    assert isinstance(engine.index_keeper(space).live().index, IvfIndex)
    engine.close()
