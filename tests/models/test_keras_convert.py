"""The conversion of Keras networks, up to the process with TensorFlow: here a short script plays its part.

`tests/reference/test_reference_keras.py` has the real one.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import onnx_files
import pytest

from lookalike.embedders.load import load_embedder
from lookalike.errors import (
    FetchError,
    MissingExtraError,
    ModelError,
    NotAFileError,
    NotFoundError,
    StorageError,
    UsageError,
)
from lookalike.install import install_line
from lookalike.models.keras import convert as keras_convert
from lookalike.models.keras.convert import KerasOptions, convert
from lookalike.models.keras.files import check_model_file

FACTS = {
    "network": "VGG16",
    "layer": "fc2",
    "preprocess": "VGG16",
    "guessed": False,
    "size": 8,
    "dim": 192,
    "versions": {"keras": "3.0"},
}
# Takes 8 × 8 pixels, gives their 192 numbers.
NETWORK = onnx_files.model(
    [onnx_files.value_info("pixels", 2, ("n", 8, 8, 3))],
    [onnx_files.value_info("embedding", onnx_files.FLOAT, ("n", 192))],
    [
        onnx_files.node("Cast", "pixels", "numbers", "", onnx_files.integer("to", 1)),
        onnx_files.node("Flatten", "numbers", "embedding", "", onnx_files.integer("axis", 1)),
    ],
)
PLAY = """
import json, os, sys, time, pathlib
import numpy as np
request = json.loads(sys.argv[1])
folder = pathlib.Path(request["folder"])
def say(**message): print(json.dumps(message), flush=True)
def give(change=lambda vectors: vectors, facts={}):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    folder.joinpath("model.onnx").write_bytes(bytes.fromhex(NETWORK))
    np.save(folder / "pictures.npy", pictures)
    np.save(folder / "vectors.npy", change(pictures.reshape(3, -1).astype(np.float32)))
    say(done=FACTS | facts)
