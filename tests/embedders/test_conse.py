"""Words find photos: the names of things on real photos, with the bundled models."""

import json
import time

import numpy as np
import pytest

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders import CompanionEmbedder, PairedEmbedder
from lookalike.embedders.load import load_embedder
from lookalike.models.words import load_class_names

FEWEST = 5  # photos of a category that is asked for
K = 10


@pytest.fixture(scope="module", params=["efficientnet-lite0", "efficientnet-lite2"])
def embedder(request):
    return load_embedder(request.param, "cpu", 2)


@pytest.fixture(scope="module")
def pictures(shared_data):
    """The photos of known categories: their paths, and the places of each category's photos."""
    folder = shared_data / "coco256"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    known = [line for line in lines if line["categories"] is not None]
    found = {path.name: str(path) for path in folder.rglob("*.jpg")}
    categories = {}
    for at, line in enumerate(known):
        for name in line["categories"]:
            categories.setdefault(name, set()).add(at)
    return [found[line["file"].rsplit("/", 1)[-1]] for line in known], categories


def pixels_of(paths, view):
    with DecodePool() as pool:
        return np.stack([photo.pixels for photo in pool.photos(PhotoRequest(p, p, view) for p in paths)])


def test_the_names_of_categories_bring_their_photos(embedder, pictures):
    paths, categories = pictures
    photos = embedder.companion.embed(pixels_of(paths, embedder.spec.view))
    asked = [name for name, places in categories.items() if len(places) >= FEWEST]
    assert len(asked) > 30
    best = np.argsort(-embedder.companion.embed_words(asked) @ photos.T, axis=1)[:, :K]
    precision = np.mean(
        [[place in categories[name] for place in row] for name, row in zip(asked, best, strict=True)]
    )
    chance = np.mean([len(categories[name]) / len(paths) for name in asked])
    assert precision >= 3 * chance
    for name in ("pizza", "giraffe", "zebra"):
        if name in asked:
            assert best[asked.index(name)][0] in categories[name]


def test_one_run_gives_what_two_would(embedder):
    pixels = np.random.default_rng(1).integers(
        0, 256, (11, embedder.spec.view.size, embedder.spec.view.size, 3), np.uint8
    )
    rows, words = embedder.embed_pair(pixels)
    assert rows == pytest.approx(embedder.embed(pixels), abs=1e-6)
    assert words == pytest.approx(embedder.companion.embed(pixels), abs=1e-6)
    assert np.linalg.norm(words, axis=1) == pytest.approx(np.ones(11), abs=1e-5)


def test_the_second_space_is_filled_in_the_callers_thread(embedder):
    scores = np.random.default_rng(2).normal(size=(70, 1000)).astype(np.float32)
    apart = embedder.companion.of_scores(scores[:1]), embedder.companion.of_scores(scores[1:])
    assert embedder.companion.of_scores(scores) == pytest.approx(np.concatenate(apart), abs=1e-6)
    all_threads, own = time.process_time(), time.thread_time()
    for _ in range(100):
        embedder.companion.of_scores(scores)
    own = time.thread_time() - own
    assert time.process_time() - all_threads < 1.3 * own + 0.02  # OpenBLAS' threads would double it


def test_the_protocols_are_kept(embedder):
    assert isinstance(embedder, PairedEmbedder)
    companion: CompanionEmbedder = embedder.companion
    assert companion.spec.reference == f"words:{embedder.spec.name}"
    assert companion.spec.dim == companion.embed_words(["a {} red bus {0}"]).shape[1] == 384


def test_the_class_names_are_what_their_record_says():
    names = load_class_names()
    mean, vectors = names.vectors()
    assert (mean.shape, vectors.shape) == ((384,), (1000, 384))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(1000), abs=2e-3)
    texts = load_embedder(names.text_model, "cpu", 1)
    assert texts.spec.model_id == names.text_model_id
    (tench,) = texts.embed_texts([names.template.format("tench")]) - mean
    assert tench @ vectors[0] / np.linalg.norm(tench) > 0.999
