"""Models that quantize by the range of a batch give a photo or text one vector, whatever is beside it."""

import numpy as np
import pytest
from onnx_files import dynamic_photo_model, dynamic_text_model, photo_folder, text_folder

from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.embedders.texts import OnnxTextEmbedder
from lookalike.models.folder import read_folder


@pytest.fixture
def tokens(monkeypatch):
    """A text's tokens are its letters."""

    class Letters:
        def encode(self, text, limit):
            return [ord(letter) % 50 for letter in text[:limit]]

    monkeypatch.setattr("lookalike.embedders.texts._tokenizer", lambda _: Letters())


def test_a_text_has_one_vector(tmp_path, tokens):
    record = read_folder(text_folder(tmp_path, dynamic_text_model()), "it")
    assert record.text.one_by_one
    embedder = OnnxTextEmbedder(record, 2)
    texts = ["a", "some words", "zzzzzzzzzz", "some more of them", "b" * 300, "some words"]
    together = embedder.embed_texts(texts)
    alone = np.concatenate([embedder.embed_texts([text]) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(embedder.embed_texts(texts[::-1])[::-1], alone)
    assert together[1] @ together[5] == pytest.approx(1, abs=1e-6)


def test_a_photo_has_one_vector(tmp_path):
    record = read_folder(photo_folder(tmp_path, dynamic_photo_model()), "it")
    assert record.photo.one_by_one
    photos = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    photos[3], photos[4] = 0, 255
    embedder = OnnxEmbedder(record, 2)
    together = embedder.embed(photos)
    assert np.array_equal(together, np.concatenate([embedder.embed(photo[None]) for photo in photos]))


def test_the_test_would_show_it(tmp_path, monkeypatch):
    record = read_folder(photo_folder(tmp_path, dynamic_photo_model()), "it")
    photos = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    photos[3], photos[4] = 0, 255
    embedder = OnnxEmbedder(record, 1)
    alone = embedder.embed(photos)
    embedder.batches.per_call = 8
    assert not np.allclose(embedder.embed(photos), alone, atol=1e-3)


def test_other_models_go_in_batches(tmp_path):
    assert not read_folder(photo_folder(tmp_path / "p"), "it").photo.one_by_one
    assert not read_folder(text_folder(tmp_path / "t"), "it").text.one_by_one
