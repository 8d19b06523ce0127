"""The command models: what is listed, and what becomes of a collection's models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lookalike import Collection
from lookalike.errors import NotFoundError
from lookalike.faces.server.rounds import Pair
from lookalike.models import CHOICES, bundled_names
from lookalike.models.recommended import RECOMMENDED
from lookalike.records import SearchOptions

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))  # the writer of small ONNX files
from onnx_files import photo_folder


@pytest.fixture(autouse=True)
def _no_models(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_MODELS", str(tmp_path / "models"))


def test_models_are_listed_with_licence_and_size(run):
    told = run("models")
    head, *lines = told.lines
    assert head.split() == ["model", "for", "licence", "MB", "what", "it", "is"]
    named = [name for name in bundled_names() if name not in CHOICES.values()]
    assert [line.split()[0] for line in lines] == [*CHOICES, *named, *(each.name for each in RECOMMENDED)]
    (line,) = [line for line in lines if line.startswith("clip-vit-b32 ")]
    assert line.split()[1:6] == ["photos", "MIT", "606", "to", "fetch"]
    assert all(" here " in line for line in lines if line.split()[0] in (*CHOICES, *named))
    assert [line for line in told.err.splitlines() if "stands for" in line] == [
        f"{choice} stands for {name} now; a collection keeps the one it has"
        for choice, name in CHOICES.items()
    ]


def test_models_as_json_name_repository_and_what_is_here(run, tmp_path):
    commit = tmp_path / "models" / "Xenova--mobileclip_s0" / ("0" * 40)
    commit.mkdir(parents=True)
    (commit / "lookalike.json").write_text(json.dumps({"repository": "Xenova/mobileclip_s0"}))
    rows = {row["model"]: row for row in run("models", "--json").json}
    assert rows["all-minilm-l6-v2"]["here"] is True
    assert rows["mobileclip-s0"]["repository"] == "Xenova/mobileclip_s0"
    assert {name for name, row in rows.items() if row["here"]} == {*bundled_names(), "mobileclip-s0"}
    assert {row["choice"]: name for name, row in rows.items() if row["choice"]} == CHOICES


def test_a_choice_names_its_model_wherever_a_model_is_named(shared_data, tmp_path):
    folder, photos = tmp_path / "c.lookalike", shared_data / "caltech50" / "panda"
    with Collection(folder) as collection:
        collection.add(photos)
        space, left = collection.add_model("better")
        assert (space.name, left) == ("efficientnet-pair-504", 0)
        first = min(photos.iterdir())
        names = [each.name for each in collection.spaces()]
        assert Pair("fast", "better").named(collection) == Pair(names[0], space.name)
        (hits,) = collection.answer([first], SearchOptions(3, space="better"))
        assert (hits.space, hits[0].uri) == (space.name, str(first))
        collection.use_model("better")
        collection.drop_model("fast")
        assert [each.name for each in collection.spaces()][:1] == [space.name]
    with Collection(folder) as collection, pytest.raises(NotFoundError, match="no space named 'best'"):
        collection.answer([1], SearchOptions(space="best"))


@pytest.mark.parametrize("command", ["use", "drop", "add"])
def test_an_unknown_model_is_one_clear_line(run, photos, command):
    run("add", photos)
    told = run("models", command, "no-such-model")
    assert told.code in (1, 2)
    assert told.err.startswith("lookalike: no ") and told.err.count("\n") == 1
    assert "no-such-model" in told.err


def test_a_model_is_trusted_by_its_name(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_TRUSTED", str(tmp_path / "trusted.json"))
    model = photo_folder(tmp_path / "a model")
    told = run("models", "trust", model)
    assert told.code == 0 and told.lines[0].startswith(f"{model} (sha256 ")
    assert list(json.loads((tmp_path / "trusted.json").read_text())) == [str(model)]
    assert run("models", "trust", "efficientnet-lite0").code == 0
    told = run("models", "trust", tmp_path / "nothing")
    assert told.code == 1 and "there is no model folder" in told.err and told.err.count("\n") == 1
