"""The same file in: a converted network, our decoding and ONNX Runtime, against Keras itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from environment import reference_python, run
from PIL import Image

import lookalike
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.load import load_embedder
from lookalike.embedders.vectors import unit_length
from lookalike.errors import ModelError, UsageError
from lookalike.models.keras.convert import KerasOptions, convert

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ENOUGH = 0.9999


@pytest.fixture(scope="module")
def python():
    found = reference_python("keras-env", HERE / "requirements-keras.txt")
    # Keras 2, whose files the example's users have; as a dependency it would bring the other TensorFlow.
    run([found, "-m", "pip", "install", "--quiet", "--no-deps", "tf_keras==2.21.0"])
    return found


@pytest.fixture(scope="module")
def photos(tmp_path_factory, request, make_photo):
    """Photos of odd shapes and kinds, and real ones where there are any."""
    folder = tmp_path_factory.mktemp("photos")
    sizes = {"wide.png": (401, 90), "tall.jpg": (63, 300), "tiny.png": (17, 11), "large.jpg": (1500, 1001)}
    made = [make_photo(folder / name, 40 + at, size) for at, (name, size) in enumerate(sizes.items())]
    Image.open(made[3]).rotate(180).convert("L").save(folder / "grey.jpg")
    Image.open(made[0]).transpose(Image.Transpose.ROTATE_90).quantize(64).save(folder / "palette.png")
    try:
        real = sorted((request.getfixturevalue("shared_data") / "coco256" / "images").glob("*.jpg"))[:8]
    except pytest.skip.Exception:
        real = []
    for path in real:
        with Image.open(path) as image:  # without its profile, which the reference does not heed
            image.save(folder / path.name, quality=95, icc_profile=None)
    copies = [str(folder / path.name) for path in real]
    return [*map(str, made), str(folder / "grey.jpg"), str(folder / "palette.png"), *copies]


@pytest.fixture(scope="module")
def made(tmp_path_factory, python, photos):
    folder = tmp_path_factory.mktemp("keras")
    run([python, HERE / "keras_models.py", folder, *photos], TF_CPP_MIN_LOG_LEVEL="3")
    yield folder
    (folder / "vgg_4096.h5").unlink()  # 500 MB that pytest would keep


@pytest.fixture(scope="module")
def decode():
    with DecodePool(workers=1) as pool:
        yield lambda paths, view: np.stack(
            [pool.photo(PhotoRequest(each, each, view)).pixels for each in paths]
        )


@pytest.mark.parametrize(
    ("file", "name", "dim", "preprocess"),
    [("vgg_4096.h5", "vgg-4096-fc2", 4096, "VGG16"), ("effnet.keras", "effnet-avg-pool", 1280, "none")],
)
def test_photos_become_the_vectors_of_keras(  # noqa: PLR0917  # what pytest hands in
    file, name, dim, preprocess, made, python, photos, decode, tmp_path
):
    record = convert(f"keras:{made / file}", tmp_path / "model", KerasOptions(python=python))
    assert (record.name, record.dim) == (name, dim)
    source = json.loads((tmp_path / "model" / "record.json").read_text())["source"][0]
    assert source["preprocess"] == preprocess
    embedder = load_embedder(str(tmp_path / "model"), threads=1)
    ours = embedder.embed(decode(photos, embedder.spec.view))
    theirs = unit_length(np.load((made / file).with_suffix(".npy")))
    cosines = (ours * theirs).sum(axis=1)
    assert cosines.min() >= ENOUGH, cosines
    # What all photos have in common is taken away: else the cosine would say little.
    common = theirs.mean(axis=0)
    own = (unit_length(ours - common) * unit_length(theirs - common)).sum(axis=1)
    assert own.min() >= 0.999, own
    among = theirs @ theirs.T
    np.fill_diagonal(among, -1)
    assert among.max() < 0.998, "the reference cannot tell the photos apart"
    (tmp_path / "model" / "model.onnx").unlink()


def test_the_same_network_and_scaling_give_the_same_model(made, python, tmp_path):
    def model_id(name, resample):
        options = KerasOptions(preprocess="tf", resample=resample, python=python)
        return convert(f"keras:{made / 'plain.keras'}", tmp_path / name, options).model_id

    first = model_id("first", "nearest")
    assert first == model_id("again", "nearest") != model_id("other", "bicubic")


def test_what_keras_cannot_do_is_said_in_one_line(made, python, tmp_path):
    def refused(wanted, kind, **options):
        with pytest.raises(kind) as error:
            convert(wanted, tmp_path / "model", KerasOptions(python=python, **options))
        assert not list(tmp_path.iterdir())
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "has a Lambda layer, which carries code" in refused(f"keras:{made / 'lambda.keras'}", ModelError)
    assert "gives zeros only" in refused(f"keras:{made / 'dead.keras'}", ModelError, preprocess="tf")
    message = refused("keras:VGG61", UsageError)
    assert "keras.applications has no 'VGG61'; it has VGG19, VGG16 and " in message


CASES = {
    # file or application, options: what comes of it
    ("plain.keras", ""): (
        "UsageError",
        "plain.keras do not tell how photos are prepared for it: say --preprocess",
    ),
    ("plain.keras", "preprocess=torch"): ("dense", "torch"),
    ("plain.h5", "preprocess=unit"): ("dense", "unit"),
    ("plain.keras", "preprocess=nonsense"): ("UsageError", "there is no preprocessing 'nonsense'"),
    ("plain.keras", "size=64"): ("UsageError", "takes photos of 32 pixels, --size 64 was asked for"),
    ("plain.keras", "preprocess=tf layer=denes"): (
        "UsageError",
        "no layer 'denes'; its last ones are dense, ",
    ),
    ("only.weights.h5", ""): ("ModelError", "holds weights only; say of which network"),
    ("lambda.h5", ""): ("ModelError", "has a Lambda layer, which carries code; that is never run"),
    ("grey.keras", ""): ("ModelError", "takes (None, 32, 32, 1); expected RGB photos"),
    ("two.keras", ""): ("ModelError", "takes 2 inputs; expected one"),
    ("text.h5", ""): ("ModelError", "is no saved Keras model (not HDF5)"),
    ("cut.keras", ""): ("ModelError", "is no saved Keras model"),
    ("assets.keras", ""): ("ModelError", "is no saved network of photos: unexpected or missing is assets/"),
    ("linked.h5", ""): ("ModelError", "points to other files (elsewhere)"),
    ("stored.h5", ""): ("ModelError", "points to other files (elsewhere)"),
    ("MobileNetV2", ""): ("global_average_pooling2d", "MobileNetV2"),
    ("mobilenetv3small", "size=160 layer=conv_1"): ("conv_1", "MobileNetV3Small"),
    ("EfficientNetB0", "layer=top_activation"): ("top_activation", "EfficientNetB0"),
    ("MobileNetV2", "weights=only.weights.h5"): ("ModelError", "do not fit MobileNetV2"),
    ("MobileNetV2", "weights=text.h5"): ("ModelError", "holds no weights of Keras that can be read"),
}


def test_every_other_request_gets_its_answer(made, python, tmp_path):
    requests = []
    for what, told in CASES:
        is_file = (made / what).exists()
        options = dict(each.split("=") for each in told.split() if each)
        weights = options.pop("weights", "none")
        requests.append(
            {
                "folder": str(tmp_path),
                "application": None if is_file else what,
                "model_file": str(made / what) if is_file else None,
                "weights": str(made / weights) if "." in weights else weights,
                "layer": options.get("layer"),
                "preprocess": options.get("preprocess"),
                "size": int(options["size"]) if "size" in options else None,
                "top": True,
                "pooling": "avg",
                "about": {},
            }
        )
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    source = Path(lookalike.__file__).parents[1]
    done = subprocess.run(
        [python, HERE / "keras_refused.py", source, tmp_path / "requests.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    wrong = [
        (case, outcome)
        for (case, (kind, words)), outcome in zip(CASES.items(), outcomes, strict=True)
        if outcome[0] != kind or words not in outcome[1]
    ]
    assert not wrong
