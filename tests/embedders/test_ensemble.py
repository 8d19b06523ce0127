"""Several networks, several looks: against the networks run one by one, and the photo's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.load import load_embedder
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.embedders.session import open_session
from lookalike.models import load_bundled
from lookalike.records import Photo

CHOICES = ("fast", "better", "best")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def photos(shared_data, tmp_path_factory):
    """Real photos as PNG: a JPEG is decoded no finer than its largest square needs."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted((shared_data / "coco256" / "images").iterdir())[:11]:
        with Image.open(path) as photo:
            photo.save(folder / f"{path.stem}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def read(photos):
    """Reads the photos as a view wants them."""

    def read(view):
        with DecodePool(workers=1) as pool:
            found = [pool.photo(PhotoRequest(path.name, str(path), view)) for path in photos]
        assert all(isinstance(each, Photo) for each in found)
        return np.stack([each.pixels for each in found])

    return read


def written_out(name, read):
    """The vectors and class scores of an ensemble, each look decoded by itself."""
    columns, scores, weights = [], [], []
    for part in load_bundled(name).parts:
        session = open_session(name, part.tower.file)
        total = 0
        for view, (_, weight) in zip(part.views, part.looks, strict=True):
            rows, found = session.run(["strongest", "scores"], {"pixels": read(view)})
            total = total + weight * unit(rows[:, : part.numbers].astype(np.float64))
            scores.append(found)
            weights.append(part.weight * weight)
        columns.append(np.sqrt(part.weight) * unit(total))
    return unit(np.hstack(columns)), np.average(scores, axis=0, weights=weights)


@pytest.mark.parametrize("name", CHOICES)
def test_an_ensemble_is_its_networks_written_out(name, read):
    embedder = load_embedder(name)
    rows, words = embedder.embed_pair(read(embedder.spec.view))
    expected, scores = written_out(name, read)
    assert (rows.shape, rows.dtype, rows.flags.c_contiguous) == (expected.shape, np.float32, True)
    assert rows == pytest.approx(expected, abs=1e-6)
    assert words == pytest.approx(embedder.companion.of_scores(scores.astype(np.float32)), abs=1e-5)


@pytest.mark.parametrize("name", CHOICES)
def test_a_photo_has_one_vector_whatever_is_beside_it(name, read):
    embedder = load_embedder(name, threads=2)
    pixels = read(embedder.spec.view)
    together, words = embedder.embed_pair(pixels)
    assert np.array_equal(embedder.embed(pixels), together)
    for at in range(len(pixels)):
        alone, its_words = embedder.embed_pair(pixels[at : at + 1])
        assert np.array_equal(alone[0], together[at]) and np.array_equal(its_words[0], words[at])


def test_the_first_models_give_what_they_gave(read):
    """The one network that a record is of itself, by the plain way."""
    record = load_bundled("efficientnet-lite0")
    pixels = read(record.photo.view)
    made = load_embedder("efficientnet-lite0").embed(pixels)
    assert np.array_equal(made, OnnxEmbedder(record, threads=1).embed(pixels))


def test_the_strongest_directions_keep_what_all_numbers_tell(read):
    """Cosines of 504 numbers go along with those of 1,280."""
    record = load_bundled("efficientnet-lite0")
    whole = load_embedder("efficientnet-lite0").embed(read(record.photo.view))
    short = load_embedder("fast").embed(read(record.photo.view))
    pairs = np.triu_indices(len(whole), 1)
    assert np.corrcoef((whole @ whole.T)[pairs], (short @ short.T)[pairs])[0, 1] > 0.95
