"""Model folders: each layout as its record, and each unfit one refused in one line."""

import json
import os

import pytest
from onnx_files import (
    FLOAT,
    map_model,
    model,
    photo_folder,
    photo_model,
    text_folder,
    text_model,
    towers_folder,
    value_info,
    write_folder,
)

from lookalike.errors import ModelError
from lookalike.models import load_bundled
from lookalike.models.folder import choose_onnx, read_folder
from lookalike.models.record import Pixels

BGE = "Represent this sentence for searching relevant passages: "


def read(folder, **options):
    return read_folder(folder, str(folder), **options)


def test_a_photo_model(tmp_path):
    record = read(photo_folder(tmp_path / "mine"))
    assert (record.name, record.kind, record.dim, record.text) == ("mine", "photo", 3, None)
    assert record.reference == str(tmp_path / "mine")
    tower = record.photo
    assert (tower.input_name, tower.output_name, tower.pooling) == ("pixel_values", "pooler_output", "none")
    assert (tower.view.size, tower.view.fit) == (8, "squash")
    assert tower.pixels == Pixels(1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert tower.file.read_bytes() == photo_model()


def test_a_map_of_features_is_averaged(tmp_path):
    record = read(photo_folder(tmp_path, map_model()))
    assert (record.photo.output_name, record.photo.pooling, record.dim) == ("last_hidden_state", "mean", 3)


@pytest.mark.parametrize(
    ("model_type", "pooling"), [("vit", "cls"), ("dinov2_with_registers", "cls"), ("swin", "mean")]
)
def test_tokens_are_pooled_as_the_family_does(model_type, pooling, tmp_path):
    hidden = model(
        [value_info("pixel_values", FLOAT, ("n", 3, 8, 8))],
        [value_info("last_hidden_state", FLOAT, ("n", 5, 3))],
        [],
    )
    photo_folder(tmp_path, hidden)
    write_folder(tmp_path, {"config.json": {"model_type": model_type}})
    assert read(tmp_path).photo.pooling == pooling
    write_folder(tmp_path, {"config.json": {"model_type": "unheard-of"}})
    with pytest.raises(ModelError, match="gives last_hidden_state; expected pooler_output"):
        read(tmp_path)


def test_a_model_at_the_top_and_under_any_name(tmp_path):
    folder = photo_folder(tmp_path)
    (folder / "onnx" / "model.onnx").rename(folder / "whatever.onnx")
    assert read(folder).photo.file.path == folder / "whatever.onnx"


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_two_towers(kind, tmp_path):
    record = read(towers_folder(tmp_path, kind))
    assert record.kind == "photo" and record.text is not None and record.dim == 3
    assert record.photo.output_name == {"clip": "image_embeds", "siglip": "pooler_output"}[kind]
    assert record.text.output_name == {"clip": "text_embeds", "siglip": "pooler_output"}[kind]
    assert record.text.max_tokens == {"clip": 77, "siglip": 64}[kind]
    is_siglip = kind == "siglip"
    assert (record.text.pad_to_max, record.text.lower_case) == (is_siglip, is_siglip)
    assert (record.text.pad_id, record.text.end_id) == (1, 2 if is_siglip else None)


def test_a_text_tower_of_fixed_length_gets_all_its_tokens(tmp_path):
    folder = towers_folder(tmp_path)
    write_folder(folder, {"onnx/text_model.onnx": text_model("text_embeds", length=77)})
    assert (read(folder).text.max_tokens, read(folder).text.pad_to_max) == (77, True)


def test_a_sentence_model_without_settings_is_averaged(tmp_path):
    record = read(text_folder(tmp_path / "mine"))
    assert (record.kind, record.photo, record.dim) == ("text", None, 3)
    tower = record.text
    assert (tower.pooling, tower.max_tokens, tower.pad_to_max, tower.pad_id) == ("mean", 512, False, 1)
    assert (tower.inputs, tower.tokenizer_kind) == (("input_ids", "attention_mask"), "tokenizers")
    assert (tower.query_prefix, tower.text_prefix) == ("", "")


def test_the_settings_of_sentence_transformers_hold(tmp_path):
    folder = text_folder(tmp_path / "bge-small-en-v1.5")
    write_folder(
        folder,
        {
            "modules.json": [{"type": "sentence_transformers.models.Pooling"}],
            "1_Pooling/config.json": {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
            "sentence_bert_config.json": {"max_seq_length": 128},
            "config_sentence_transformers.json": {"prompts": {"query": "find: ", "document": "doc: "}},
        },
    )
    tower = read(folder).text
    assert (tower.pooling, tower.max_tokens) == ("mean", 128)
    assert (tower.query_prefix, tower.text_prefix) == ("find: ", "doc: ")


@pytest.mark.parametrize(
    ("name", "pooling", "query", "text"),
    [
        ("bge-small-en-v1.5", "cls", BGE, ""),
        ("Xenova/bge-base-en", "cls", BGE, ""),
        ("multilingual-e5-small", "mean", "query: ", "passage: "),
        ("intfloat/e5-base-v2", "mean", "query: ", "passage: "),
        ("me/e5-small-v2-onnx", "mean", "query: ", "passage: "),
        ("all-MiniLM-L6-v2", "mean", "", ""),
        ("e5-mistral-7b-instruct", "mean", "", ""),
    ],
)
def test_known_families_are_known_by_name(name, pooling, query, text, tmp_path):
    for tower in (
        read(text_folder(tmp_path / "a", _name_or_path=name)).text,
        read(text_folder(tmp_path / "b"), name=name).text,
    ):
        assert (tower.pooling, tower.query_prefix, tower.text_prefix) == (pooling, query, text)


def test_pooling_in_its_newer_words_and_the_last_token(tmp_path):
    folder = text_folder(tmp_path)
    for facts, pooling in (
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean_sqrt_len_tokens"}, "mean"),
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, "last"),
    ):
        write_folder(folder, {"1_Pooling/config.json": facts})
        assert read(folder).text.pooling == pooling
    for facts in ({"pooling_mode_max_tokens": True}, {"pooling_mode": "weightedmean"}, {"word": 3}):
        write_folder(folder, {"1_Pooling/config.json": facts})
        with pytest.raises(ModelError, match=r"asks for the pooling .*cls, mean and lasttoken"):
            read(folder)


def test_a_sentence_embedding_needs_no_pooling(tmp_path):
    folder = text_folder(tmp_path, text_model("sentence_embedding", dim=7))
    write_folder(folder, {"modules.json": [{"type": "sentence_transformers.models.Dense"}]})
    assert (read(folder).text.pooling, read(folder).dim) == ("none", 7)
    write_folder(folder, {"onnx/model.onnx": text_model()})
    with pytest.raises(ModelError, match="a layer Dense after its ONNX file"):
        read(folder)


def test_roberta_counts_positions_from_two_on(tmp_path):
    folder = text_folder(tmp_path, model_type="xlm-roberta", max_position_embeddings=514)
    assert read(folder).text.max_tokens == 512


def test_float32_comes_first_then_quantized_then_what_is_named():
    several = ["onnx/model_quantized.onnx", "onnx/model.onnx", "onnx/model_fp16.onnx", "config.json"]
    assert choose_onnx(several, None, "it") == ("onnx/model.onnx",)
    assert choose_onnx(several, "fp16", "it") == ("onnx/model_fp16.onnx",)
    assert choose_onnx(several[::2], None, "it") == ("onnx/model_quantized.onnx",)
    towers = ["onnx/vision_model.onnx", "onnx/text_model.onnx", "onnx/model.onnx", "onnx/model_int8.onnx"]
    assert choose_onnx(towers, None, "it") == ("onnx/vision_model.onnx", "onnx/text_model.onnx")
    assert choose_onnx(["vision_model.onnx", "text_model.onnx"], "fp32", "it")[0] == "vision_model.onnx"
    for names, variant in ((several, "int8"), (towers, "int8"), ([], None), (["deep/down/model.onnx"], None)):
        with pytest.raises(ModelError, match=r"it has .*; expected"):
            choose_onnx(names, variant, "it")


def test_another_variant_is_another_model(tmp_path):
    folder = photo_folder(tmp_path / "mine")
    write_folder(folder, {"onnx/model_fp16.onnx": photo_model(size="side")})
    plain, half = read(folder), read(folder, variant="fp16")
    assert (plain.name, half.name) == ("mine", "mine#fp16")
    assert plain.model_id != half.model_id


def test_the_model_id_holds_all_that_decides_a_vector_and_no_path(tmp_path):
    first, again = read(photo_folder(tmp_path / "a")), read(photo_folder(tmp_path / "b"))
    assert first.model_id == again.model_id and len(first.model_id) == 64
    others = [
        read(photo_folder(tmp_path / "c", resample=3)),
        read(photo_folder(tmp_path / "d", image_std=[0.6, 0.5, 0.5])),
        read(photo_folder(tmp_path / "e", photo_model(size="side"))),
        read(text_folder(tmp_path / "f")),
        read(text_folder(tmp_path / "g", _name_or_path="e5-small")),
    ]
    assert len({first.model_id, *(each.model_id for each in others)}) == 6


def test_the_licence_is_the_one_on_the_card(tmp_path):
    folder = photo_folder(tmp_path)
    assert read(folder).licence == "unknown"
    (folder / "README.md").write_text('---\nlanguage: en\nlicense: "apache-2.0"\n---\nlicense: mine\n')
    assert read(folder).licence == "apache-2.0"


def test_our_own_record_is_read(tmp_path):
    source = load_bundled().photo.file.path.parent
    for path in source.iterdir():
        os.link(path, tmp_path / path.name)
    record = read(tmp_path)
    assert (record.name, record.reference) == ("efficientnet-lite0", str(tmp_path))


def test_our_own_record_stays_within_its_folder(tmp_path):
    facts = json.loads((load_bundled().photo.file.path.parent / "record.json").read_text())
    for name in ("../model.onnx", "/etc/passwd", "onnx/model.onnx"):
        write_folder(tmp_path, {"record.json": {**facts, "file": name}})
        with pytest.raises(ModelError, match="a file outside its folder"):
            read(tmp_path)


def test_a_changed_file_is_refused_when_it_is_used(tmp_path):
    folder = photo_folder(tmp_path)
    record = read(folder, sums={"onnx/model.onnx": "0" * 64})
    for use in (record.photo.file.read_bytes, record.photo.file.verify):
        with pytest.raises(ModelError, match=r"model\.onnx has sha256 .*, expected 000000000000"):
            use()
    unchanged = read(folder).photo.file
    unchanged.verify()
    write_folder(folder, {"onnx/model.onnx": photo_model(size="side")})
    with pytest.raises(ModelError, match="has sha256"):
        unchanged.verify()
    assert read(folder).photo.file.sha256 != unchanged.sha256
