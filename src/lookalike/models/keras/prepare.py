"""The networks of keras.applications, and how photos are prepared for each."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from lookalike.errors import UsageError
from lookalike.models.keras.wire import MODES

# Layers that only one family of applications has (or that no earlier line claims), and one of its members.
_MARKS = (
    ({"block1_conv1", "block5_conv3"}, "VGG16"),
    ({"conv2_block1_preact_bn", "post_bn"}, "ResNet50V2"),
    ({"conv1_conv", "conv2_block1_1_conv", "conv5_block1_out"}, "ResNet50"),
    ({"conv1_conv", "conv2_block1_1_conv", "conv5_block1_concat"}, "DenseNet121"),
    ({"Conv1", "bn_Conv1", "Conv_1"}, "MobileNetV2"),
    ({"conv1", "conv_dw_1", "conv_pw_13"}, "MobileNet"),
    ({"block14_sepconv2"}, "Xception"),
    ({"conv_7b", "mixed_7a"}, "InceptionResNetV2"),
    ({"mixed0", "mixed10"}, "InceptionV3"),
    ({"stem_bn1", "stem_conv1"}, "NASNetMobile"),
)
_WELL_KNOWN = ("VGG16", "ResNet50", "EfficientNetB0", "MobileNetV2")


def application_names() -> list[str]:
    """Return the names of the networks in `keras.applications`."""
    import keras  # the `keras` extra

    return [name for name in dir(keras.applications) if name[:1].isupper()]


def find_application(wanted: str) -> str:
    """Return an application's name as Keras writes it; raises `UsageError` where there is none."""
    names = application_names()
    for name in names:
        if name.lower() == wanted.lower():
            return name
    near = difflib.get_close_matches(wanted, names, 5, 0.5) or list(_WELL_KNOWN)
    raise UsageError(
        f"keras.applications has no {wanted!r}; it has {', '.join(near)} and {len(names) - len(near)} more; "
        "a saved model is named by its path (keras:/path/model.keras)"
    )


def _all_layers(model: Any) -> Iterator[Any]:
    """Yield the layers in order, each network inside with its own."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)


def guessed_preprocess(model: Any, name: str) -> str:
    """Tell from a model's layers how photos are prepared for it; raises `UsageError` where they do not."""
    import keras  # the `keras` extra

    layers = list(_all_layers(model))
    for layer in layers:
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            return "none"  # the network does it itself
        if hasattr(layer, "kernel"):
            break
    names = {each.name for each in layers}
    for marks, application in _MARKS:
        if marks <= names:
            return application
    raise UsageError(
        f"the layers of {name} do not tell how photos are prepared for it: say --preprocess with the network "
        f"it was made from (VGG16, ResNet50, …) or one of {', '.join(MODES)}"
    )


def preparation(preprocess: str) -> Callable[[Any], Any]:
    """Return Keras' own function for it, which takes arrays and tensors alike."""
    import keras

    if preprocess in ("caffe", "tf", "torch"):
        return partial(keras.applications.imagenet_utils.preprocess_input, mode=preprocess)
    if preprocess == "unit":
        return lambda pixels: pixels / 255.0
    if preprocess == "none":
        return lambda pixels: pixels
    try:
        builder = getattr(keras.applications, find_application(preprocess))
    except UsageError as error:
        raise UsageError(
            f"there is no preprocessing {preprocess!r}; there are {', '.join(MODES)} and the names in "
            "keras.applications, such as VGG16"
        ) from error
    prepare: Callable[[Any], Any] = sys.modules[builder.__module__].preprocess_input
    return prepare
