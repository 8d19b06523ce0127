"""Photo models that are brought: float32 in planes, outputs pooled, and what does not fit refused."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike.embedders.load import load_embedder
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.errors import ModelError
from lookalike.models.folder import read_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))  # the writer of small ONNX files
from onnx_files import FLOAT, map_model, model, node, photo_folder, photo_model, value_info, write_folder

PIXELS = np.random.default_rng(3).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)


def expected(pixels):
    """The mean colour after `(x / 255 − 0.5) / 0.5`, of unit length."""
    rows = ((pixels.astype(np.float64) / 255 - 0.5) / 0.5).mean(axis=(1, 2))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("onnx", [photo_model(), photo_model(batch=1), photo_model(size="side"), map_model()])
def test_photos_are_scaled_normalized_and_laid_in_planes(onnx, tmp_path):
    embedder = load_embedder(str(photo_folder(tmp_path, onnx)), threads=2)
    rows = embedder.embed(PIXELS)
    assert (rows.dtype, rows.shape, embedder.spec.dim) == (np.float32, (11, 3), 3)
    assert rows == pytest.approx(expected(PIXELS), abs=1e-5)
    assert embedder.spec.reference == str(tmp_path) and embedder.spec.kind == "photo"
    alone = np.concatenate([embedder.embed(each[None]) for each in PIXELS])
    assert alone == pytest.approx(rows, abs=1e-6)


def hidden_model():
    """Gives each photo as 64 tokens of 3 numbers."""
    shape = ("n", 3, 8, 8)
    return model(
        [value_info("pixel_values", FLOAT, shape)],
        [value_info("last_hidden_state", FLOAT, ("n", 3, 64))],
        [node("Flatten3", "pixel_values", "last_hidden_state")],
    )


def test_tokens_are_pooled_as_the_tower_says(tmp_path):
    from lookalike.embedders.onnx import _pooled

    tower = read_folder(photo_folder(tmp_path), "it").photo
    tokens = np.arange(24, dtype=np.float16).reshape(2, 4, 3)
    assert np.array_equal(_pooled(tokens, replace(tower, pooling="cls")), tokens[:, 0])
    assert np.array_equal(_pooled(tokens, replace(tower, pooling="mean")), tokens.mean(axis=1))


def test_a_dimension_other_than_declared_is_refused(tmp_path):
    record = read_folder(photo_folder(tmp_path), "it")
    with pytest.raises(ModelError, match=r"pooler_output is \(1, 3\) for one photo, expected \(1, 5\)"):
        OnnxEmbedder(replace(record, dim=5), threads=1)
    assert OnnxEmbedder(replace(record, dim=0), threads=1).spec.dim == 3


def test_a_file_that_onnx_runtime_refuses_is_said_in_one_line(tmp_path):
    folder = photo_folder(tmp_path)
    write_folder(folder, {"onnx/model.onnx": hidden_model()})
    write_folder(folder, {"config.json": {"model_type": "vit"}})
    with pytest.raises(ModelError, match="ONNX Runtime cannot run it: ") as refusal:
        load_embedder(str(folder), threads=1)
    assert "\n" not in str(refusal.value)


def test_a_file_is_read_as_the_format_that_was_looked_into(tmp_path):
    unknown = b"\x7a\x84\x80\x00ORTM"  # unknown; here it names another format
    embedder = load_embedder(str(photo_folder(tmp_path, unknown + photo_model())), threads=1)
    assert embedder.embed(PIXELS) == pytest.approx(expected(PIXELS), abs=1e-5)
