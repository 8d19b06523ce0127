import hashlib
import json
import shutil

import onnxruntime as ort
import pytest

from lookalike.errors import ModelError, UsageError
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL, bundled_names, load_bundled, read_record
from lookalike.models.box import CHOICES

ENSEMBLES = ["efficientnet-lite0-504", "efficientnet-pair-504", "efficientnet-pair-1008"]
BUNDLED = load_bundled("efficientnet-lite0").photo.file.path.parent.parent


@pytest.fixture
def folder(tmp_path):
    """A copy of a model that a test may spoil."""
    return shutil.copytree(load_bundled("efficientnet-lite0").photo.file.path.parent, tmp_path / "model")


def test_the_default_is_in_the_box():
    names = {"all-minilm-l6-v2", "efficientnet-lite0", "efficientnet-lite2", *ENSEMBLES}
    assert bundled_names() == sorted(names)
    assert load_bundled().name == DEFAULT_MODEL == "efficientnet-lite0-504"


def test_a_choice_stands_for_a_model_of_its_own_name():
    assert [load_bundled(choice).name for choice in ("fast", "better", "best")] == ENSEMBLES
    assert [load_bundled(choice).reference for choice in CHOICES] == ENSEMBLES


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


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_each_network_is_what_its_record_and_its_card_say(name):
    record = load_bundled(name)
    content = record.photo.file.read_bytes()
    card = (record.photo.file.path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in card
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
    assert outputs == {"embedding": record.dim, "strongest": 672, "scores": 1000}


def test_the_first_models_are_told_by_what_they_were_told_by():
    """Their files have an output more; collections that were made before go on with them."""
    assert load_bundled("efficientnet-lite0").model_id.startswith("c0929d79032548da")
    assert load_bundled("efficientnet-lite2").model_id.startswith("4a9fa5afea34163a")


@pytest.mark.parametrize("name", ENSEMBLES)
def test_each_ensemble_is_what_its_record_says(name):
    record = load_bundled(name)
    facts = json.loads((BUNDLED / name / "record.json").read_text())
    recipe = [{**each, "model_id": load_bundled(each["network"]).model_id} for each in facts["networks"]]
    assert record.model_id == hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    assert record.dim == sum(part.numbers for part in record.parts)
    assert record.photo.view.shape == (
        sum(view.size for part in record.parts for view in part.views),
        max(part.tower.view.size for part in record.parts),
    )
    assert {part.tower.output_name for part in record.parts} == {"strongest"}
    card = (BUNDLED / name / "README.md").read_text()
    assert all(part.tower.file.path.parent.name in card for part in record.parts)
    assert record.licence == "Apache-2.0" and (BUNDLED / name / "LICENSE").exists()


def test_an_ensemble_takes_no_network_from_elsewhere(tmp_path):
    folder = shutil.copytree(BUNDLED / ENSEMBLES[0], tmp_path / "model")
    facts = json.loads((folder / "record.json").read_text())
    facts["networks"][0]["network"] = "../model"
    (folder / "record.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match="names a file outside its folder"):
        read_record(folder)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError, match="'vgg16'; there are fast, better, best, all-minilm-l6-v2, efficientnet-lite0, "
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
