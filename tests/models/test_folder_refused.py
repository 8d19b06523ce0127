"""Model folders that are unfit: each is refused in one line, and nothing in it is touched."""

import pytest
from onnx_files import (
    FLOAT,
    message,
    model,
    node,
    number,
    photo_folder,
    photo_model,
    text_folder,
    text_model,
    towers_folder,
    value_info,
    write_folder,
)

from lookalike.errors import ModelError
from lookalike.models.folder import read_folder


def read(folder):
    return read_folder(folder, str(folder))


EXTERNAL = photo_model(extra=message(5, message(8, "weights") + number(14, 1)))
SPARSE = photo_model(extra=message(15, message(1, message(8, "weights") + number(14, 1))))
FOREIGN = photo_model(extra=message(1, node("Evil", "x", "y", "com.evil")))
BOTH = model(
    [value_info("pixel_values", FLOAT, ("n", 3, 8, 8)), value_info("input_ids", 7, ("n", "t"))],
    [value_info("image_embeds", FLOAT, ("n", 3))],
    [],
)
TABLE = model([value_info("columns", FLOAT, ("n", 3))], [value_info("price", FLOAT, ("n",))], [])
LOGITS = photo_model(output="logits")
UNFIT = {
    "keeps weights in another file": {"onnx/model.onnx": EXTERNAL},
    r"needs operators that ONNX Runtime lacks: com\.evil:Evil": {"onnx/model.onnx": FOREIGN},
    "takes photos and texts in one run": {"onnx/model.onnx": BOTH},
    "takes columns; expected pixel_values or input_ids": {"onnx/model.onnx": TABLE},
    "gives logits; expected .*class scores are no features": {"onnx/model.onnx": LOGITS},
    "makes 3 × 8 × 8": {"onnx/model.onnx": photo_model(size=16)},
    "is not an ONNX model": {"onnx/model.onnx": b"<html>"},
    "is not JSON": {"config.json": b"{"},
    "config.json holds list": {"config.json": []},
    "not JSON that can be read": {"preprocessor_config.json": b"\xff\xfe\x00"},
    "bytes; at most": {"config.json": b" " * (5 << 20)},
}


@pytest.mark.parametrize("message", UNFIT)
def test_an_unfit_photo_model_is_refused_in_one_line(message, tmp_path):
    folder = write_folder(photo_folder(tmp_path), UNFIT[message])
    before = sorted(folder.rglob("*"))
    with pytest.raises(ModelError, match=message) as refusal:
        read(folder)
    assert "\n" not in str(refusal.value)
    assert sorted(folder.rglob("*")) == before


UNFIT_TEXTS = {
    "gives logits; expected sentence_embedding": {"onnx/model.onnx": text_model("logits")},
    "cannot read the model file .*tokenizer.json": {"tokenizer.json": None},
    "tokenizer.json has .* bytes; at most": {"tokenizer.json": b" " * ((64 << 20) + 1)},
    "a prompt is not a text": {"config_sentence_transformers.json": {"prompts": {"query": 3}}},
    "something else than a list": {"modules.json": {"a": 1}},
}


@pytest.mark.parametrize("message", UNFIT_TEXTS)
def test_an_unfit_text_model_is_refused_in_one_line(message, tmp_path):
    folder = text_folder(tmp_path)
    for name, content in UNFIT_TEXTS[message].items():
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            write_folder(folder, {name: content})
    with pytest.raises(ModelError, match=message) as refusal:
        read(folder)
    assert "\n" not in str(refusal.value)


def test_towers_that_do_not_fit_each_other_are_refused(tmp_path):
    folder = towers_folder(tmp_path)
    write_folder(folder, {"onnx/text_model.onnx": text_model("text_embeds", dim=4)})
    with pytest.raises(ModelError, match="vectors of different lengths"):
        read(folder)
    write_folder(folder, {"onnx/text_model.onnx": text_model("pooler_output")})
    with pytest.raises(ModelError, match="gives pooler_output; expected text_embeds"):
        read(folder)
    write_folder(folder, {"onnx/vision_model.onnx": photo_model(output="pooler_output")})
    with pytest.raises(ModelError, match="gives pooler_output; expected image_embeds"):
        read(folder)


def test_siglip_without_its_special_tokens_is_refused(tmp_path):
    folder = towers_folder(tmp_path, "siglip")
    write_folder(folder, {"tokenizer_config.json": {}})
    with pytest.raises(ModelError, match="which tokens end and fill up a text"):
        read(folder)
    write_folder(folder, {"special_tokens_map.json": {"pad_token": "<pad>", "eos_token": "</s>"}})
    assert (read(folder).text.pad_id, read(folder).text.end_id) == (1, 2)
    write_folder(folder, {"tokenizer_config.json": {"padding_side": "left"}})
    with pytest.raises(ModelError, match="fills up texts at their beginning"):
        read(folder)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="there is no model folder"):
        read(tmp_path / "missing")
    with pytest.raises(ModelError, match=r"has no \.onnx file; expected an ONNX model"):
        read(tmp_path)


@pytest.mark.parametrize("unfit", [EXTERNAL, SPARSE, FOREIGN])
def test_a_record_of_ours_does_not_let_an_unfit_file_through(tmp_path, unfit):
    record = {
        "name": "mine", "sha256": "0" * 64, "dim": 3, "kind": "photo", "licence": "none", "description": "",
        "file": "model.onnx", "outputs": {"embedding": "pooler_output"},
        "input": {
            "dtype": "uint8", "layout": "NHWC", "size": 8, "fraction": 1.0, "resample": "box", "name": "x",
        },
    }  # fmt: skip
    folder = write_folder(tmp_path, {"record.json": record, "model.onnx": unfit})
    with pytest.raises(ModelError, match=r"keeps weights in another file|needs operators"):
        read(folder)
    assert read(write_folder(folder, {"model.onnx": photo_model()})).name == "mine"
