import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from golden import FILE, vectors

from lookalike.embedders.fake import FakeEmbedder
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.embedders.vectors import unit_length
from lookalike.errors import ModelError
from lookalike.models import ModelFile, bundled_names, load_bundled


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (13, 224, 224, 3), dtype=np.uint8)


def test_the_golden_vectors_still_come_out():
    golden = json.loads(FILE.read_text())
    made = vectors()
    assert made.keys() == golden.keys() == set(bundled_names())
    for name, numbers in golden.items():
        assert made[name] == pytest.approx(numbers, abs=2e-4)


def test_vectors_keep_the_contract_and_do_not_depend_on_the_batch(pixels):
    embedder = OnnxEmbedder(load_bundled("efficientnet-lite0"), threads=2)
    together = embedder.embed(pixels)
    assert (together.shape, together.dtype) == ((13, 1280), np.float32)
    assert together.flags.c_contiguous
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(13), abs=1e-5)
    alone = np.concatenate([embedder.embed(each[None]) for each in pixels])
    assert np.abs(together - alone).max() < 1e-5


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    record = load_bundled()
    file = ModelFile(path, hashlib.sha256(b"not a model").hexdigest())
    record = replace(record, photo=replace(record.photo, file=file))
    with pytest.raises(ModelError, match="ONNX Runtime cannot run it"):
        OnnxEmbedder(record, threads=1)


def test_a_row_of_zeros_has_no_direction_and_stays():
    rows = unit_length(np.array([[0, 0], [3, 4]], np.float64))
    assert rows.tolist() == [[0, 0], [pytest.approx(0.6), pytest.approx(0.8)]]
    assert rows.dtype == np.float32


def test_the_fake_tells_photos_apart_and_likes_alike():
    fake = FakeEmbedder()
    random = np.random.default_rng(1)
    photos = random.integers(0, 256, (3, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)
    noisy = np.clip(photos[:1].astype(int) + random.integers(-9, 10, photos[:1].shape), 0, 255)
    rows = fake.embed(np.concatenate([photos, noisy.astype(np.uint8)]))
    scores = rows @ rows[0]
    assert scores[3] > 0.99
    assert max(scores[1], scores[2]) < 0.9
