"""The same file in: our preprocessing and ONNX Runtime against Hugging Face transformers, by family."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from environment import reference_python, run
from PIL import Image

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.load import load_embedder
from lookalike.embedders.vectors import unit_length
from lookalike.models.find import find_model

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PHOTOS = ["vit", "deit", "swin", "dinov2", "dinov2-registers", "convnext", "convnextv2", "resnet"]
TOWERS = ["clip", "siglip", "siglip2"]
SENTENCES = ["sentence-bert", "bge-small-en-v1.5", "multilingual-e5-small"]
ENOUGH = 0.999
TEXTS = [
    "a photo of a red bus",
    "A Cat sat on the mat!",
    "Ein Hund läuft über die Straße.",
    "Two dogs, one ball; it's 10:30 — isn't it?",
    "  spaces\tand\nlines  ",
    "x",
    "a text that is longer than any of these models reads, " * 30,
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, shared_data, make_photo):
    """Real photos, and made ones of odd shapes and kinds."""
    folder = tmp_path_factory.mktemp("inputs")
    photos = []
    for path in sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:6]:
        photos.append(folder / path.name)
        with Image.open(path) as image:  # without its profile, which the reference does not heed
            image.save(photos[-1], quality=95, icc_profile=None)
    sizes = {"wide.png": (401, 90), "tall.jpg": (63, 300), "tiny.png": (17, 11), "square.bmp": (64, 64)}
    photos += [make_photo(folder / name, 40 + at, size) for at, (name, size) in enumerate(sizes.items())]
    Image.open(photos[0]).convert("L").save(folder / "grey.jpg")
    return {"photos": [*map(str, photos), str(folder / "grey.jpg")], "texts": TEXTS}


@pytest.fixture(scope="module")
def models(tmp_path_factory, inputs):
    """The folder of all models, each with its `reference.npz`."""
    python = reference_python("reference-env", HERE / "requirements.txt")
    folder = tmp_path_factory.mktemp("models")
    (folder / "inputs.json").write_text(json.dumps(inputs))
    run([python, HERE / "transformers_models.py", folder, folder / "inputs.json"], HF_HUB_OFFLINE="1")
    return folder


@pytest.fixture(scope="module")
def decode():
    with DecodePool(workers=1) as pool:
        yield lambda paths, view: np.stack(
            [pool.photo(PhotoRequest(each, each, view)).pixels for each in paths]
        )


def check(ours, theirs):
    """Each vector is theirs, and no other one comes near it: else the cosine would say nothing."""
    theirs = unit_length(theirs)
    among = theirs @ theirs.T
    np.fill_diagonal(among, -1)
    assert among.max() < 0.993, "the reference cannot tell its inputs apart"
    assert np.median(among) < 0.9
    cosines = (ours * theirs).sum(axis=1)
    assert cosines.min() >= ENOUGH, cosines


@pytest.mark.parametrize("name", [*PHOTOS, *TOWERS])
def test_photos_become_the_vectors_of_transformers(name, models, inputs, decode):
    embedder = load_embedder(str(models / name), threads=1)
    pixels = decode(inputs["photos"], embedder.spec.view)
    check(embedder.embed(pixels), np.load(models / name / "reference.npz")["photos"])


@pytest.mark.parametrize("name", [*TOWERS, *SENTENCES])
def test_words_become_the_vectors_of_transformers(name, models):
    embedder = load_embedder(str(models / name), threads=1)
    check(embedder.embed_words(TEXTS), np.load(models / name / "reference.npz")["words"])


@pytest.mark.parametrize("name", SENTENCES)
def test_texts_become_the_vectors_of_transformers(name, models):
    embedder = load_embedder(str(models / name), threads=1)
    assert embedder.spec.kind == "text"
    check(embedder.embed_texts(TEXTS), np.load(models / name / "reference.npz")["texts"])


@pytest.mark.parametrize("name", [*PHOTOS, *TOWERS, *SENTENCES])
def test_the_record_says_how_many_numbers_come_out(name, models):
    record = find_model(str(models / name))
    reference = np.load(models / name / "reference.npz")
    assert record.kind == ("text" if name in SENTENCES else "photo")
    assert record.dim in (0, reference[reference.files[0]].shape[1])


def test_what_is_not_read_of_a_long_text_is_said(models):
    for name in SENTENCES:
        embedder = load_embedder(str(models / name), threads=1)
        assert embedder.reach(TEXTS[0]) == len(TEXTS[0])
        reach = embedder.reach(TEXTS[-1])
        assert 20 < reach < len(TEXTS[-1])
        both = embedder.embed_texts([TEXTS[-1], TEXTS[-1][:reach]])
        assert both[0] @ both[1] > ENOUGH, name
