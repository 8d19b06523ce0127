"""A collection made by others chooses no model: one that did not come with us runs once it was named."""

import json
import os
import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import onnxruntime as ort
import pytest

from lookalike import Collection
from lookalike.errors import ModelMismatchError, StorageError, UntrustedModelError
from lookalike.models import find, folder, hub
from lookalike.models.trust import trust
from lookalike.records import Words
from lookalike.store.checksums import row_checksum
from lookalike.store.spaces import seal_spaces

sys.path.insert(0, str(Path(__file__).parent / "models"))  # the writer of small ONNX files
from onnx_files import photo_folder, towers_folder

EVIL = "hf:evil/model@" + "0" * 40


@pytest.fixture(autouse=True)
def agreements(tmp_path, monkeypatch):
    """Where this user's agreements are: nothing was agreed to yet."""
    path = tmp_path / "mine" / "trusted-models.json"
    monkeypatch.setenv("LOOKALIKE_TRUSTED", str(path))
    return path


@pytest.fixture
def model(tmp_path):
    return photo_folder(tmp_path / "a model")


@pytest.fixture
def photo(tmp_path, make_photo):
    make_photo(tmp_path / "photos" / "other.png", 2)
    return make_photo(tmp_path / "photos" / "one.png", 1)


@pytest.fixture
def path(tmp_path, model, photo):
    """A collection made by the model's own user, which is not this one any more."""
    path = tmp_path / "c.lookalike"
    with Collection(path, model=str(model)) as collection:
        assert collection.add(photo.parent).added == 2
    (tmp_path / "mine" / "trusted-models.json").unlink()
    return path


@pytest.fixture
def untouched(path, monkeypatch):
    """Once the collection is made, nothing may be fetched, no folder opened, no model run."""

    def fail(*_, **__):
        raise AssertionError("a model was touched")

    monkeypatch.setattr(ort, "InferenceSession", fail)
    monkeypatch.setattr(find, "read_folder", fail)
    monkeypatch.setattr(folder, "read_json", fail)
    monkeypatch.setattr(hub, "find_in_hub", fail)


def say(path, **columns):
    """Let a collection say something else of its space."""
    sets = ", ".join(f"{name} = ?" for name in columns)
    with closing(sqlite3.connect(path / "store.sqlite")) as store, store:
        store.create_function("row_checksum", -1, row_checksum)
        store.execute(f"UPDATE spaces SET {sets}", tuple(columns.values()))
        seal_spaces(store)


def refused(path, error=UntrustedModelError, query=None, **options):
    with Collection(path, **options) as collection, pytest.raises(error) as refusal:
        collection.search(query)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_model_that_was_named_is_remembered(path, model, photo, agreements):
    with Collection(path, model=str(model)) as collection:
        assert collection.search(photo, 1)[0].uri == str(photo)
    with Collection(path) as collection:
        assert collection.search(photo, 1)[0].uri == str(photo)
        assert collection.add(photo.parent).unchanged == 2
    assert list(json.loads(agreements.read_text())) == [str(model)]


def test_naming_it_to_add_or_to_add_model_is_enough_too(path, model, photo):
    with Collection(path, model=str(model)) as collection:
        assert collection.add(photo.parent).unchanged == 2
    with Collection(path) as collection:
        collection.search(photo)
        collection.add_model("efficientnet-lite0")
        collection.use_model("efficientnet-lite0")
        collection.drop_model("a model")
        collection.add_model(str(model))
    with Collection(path) as collection:
        assert collection.info().spaces


@pytest.mark.parametrize("reference", [None, EVIL, "/nowhere", "clip-vit-b32", "~/x", "./x", "x", "a" * 5000])
@pytest.mark.usefixtures("untouched")
def test_a_model_that_nobody_named_is_not_touched(path, model, photo, reference):
    reference = reference or str(model)
    say(path, reference=reference)
    message = refused(path, query=photo)
    assert f"made with the model {reference} (" in message
    assert message.endswith(f"lookalike models trust {shlex.quote(reference)}")
    with Collection(path) as collection:
        with pytest.raises(UntrustedModelError):
            collection.add(photo.parent)
        with pytest.raises(UntrustedModelError):
            collection.search(Words("red"))
        assert [hit.uri for hit in collection.search(1, 2)]  # an item needs no model
        assert collection.info().items == 2 and collection.verify().sound
        assert not collection.info().spaces[0].takes_words


