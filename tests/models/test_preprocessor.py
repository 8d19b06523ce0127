"""`preprocessor_config.json` in the forms of published models, and in those that cannot be followed."""

import json

import pytest

from lookalike.errors import ModelError
from lookalike.models.preprocessor import read_preprocessor
from lookalike.models.record import Pixels
from lookalike.records import View

HALF = (0.5, 0.5, 0.5)
CLIP = Pixels(1 / 255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@pytest.fixture
def read(tmp_path):
    def read(facts, model_type="", name="preprocessor_config.json"):
        (tmp_path / name).write_text(json.dumps(facts))
        return read_preprocessor(tmp_path, model_type)

    return read


def square(size):
    return {"height": size, "width": size}


FORMS = {
    "CLIP today": (
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, "crop_size": 224},
        View(224, 1.0, "BICUBIC", "steps", 224),
    ),
    "CLIP of 2021": (
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3},
        View(224, 1.0, "BICUBIC", "steps", 224),
    ),
    "the fast one": (
        {"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 336}, "crop_size": 336},
        View(336, 1.0, "BICUBIC", "steps", 336),
    ),
    "MobileCLIP": (
        {
            "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256},
            "crop_size": square(256), "resample": 2, "do_normalize": False,
        },
        View(256, 1.0, "BILINEAR", "steps", 256),
    ),
    "DINOv2": (
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": 224},
        View(224, 1.0, "BICUBIC", "steps", 256),
    ),
    "ViT of 2021": (
        {"feature_extractor_type": "ViTFeatureExtractor", "size": 224, "do_resize": True, "resample": 2},
        View(224, 1.0, "BILINEAR", "squash", 224),
    ),
    "DeiT": (
        {"feature_extractor_type": "DeiTFeatureExtractor", "size": 256, "crop_size": 224, "resample": 3},
        View(224, 1.0, "BICUBIC", "squash", 256),
    ),
    "SigLIP": (
        {"image_processor_type": "SiglipImageProcessor", "size": square(384), "resample": 3},
        View(384, 1.0, "BICUBIC", "squash", 384),
    ),
    "ConvNeXt": (
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "resample": 3},
        View(224, 1.0, "BICUBIC", "steps", 256),
    ),
    "ConvNeXt with a share": (
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.95, "resample": 3},
        View(224, 1.0, "BICUBIC", "steps", 235),
    ),
    "large ConvNeXt": (
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "crop_pct": 0.5},
        View(384, 1.0, "BICUBIC", "squash", 384),
    ),
    "within the processor of all": (
        {"image_processor": {"image_processor_type": "ViTImageProcessor", "size": square(64)}},
        View(64, 1.0, "BILINEAR", "squash", 64),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read(form, read):
    facts, view = FORMS[form]
    assert read(facts)[0] == view


def test_pixels_are_scaled_and_normalized_as_said(read):
    clip = {"image_processor_type": "CLIPImageProcessor"}
    assert read(clip)[1] == CLIP
    assert read({**clip, "do_normalize": False})[1] == Pixels(1 / 255, (0, 0, 0), (1, 1, 1))
    assert read({**clip, "do_rescale": False})[1].scale == 1
    assert read({**clip, "rescale_factor": 0.5, "image_mean": 0.5})[1] == Pixels(0.5, HALF, CLIP.std)


def test_a_file_that_names_no_processor_is_read_by_the_models(read):
    assert read({"size": 224}, "vit")[0].fit == "squash"
    assert read({"size": 224, "crop_size": 224}, "clip")[0].fit == "steps"


def test_the_newer_layout_keeps_it_in_processor_config(read):
    facts = {"image_processor": {"image_processor_type": "SiglipImageProcessor"}, "processor_class": "x"}
    assert read(facts, name="processor_config.json")[0].size == 224


def test_code_of_the_repository_is_not_run(read):
    facts = {"image_processor_type": "ViTImageProcessor", "auto_map": {"AutoImageProcessor": "evil.Evil"}}
    assert read(facts)[0].size == 224


VIT = {"image_processor_type": "ViTImageProcessor"}
UNFIT = {
    "Siglip2ImageProcessor is not known": {"image_processor_type": "Siglip2ImageProcessor"},
    "an unnamed model is not known": {"size": 224},
    "not one square": {**VIT, "size": {"height": 224, "width": 225}},
    "would not become squares": {**VIT, "size": {"shortest_edge": 224}},
    "do_resize false": {**VIT, "do_resize": False},
    "do_flip_channel_order": {**VIT, "do_flip_channel_order": True},
    "resample 17": {**VIT, "resample": 17},
    "resample True|resample 'x'": {**VIT, "resample": "x"},
    "three numbers": {**VIT, "image_mean": [1, 2]},
    "has a zero": {**VIT, "image_std": [1, 0, 1]},
    "a square of 224 out of 200": {**VIT, "size": 200, "do_center_crop": True, "crop_size": 224},
    "a square of 100000": {**VIT, "size": 100000},
    "a square of -1": {**VIT, "size": -1},
    "crop_pct|division": {"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 0},
    "could not convert": {**VIT, "image_mean": ["a", "b", "c"]},
}


@pytest.mark.parametrize("message", UNFIT)
def test_what_cannot_be_followed_is_refused_in_one_line(message, read):
    with pytest.raises(ModelError, match=message) as refusal:
        read(UNFIT[message])
    assert "\n" not in str(refusal.value)


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no preprocessor_config\.json"):
        read_preprocessor(tmp_path, "vit")
