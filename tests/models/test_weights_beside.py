"""Weights in files beside the ONNX file: those of exporters are taken, and nothing else."""

import hashlib
import shutil
import struct

import numpy as np
import pytest
from onnx_files import beside, message, number, photo_folder, photo_model, turned_model, write_folder

from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.errors import ModelError
from lookalike.models.folder import read_folder

MATRIX = struct.pack("<9f", 0, 1, 0, 0, 0, 2, 3, 0, 0)
PHOTOS = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
NAMES = ["model.onnx_data", "model.onnx.data", "weights.bin", "model.onnx_data_1", "w-0001.of-2"]


def read(folder):
    return read_folder(folder, str(folder))


def embedded(record):
    return OnnxEmbedder(record, 1).embed(PHOTOS)


@pytest.fixture
def folder(tmp_path):
    files = {"onnx/model.onnx": turned_model(beside("model.onnx_data")), "onnx/model.onnx_data": MATRIX}
    return write_folder(photo_folder(tmp_path / "m"), files)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["onnx/", ""])
def test_weights_in_the_same_folder_are_taken(tmp_path, name, place):
    photo_folder(tmp_path / "a")
    (tmp_path / "a" / "onnx" / "model.onnx").unlink()
    files = {f"{place}model.onnx": turned_model(beside(name)), f"{place}{name}": MATRIX}
    record = read(write_folder(tmp_path / "a", files))
    one = read(photo_folder(tmp_path / "b", turned_model(b"", MATRIX)))
    assert [each.path.name for each in record.photo.file.beside] == [name]
    assert not one.photo.file.beside
    assert np.allclose(embedded(record), embedded(one))


def test_weights_that_lie_further_in_a_file_are_taken(folder):
    files = {
        "onnx/model.onnx": turned_model(beside("model.onnx_data", 4096)),
        "onnx/model.onnx_data": bytes(4096) + MATRIX,
    }
    assert np.isfinite(embedded(read(write_folder(folder, files)))).all()


def test_they_are_part_of_what_the_model_is(folder, tmp_path):
    record = read(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert read(tmp_path / "elsewhere").model_id == record.model_id
    (file,) = record.photo.file.beside
    assert file.sha256 == hashlib.sha256(MATRIX).hexdigest()
    write_folder(folder, {"onnx/model.onnx_data": MATRIX[:-4] + b"\0\0\x80?"})
    assert read(folder).model_id != record.model_id
    with pytest.raises(ModelError, match=r"model\.onnx_data has sha256 .*, expected"):
        embedded(record)


def test_a_model_in_one_file_is_what_it_was(tmp_path):
    assert read(photo_folder(tmp_path)).model_id == (
        "4017be8a36aa9e5f8bf150ab2e346ae01517735af16e6684c9d26c9b78294ff0"
    )


OUT_OF_REACH = {
    "above": "../secret", "deeper": "deep/weights", "absolute": "/etc/passwd", "a drive": "C:weights",
    "backslash": "..\\secret", "dot": ".", "dots": "..", "hidden": ".secret", "nothing": "", "space": " ",
    "memory": "*/_ORT_MEM_ADDR_/*", "a zero": "weights\0", "a line": "weights\n", "here": "./weights",
    "an address": "file:///etc/passwd", "a percent": "%2e%2e", "a letter": "w\u00e9ights",
    "the end": "weights/",
}  # fmt: skip


@pytest.mark.parametrize("name", OUT_OF_REACH)
def test_any_other_place_is_refused(folder, name):
    write_folder(folder, {"onnx/model.onnx": turned_model(beside(OUT_OF_REACH[name]))})
    with pytest.raises(ModelError, match="keeps weights in another file, and not as an exporter does"):
        read(folder)


SAID = beside("model.onnx_data")
ODD = {
    "two places": SAID + message(13, message(1, "location") + message(2, "../x")),
    "the same twice": SAID + message(13, message(1, "location") + message(2, "model.onnx_data")),
    "no word of it": beside("model.onnx_data")[:-2],
    "another kind of place": SAID + number(14, 2),
    "in the file after all": SAID + number(14, 0),
    "more than is known": SAID + message(13, message(1, "url") + message(2, "http://x")),
    "no place": message(13, message(1, "offset") + message(2, "0")) + number(14, 1),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_says_otherwise_than_exporters_do_is_refused(folder, odd):
    write_folder(folder, {"onnx/model.onnx": turned_model(ODD[odd])})
    with pytest.raises(ModelError, match="keeps weights in another file"):
        read(folder)


TENSOR = message(8, "v") + number(2, 1) + number(1, 9) + SAID
ELSEWHERE = {
    "sparse": message(15, message(1, TENSOR)),
    "a constant": message(1, message(2, "c") + message(4, "Constant") + message(5, message(1, "value") +
    message(5, TENSOR))), "a graph within": message(
        1, message(2, "c") + message(4, "If") + message(5, message(1, "then_branch") + message(6, message(5,
        TENSOR)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", ELSEWHERE)
def test_only_plain_weights_of_the_main_graph_may_be_elsewhere(folder, where):
    write_folder(folder, {"onnx/model.onnx": photo_model(extra=ELSEWHERE[where])})
    with pytest.raises(ModelError, match="keeps weights in another file"):
        read(folder)


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    for name in ("model.onnx_data", "model.onnx"):
        path = folder / "onnx" / name
        moved = path.rename(tmp_path / name)
        path.symlink_to(moved)
        with pytest.raises(ModelError, match=r"leads out of its folder; expected files there, not links"):
            read(folder)
        path.unlink()
        moved.rename(path)
    (folder / "onnx" / "model.onnx_data").rename(folder / "onnx" / "other")
    (folder / "onnx" / "model.onnx_data").symlink_to("other")
    with pytest.raises(ModelError, match="leads out"):
        read(folder)


@pytest.mark.parametrize("made", ["nothing", "a folder"])
def test_weights_must_be_there_and_a_file(folder, made):
    path = folder / "onnx" / "model.onnx_data"
    path.unlink()
    if made == "a folder":
        path.mkdir()
    with pytest.raises(ModelError, match=r"model\.onnx_data"):
        read(folder)


@pytest.mark.parametrize(("offset", "length"), [(4, 36), (0, 40), (-4, 36), (1 << 62, 36)])
def test_weights_that_end_too_soon_are_refused_when_it_is_run(folder, offset, length):
    write_folder(folder, {"onnx/model.onnx": turned_model(beside("model.onnx_data", offset, length))})
    with pytest.raises(ModelError, match="ONNX Runtime cannot run it") as refusal:
        embedded(read(folder))
    assert "\n" not in str(refusal.value)


def test_a_record_of_ours_has_one_file(tmp_path):
    record = {
        "name": "mine", "sha256": "0" * 64, "dim": 3, "kind": "photo", "licence": "none", "description": "",
        "file": "model.onnx", "outputs": {"embedding": "pooler_output"},
        "input": {
            "dtype": "uint8", "layout": "NHWC", "size": 8, "fraction": 1.0, "resample": "box", "name": "x",
        },
    }  # fmt: skip
    files = {"record.json": record, "model.onnx": turned_model(SAID), "model.onnx_data": MATRIX}
    with pytest.raises(ModelError, match="keeps weights in another file, which its record does not have"):
        read(write_folder(tmp_path, files))