def test_a_command_to_paste_runs_nothing_else(path, photo):
    say(path, reference="x; rm -rf ~ #")
    assert refused(path, query=photo).endswith("lookalike models trust 'x; rm -rf ~ #'")


def test_a_further_space_that_is_refused_does_not_hinder_the_default_one(model, photo, tmp_path, agreements):
    path = tmp_path / "c.lookalike"
    with Collection(path) as collection:
        collection.add(photo)
        collection.add_model(str(model))
    agreements.unlink()
    with Collection(path) as collection:
        assert collection.search(photo, 1)[0].uri == str(photo)
        report = collection.add(photo.parent)
        assert report.added == 1 and "lookalike models trust" in report.index_problem


def test_naming_another_model_is_no_agreement(path, photo, tmp_path):
    other = photo_folder(tmp_path / "other")
    assert "name it once" in refused(path, query=photo, model=str(other))


def test_a_model_that_has_changed_is_not_run(path, model, photo, monkeypatch):
    with Collection(path, model=str(model)) as collection:
        collection.search(photo)
    photo_folder(model, image_mean=[0.4, 0.4, 0.4])
    monkeypatch.setattr(ort, "InferenceSession", None)
    assert "but the vectors were made with it as" in refused(path, ModelMismatchError, photo)


def test_a_model_that_changed_together_with_the_collection_is_asked_for_again(path, model, photo):
    trust(str(model), "an earlier state")
    assert "has changed since you named it; if you trust it" in refused(path, query=photo)
    say(path, model_id="what nobody has")
    assert "but the vectors were made with it as" in refused(path, ModelMismatchError, photo)


@pytest.mark.parametrize(
    "reference", ["words:{}", "words:" + EVIL, "words:all-minilm-l6-v2", "words:words:{}"]
)
def test_a_second_space_of_a_model_that_fills_none_is_refused(path, model, photo, reference):
    trust(str(model), "any")
    say(path, reference=reference.format(model))
    assert "which fills no second space" in refused(path, ModelMismatchError, photo)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b"[" * 100_000, b" " * (5 << 20)]
)
def test_agreements_that_are_damaged_are_asked_for_again(path, model, photo, agreements, content):
    agreements.parent.mkdir(exist_ok=True)
    agreements.write_bytes(content)
    assert str(agreements) in refused(path, query=photo)
    with Collection(path, model=str(model)) as collection:
        collection.search(photo)
    with Collection(path) as collection:
        assert collection.search(photo)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes with names")
def test_agreements_that_are_a_pipe_are_asked_for_again(path, model, photo, agreements):
    os.mkfifo(agreements)
    assert "is a pipe, not a file" in refused(path, query=photo)
    trust(str(model), "any")
    assert agreements.is_file()


def test_agreements_in_a_place_that_cannot_be_read_are_asked_for_again(path, model, photo, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_TRUSTED", "x" * 1000)
    assert "(cannot read xxx" in refused(path, query=photo)
    with Collection(path, model=str(model)) as collection:
        assert collection.search(photo)


def test_agreements_that_cannot_be_kept_hold_until_the_end(path, model, photo, agreements, caplog):
    agreements.parent.rmdir()
    agreements.parent.write_text("a file")
    with Collection(path, model=str(model)) as collection:
        assert collection.search(photo)
    assert "is not remembered" in caplog.text and str(agreements) in caplog.text
    refused(path, query=photo)
    with pytest.raises(StorageError, match="cannot be written"):
        trust(str(model), "any")


def test_words_are_refused_for_the_reason_that_holds(tmp_path, photo, agreements):
    path = tmp_path / "towers.lookalike"
    with Collection(path, model=str(towers_folder(tmp_path / "towers"))) as collection:
        collection.add(photo)
        assert collection.info().spaces[0].takes_words
    agreements.unlink()
    assert "lookalike models trust" in refused(path, query=Words("red"))


@pytest.mark.skipif(os.name == "nt", reason="folders are compared by their names on POSIX here")
def test_two_users_do_not_share_agreements(path, model, photo, tmp_path, monkeypatch):
    with Collection(path, model=str(model)) as collection:
        collection.search(photo)
    monkeypatch.setenv("LOOKALIKE_TRUSTED", str(tmp_path / "theirs.json"))
    refused(path, query=photo)