"""


@pytest.fixture
def play(monkeypatch):
    """Have the other process run these lines."""

    def set_script(lines):
        values = f"NETWORK = {NETWORK.hex()!r}\nFACTS = {FACTS!r}\n"
        monkeypatch.setattr(keras_convert, "_START", values + PLAY + lines)

    return set_script


def refused(wanted, target, kind, **options):
    """The message of a conversion that leaves nothing behind."""
    before = sorted(target.parent.iterdir()), target.is_dir() and sorted(target.iterdir())
    with pytest.raises(kind) as error:
        convert(wanted, target, KerasOptions(**options))
    assert before == (sorted(target.parent.iterdir()), target.is_dir() and sorted(target.iterdir()))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_converted_network_is_a_folder_that_embeds(play, tmp_path):
    play("say(step='reading the network'); give()")
    steps = []
    record = convert("keras:VGG16", tmp_path / "new" / "vgg", on_step=steps.append)
    folder = tmp_path / "new" / "vgg"
    assert steps == ["reading the network"]
    assert (record.name, record.dim, record.reference) == ("vgg16-fc2", 192, str(folder))
    assert record.photo.view.fit == "squash" and record.photo.view.resample == "NEAREST"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.onnx", "record.json"]
    assert list(folder.parent.iterdir()) == [folder]
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    found = load_embedder(record.reference, threads=1).embed(pixels)
    flat = pixels.reshape(2, -1).astype(np.float64)
    assert np.allclose(found, flat / np.linalg.norm(flat, axis=1, keepdims=True), atol=1e-6)


def test_the_card_and_the_record_say_what_it_is_made_of(play, tmp_path):
    play("give()")
    (tmp_path / "my.weights.h5").write_bytes(b"weights")
    options = KerasOptions(weights=str(tmp_path / "my.weights.h5"), resample="bilinear", name="mine")
    record = convert("keras:VGG16", tmp_path / "vgg", options)
    facts = json.loads((tmp_path / "vgg" / "record.json").read_text())
    source = facts["source"][0]
    assert (record.name, record.photo.view.resample) == ("mine", "BILINEAR")
    assert (source["file"], source["network"], source["layer"]) == ("my.weights.h5", "VGG16", "fc2")
    card = (tmp_path / "vgg" / "README.md").read_text()
    for said in (facts["sha256"], source["sha256"], "BILINEAR", "`fc2`", "keras 3.0"):
        assert said in card


def test_imagenets_weights_have_the_licence_of_their_authors(play, tmp_path):
    play("give()")
    assert convert("keras:VGG16", tmp_path / "vgg").licence == "CC-BY-4.0"
    play("give(facts={'network': 'ResNet50'})")
    assert convert("keras:ResNet50", tmp_path / "resnet").licence == "MIT"
    play("give(facts={'network': 'NewNet'})")
    assert convert("keras:NewNet", tmp_path / "new").licence.startswith("see https://keras.io")


def test_how_photos_are_scaled_reaches_the_files_sha256(play, tmp_path):
    play("(folder / 'about').write_text(json.dumps(request['about'])); give()")
    convert("keras:VGG16", tmp_path / "vgg", KerasOptions(resample="bicubic"))
    assert json.loads((tmp_path / "vgg" / "about").read_text()) == {"fit": "squash", "resample": "bicubic"}


def test_an_empty_folder_may_be_there(play, tmp_path):
    play("give()")
    (tmp_path / "vgg").mkdir()
    convert("keras:VGG16", tmp_path / "vgg")
    assert (tmp_path / "vgg" / "record.json").exists()
    assert "is not empty; name a new folder" in refused("keras:VGG16", tmp_path / "vgg", UsageError)


@pytest.mark.parametrize("wanted", ["VGG16", "keras:", "tf:VGG16"])
def test_what_is_no_keras_network_is_refused(wanted, tmp_path):
    assert "expected keras:VGG16 or keras:/path" in refused(wanted, tmp_path / "vgg", UsageError)


def test_options_that_make_no_sense_are_refused(tmp_path):
    target = tmp_path / "vgg"
    saved = tmp_path / "vgg_4096.h5"
    saved.write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    assert "no resample 'best'; there are nearest, " in refused(
        "keras:VGG16", target, UsageError, resample="best"
    )
    assert "no pooling 'sum'; there are avg, " in refused("keras:VGG16", target, UsageError, pooling="sum")
    assert "expected 16 to 4096" in refused("keras:VGG16", target, UsageError, size=0)
    assert "no name for a model" in refused("keras:VGG16", target, UsageError, name="a/b")
    assert "is a saved model" in refused(f"keras:{saved}", target, UsageError, weights="imagenet")
    assert "is a saved model" in refused(f"keras:{saved}", target, UsageError, top=False)
    assert "is not a folder" in refused("keras:VGG16", tmp_path / "file", UsageError)
    assert "none.h5 is not there" in refused(f"keras:{tmp_path / 'none.h5'}", target, NotFoundError)
    assert "is not there" in refused("keras:none.keras", target, NotFoundError)
    assert "is a folder, not a file" in refused(f"keras:{tmp_path}", target, NotAFileError)
    assert "is not there" in refused("keras:VGG16", target, NotFoundError, weights=str(tmp_path / "w.h5"))
    nowhere = refused("keras:VGG16", target, UsageError, python=tmp_path / "python")
    assert "cannot be started: No such file" in nowhere


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_without_tensorflow_the_line_that_installs_it_is_said(tmp_path):
    message = refused("keras:VGG16", tmp_path / "vgg", MissingExtraError)
    assert "no tensorflow in" in message
    assert message.endswith(f"needs an optional package: {install_line('keras')}")


def test_what_the_other_process_met_is_raised_as_it_is(play, tmp_path):
    play("say(error='FetchError', message='no such host')")
    assert refused("keras:VGG16", tmp_path / "vgg", FetchError) == "no such host"
    play("say(error='StorageError', message='the disk is full')")
    assert refused("keras:VGG16", tmp_path / "vgg", StorageError) == "the disk is full"
    play("say(error='SystemExit', message='lines\\nof it')")
    assert refused("keras:VGG16", tmp_path / "vgg", Exception) == "lines of it"


def test_a_process_that_ends_early_is_told_by_its_last_line(play, tmp_path):
    play("say(step='x'); print('{\"do'); print('a\\nno kernel image\\n', file=sys.stderr); sys.exit(3)")
    ended = refused("keras:VGG16", tmp_path / "vgg", ModelError)
    assert ended == "the conversion ended with code 3: no kernel image"
    play("os.kill(os.getpid(), 9)")
    killed = refused("keras:VGG16", tmp_path / "vgg", ModelError)
    assert killed == "the conversion was killed (most often because memory ran out)"
    play("os.abort()")
    assert "was ended by signal 6" in refused("keras:VGG16", tmp_path / "vgg", ModelError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lambda v: v[:, ::-1]", "have cosine 0."),
        ("lambda v: v * 0", "gives zeros only"),
        ("lambda v: v * np.nan", "not finite"),
        ("lambda v: v[:, :100]", "ONNX gives (3, 192), Keras (3, 100)"),
    ],
)
def test_vectors_that_are_not_keras_own_are_refused(change, message, play, tmp_path):
    play(f"give({change})")
    assert message in refused("keras:VGG16", tmp_path / "vgg", ModelError)


def test_a_graph_that_onnx_runtime_cannot_run_is_refused(play, tmp_path):
    play("NETWORK = '00'; give()")
    assert "ONNX Runtime cannot run" in refused("keras:VGG16", tmp_path / "vgg", ModelError)


def test_a_full_disk_leaves_nothing_behind(play, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    play("give()")
    monkeypatch.setattr(keras_convert, "write_card", fail)
    message = refused("keras:VGG16", tmp_path / "vgg", StorageError)
    assert message == f"{tmp_path / 'vgg'} cannot be written: No space left on device"


def test_the_other_process_ends_when_nobody_waits_for_it(play, tmp_path):
    def stop(step):
        raise KeyboardInterrupt

    play("(folder.parent.parent / 'pid').write_text(str(os.getpid())); say(step='x'); time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        convert("keras:VGG16", tmp_path / "vgg", on_step=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("it runs on")


def archive(path: Path, config: object, *others: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(config))
        for name in ("metadata.json", "model.weights.h5", *others):
            file.writestr(name, "{}")
    return path


def test_a_saved_model_that_carries_code_is_not_given_to_keras(tmp_path):
    deep = {"config": {"layers": [{"module": "keras.layers", "class_name": "Lambda", "config": {}}]}}
    foreign = {"class_name": "Functional", "layers": [{"module": "subprocess", "class_name": "Popen"}]}
    for name, config, message in (
        ("deep.keras", deep, "has a Lambda layer, which carries code"),
        ("foreign.keras", foreign, "has layers that are not Keras' own: Popen"),
    ):
        with pytest.raises(ModelError, match=message):
            check_model_file(archive(tmp_path / name, config))


def test_a_damaged_or_strange_archive_is_refused(tmp_path):
    (tmp_path / "text.keras").write_text("text")
    (tmp_path / "other.zip").write_text("text")
    extra = archive(tmp_path / "extra.keras", {}, "assets/words.txt")
    for path, message in (
        (tmp_path / "text.keras", "is no saved Keras model"),
        (tmp_path / "other.zip", "expected a file that ends in .keras, .h5, .hdf5"),
        (extra, "unexpected or missing is assets/words.txt"),
    ):
        with pytest.raises(ModelError, match=message):
            check_model_file(path)
