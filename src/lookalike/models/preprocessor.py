"""What `preprocessor_config.json` says of photos, as a `View` and `Pixels`.

The rules are those of the image processors of Hugging Face transformers 5 that work with Pillow: resize, cut
out the centre, scale, normalize. Where a file is silent, the defaults of its processor hold. A processor that
is not listed here may do something else, so it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import ModelError
from lookalike.models.files import read_json
from lookalike.models.record import Pixels
from lookalike.records import Fit, View

_RESAMPLE = ("NEAREST", "LANCZOS", "BILINEAR", "BICUBIC", "BOX", "HAMMING")  # by Pillow's numbers
_HALF = (0.5, 0.5, 0.5)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_MAX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a processor does where its file is silent; `by_short_side`: so it reads a size of one number."""

    size: int | dict[str, int]
    by_short_side: bool
    crop: int | None
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


_KNOWN = {
    "ViT": _Defaults(224, False, None, 2, _HALF, _HALF),
    "DeiT": _Defaults(256, False, 224, 3, _HALF, _HALF),
    "Beit": _Defaults(224, False, None, 3, _HALF, _HALF),
    "Bit": _Defaults(224, True, 224, 3, _CLIP_MEAN, _CLIP_STD),
    "CLIP": _Defaults(224, True, 224, 3, _CLIP_MEAN, _CLIP_STD),
    "ChineseCLIP": _Defaults({"height": 224, "width": 224}, True, None, 3, _CLIP_MEAN, _CLIP_STD),
    "ConvNext": _Defaults(384, True, None, 3, _HALF, _HALF),
    "Siglip": _Defaults({"height": 224, "width": 224}, False, None, 3, _HALF, _HALF),
    "DINOv3ViT": _Defaults(224, False, None, 2, _IMAGENET_MEAN, _IMAGENET_STD),
    "MobileNetV1": _Defaults(256, True, 224, 2, _HALF, _HALF),
    "MobileNetV2": _Defaults(256, True, 224, 2, _HALF, _HALF),
}
_CONVNEXT_WHOLE = 384  # from this size on, ConvNeXt's processor squashes the whole photo
_BY_MODEL = {  # for files that do not name their processor
    "vit": "ViT", "deit": "DeiT", "swin": "ViT", "swinv2": "ViT", "beit": "Beit", "dinov2": "Bit",
    "dinov2_with_registers": "Bit", "convnext": "ConvNext", "convnextv2": "ConvNext", "resnet": "ConvNext",
    "regnet": "ConvNext", "clip": "CLIP", "siglip": "Siglip",
}  # fmt: skip


def read_preprocessor(folder: Path, model_type: str) -> tuple[View, Pixels]:
    """Return how the model of a folder wants photos; raises `ModelError` where that cannot be followed."""
    path = folder / "preprocessor_config.json"
    facts = read_json(path)
    if not facts:  # newer layouts keep it within the processor of all inputs
        path = folder / "processor_config.json"
        facts = read_json(path)
    if "image_processor" in facts:
        facts = facts["image_processor"]
    if not isinstance(facts, dict) or not facts:
        raise ModelError(f"{folder} has no preprocessor_config.json, which says how photos are prepared")
    try:
        return _follow(facts, model_type)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise ModelError(f"{path}: {error}") from error


def _follow(facts: dict[str, Any], model_type: str) -> tuple[View, Pixels]:
    kind = _kind(facts, model_type)
    defaults = _KNOWN[kind]
    for flag in ("do_flip_channel_order", "rescale_offset", "do_pad"):
        if facts.get(flag):
            raise ValueError(f"{flag} is not supported")
    if not facts.get("do_resize", True):
        raise ValueError("do_resize false is not supported: photos of any size must become squares")
    resample = facts.get("resample", defaults.resample)
    if not isinstance(resample, int) or not 0 <= resample < len(_RESAMPLE):
        raise ValueError(f"resample {resample!r} is not a filter of Pillow")
    shape = _convnext(facts, defaults) if kind == "ConvNext" else _shape(facts, defaults)
    side, fit, scaled = shape
    if not 1 <= side <= scaled <= _MAX_SIDE:
        raise ValueError(f"a square of {side} out of {scaled} pixels is not supported")
    view = View(side, 1.0, _RESAMPLE[resample], fit, scaled)
    return view, _pixels(facts, defaults)


def _kind(facts: dict[str, Any], model_type: str) -> str:
    named = facts.get("image_processor_type") or facts.get("feature_extractor_type") or ""
    kind = _BY_MODEL.get(model_type, "") if not named else str(named)
    for ending in ("Pil", "Fast", "ImageProcessor", "FeatureExtractor"):
        kind = kind.removesuffix(ending)
    if kind not in _KNOWN:
        raise ValueError(
            f"the image processor {named or 'of ' + (model_type or 'an unnamed model')} is not known; "
            f"known are {', '.join(sorted(_KNOWN))}"
        )
    return kind


def _shape(facts: dict[str, Any], defaults: _Defaults) -> tuple[int, Fit, int]:
    """Return the side of the square, how the photo fits, and to what it is scaled before the cut."""
    fit, scaled = _size(facts.get("size", defaults.size), defaults)
    crops = facts.get("do_center_crop")
    crops = defaults.crop is not None if crops is None else crops
    if crops:
        side = _square(facts.get("crop_size", defaults.crop or scaled))
    elif fit == "steps":
        raise ValueError("it only scales the short side, so photos would not become squares")
    else:
        side = scaled
    return side, fit, scaled


def _size(size: Any, defaults: _Defaults) -> tuple[Fit, int]:
    if isinstance(size, dict) and set(size) == {"shortest_edge"}:
        return "steps", _whole(size["shortest_edge"])
    if isinstance(size, int) and defaults.by_short_side:
        return "steps", size
    return "squash", _square(size)


def _convnext(facts: dict[str, Any], defaults: _Defaults) -> tuple[int, Fit, int]:
    size = facts.get("size", defaults.size)
    side = _whole(size["shortest_edge"]) if isinstance(size, dict) else _whole(size)
    if facts.get("do_center_crop"):
        raise ValueError("do_center_crop is not supported beside crop_pct")
    if side >= _CONVNEXT_WHOLE:
        return side, "squash", side
    share = facts.get("crop_pct")
    return side, "steps", int(side / (224 / 256 if share is None else float(share)))


def _square(size: Any) -> int:
    if isinstance(size, dict) and set(size) == {"height", "width"} and size["height"] == size["width"]:
        return _whole(size["height"])
    if isinstance(size, (list, tuple)) and len(size) == 2 and size[0] == size[1]:
        return _whole(size[0])
    if isinstance(size, int):
        return size
    raise ValueError(f"the size {size!r} is not one square")


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"{number!r} is not a whole number of pixels")
    return number


def _pixels(facts: dict[str, Any], defaults: _Defaults) -> Pixels:
    scale = float(facts.get("rescale_factor") or 1 / 255) if facts.get("do_rescale", True) else 1.0
    if not facts.get("do_normalize", True):
        return Pixels(scale, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    mean = _three(facts.get("image_mean"), defaults.mean)
    std = _three(facts.get("image_std"), defaults.std)
    if not all(std):
        raise ValueError("image_std has a zero")
    return Pixels(scale, mean, std)


def _three(value: Any, default: tuple[float, ...]) -> tuple[float, float, float]:
    if value is None:
        value = default
    if isinstance(value, (int, float)):
        value = [value] * 3
    if len(value) != 3:
        raise ValueError(f"expected three numbers, one per colour, got {value!r}")
    red, green, blue = (float(number) for number in value)
    return red, green, blue
