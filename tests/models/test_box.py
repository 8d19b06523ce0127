import hashlib
import json
import shutil

import onnxruntime as ort
import pytest

from lookalike.errors import ModelError, UsageError
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL, bundled_names, load_bundled, read_record


@pytest.fixture
def folder(tmp_path):
    """A copy of the default model that a test may spoil."""
    return shutil.copytree(load_bundled().photo.file.path.parent, tmp_path / "model")


def test_the_default_is_in_the_box():
    assert bundled_names() == ["all-minilm-l6-v2", "efficientnet-lite0", "efficientnet-lite2"]
    assert load_bundled().name == DEFAULT_MODEL == "efficientnet-lite0"


def test_the_text_model_is_what_its_record_and_its_card_say():
    record = load_bundled(DEFAULT_TEXT_MODEL)
    content = record.text.file.read_bytes()
    card = (record.text.file.path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() == record.model_id
    assert record.model_id in card and record.licence == "Apache-2.0"
    assert len(record.text.tokenizer.read_bytes().splitlines()) == 30_522
    session = ort.InferenceSession(content)
    assert [each.name for each in session.get_inputs()] == list(record.text.inputs)
    assert [(each.name, each.shape[-1]) for each in session.get_outputs()] == [("embedding", record.dim)]


@pytest.mark.parametrize("name", bundled_names("photo"))
def test_each_photo_model_is_what_its_record_and_its_card_say(name):
    record = load_bundled(name)
    content = record.photo.file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == record.model_id
    card = (record.photo.file.path.parent / "README.md").read_text(encoding="utf-8")
    assert record.model_id in card
    assert "Apache" in card and record.licence == "Apache-2.0"
    session = ort.InferenceSession(content)
    (source,) = session.get_inputs()
    size = record.photo.view.size
    assert (source.name, source.type, source.shape[1:]) == (
        record.photo.input_name,
        "tensor(uint8)",
        [size, size, 3],
    )
    outputs = {each.name: each.shape[-1] for each in session.get_outputs()}
    assert outputs == {"embedding": record.dim, "scores": 1000}


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError, match="'vgg16'; there are all-minilm-l6-v2, efficientnet-lite0, efficientnet-lite2"
    ):
        load_bundled("vgg16")


def test_a_changed_model_file_is_refused(folder):
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"has sha256 .*, expected .*; install or download"):
        read_record(folder).photo.file.read_bytes()


def test_a_missing_model_file_is_named(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot read .*model\.onnx"):
        read_record(folder).photo.file.read_bytes()


def test_a_record_that_is_not_one_is_refused(folder, tmp_path):
    with pytest.raises(ModelError, match="no readable model record"):
        read_record(tmp_path)
    (folder / "record.json").write_text("{")
    with pytest.raises(ModelError, match="no readable model record"):
        read_record(folder)


def test_an_input_that_cannot_be_fed_is_refused(folder):
    facts = json.loads((folder / "record.json").read_text())
    facts["input"]["layout"] = "NCHW"
    (folder / "record.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match="NCHW is not supported"):
        read_record(folder)
