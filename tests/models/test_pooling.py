"""How tokens become one vector: what the files say, what is assumed and told, and what the user decides."""

import logging

import pytest
from onnx_files import photo_folder, photo_model, text_folder, text_model, towers_folder, write_folder

from lookalike.embedders import load
from lookalike.errors import ModelError, UsageError
from lookalike.models.find import find_model, with_pooling
from lookalike.models.folder import read_folder


def read(folder, variant=None):
    return read_folder(folder, str(folder), variant=variant)


def test_a_pooling_that_is_only_assumed_is_noted(tmp_path):
    record = read(text_folder(tmp_path / "mine"))
    assert record.text.pooling == "mean"
    assert record.note.startswith("pooling: mean is assumed, for mine has no 1_Pooling/config.json")
    assert "--pooling" in record.note and "\n" not in record.note


@pytest.mark.parametrize(
    "known",
    [
        {"1_Pooling/config.json": {"pooling_mode_cls_token": True}},
        {"config.json": {"model_type": "bert", "_name_or_path": "BAAI/bge-m3"}},
        {"onnx/model.onnx": text_model("sentence_embedding")},
    ],
)
def test_one_that_is_known_is_not(tmp_path, known):
    assert read(write_folder(text_folder(tmp_path / "mine"), known)).note == ""
    assert read(photo_folder(tmp_path / "photos")).note == ""


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("said", [{}, {"1_Pooling/config.json": {"pooling_mode_cls_token": True}}])
def test_the_user_decides(tmp_path, pooling, said):
    folder = write_folder(text_folder(tmp_path / "mine"), said)
    record = find_model(with_pooling(str(folder), pooling))
    assert (record.text.pooling, record.note) == (pooling, "")
    assert record.reference == f"{folder}#{pooling}" and record.name == f"mine#{pooling}"
    others = {find_model(with_pooling(str(folder), each)).model_id for each in ("mean", "cls", "last")}
    assert len(others) == 3
    assert find_model(record.reference) == record


def test_a_variant_may_be_named_beside_it(tmp_path):
    folder = write_folder(text_folder(tmp_path / "mine"), {"onnx/model_fp16.onnx": text_model()})
    record = find_model(with_pooling(f"{folder}#fp16", "last"))
    assert record.text.file.path.name == "model_fp16.onnx"
    assert (record.text.pooling, record.reference) == ("last", f"{folder}#fp16+last")


def test_where_there_is_nothing_to_pool_it_is_refused(tmp_path):
    sentences = text_folder(tmp_path / "s", text_model("sentence_embedding"))
    with pytest.raises(ModelError, match="no vectors of tokens that could be pooled"):
        read(sentences, "cls")
    with pytest.raises(ModelError, match="a pooling of photos is mean or cls"):
        read(photo_folder(tmp_path / "p", photo_model()), "cls")
    with pytest.raises(ModelError, match="two towers"):
        read(towers_folder(tmp_path / "t"), "mean")
    with pytest.raises(UsageError, match="came with lookalike"):
        with_pooling("efficientnet-lite0", "cls")
    with pytest.raises(UsageError, match="name it with --model"):
        with_pooling(None, "cls")
    assert with_pooling(None, None) is None


def test_it_is_told_when_the_user_names_the_model(tmp_path, caplog, monkeypatch):
    folder = text_folder(tmp_path / "mine")
    monkeypatch.setattr(load, "_text_embedder", lambda *_, **__: None)
    with caplog.at_level(logging.WARNING):
        load.load_embedder(str(folder))
        (told,) = caplog.messages
        assert told.startswith("pooling: mean is assumed")
        load.load_embedder(str(folder), model_id=read(folder).model_id)  # a collection asks for it
        load.load_embedder(f"{folder}#mean")
    assert len(caplog.messages) == 1
