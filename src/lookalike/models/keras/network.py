"""From a request to the Keras network that gives the vectors; runs only in the conversion's own process."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import FetchError, ModelError, UsageError
from lookalike.models.keras.files import check_model_file, check_weights_file
from lookalike.models.keras.prepare import (
    application_names,
    find_application,
    guessed_preprocess,
    preparation,
)
from lookalike.models.keras.wire import NO_WEIGHTS, ConvertRequest, one_line

_USUAL_SIZE = 224
_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Network:
    """A Keras model from prepared pixels to `(n, dim)`, and what prepares RGB 0-255 `(n, size, size, 3)`."""

    model: Any
    prepare: Callable[[Any], Any]
    name: str
    layer: str
    preprocess: str
    guessed: bool
    size: int


def build_network(request: ConvertRequest) -> Network:
    """Build or load it; raises `UsageError`, `ModelError` or `FetchError`."""
    if request.application is not None:
        name = find_application(request.application)
        size = request.size or (_usual_size(name) if not request.top else None)
        model = _built(name, request, size)
    else:
        assert request.model_file is not None
        name = Path(request.model_file).name
        model, size = _loaded(Path(request.model_file)), request.size
    _check_inputs(model, name)
    size = _square(model, name, size)
    asked = request.preprocess or (request.application and name)
    preprocess = asked or guessed_preprocess(model, name)
    layer, output = _chosen_output(model, name, request.layer)
    return Network(
        _pooled(model, output, layer, request.pooling),
        preparation(preprocess),
        name,
        layer,
        preprocess,
        asked is None,
        size,
    )


def _built(name: str, request: ConvertRequest, size: int | None) -> Any:
    import keras

    builder = getattr(keras.applications, name)
    options: dict[str, Any] = {} if size is None else {"input_shape": (size, size, 3)}
    if not request.top:
        options |= {"include_top": False, "pooling": "max" if request.pooling == "max" else "avg"}
    if request.weights == "imagenet":
        return _downloaded(name, builder, options)
    try:
        model = builder(weights=None, **options)
    except ValueError as error:
        raise UsageError(f"{name} cannot be built for photos of {size} pixels: {one_line(error)}") from error
    if request.weights != NO_WEIGHTS:
        path = Path(request.weights)
        check_weights_file(path)
        try:
            model.load_weights(path)
        except Exception as error:  # Keras raises ValueError, KeyError and more
            top = "" if request.top else " without its classifier"
            raise ModelError(f"the weights in {path} do not fit {name}{top}: {one_line(error)}") from error
    return model


def _downloaded(name: str, builder: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return builder(weights="imagenet", **options)
    except ValueError as error:
        raise UsageError(f"{name} with ImageNet's weights: {one_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # Keras turns network errors into a bare Exception
        raise FetchError(
            f"the weights of {name} cannot be downloaded: {one_line(error)}; "
            "with a file of them, say --weights FILE"
        ) from error


def _loaded(path: Path) -> Any:
    import keras

    check_model_file(path)
    convnext = sys.modules[keras.applications.ConvNeXtTiny.__module__]
    known = {"DepthwiseConv2D": _depthwise(keras), "LayerScale": convnext.LayerScale}
    try:
        return keras.models.load_model(path, custom_objects=known, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras meets in a stranger's file
        raise ModelError(f"Keras cannot load {path}: {one_line(error)}") from error


def _depthwise(keras: Any) -> Any:
    """Return the layer as Keras 2 saved it: with a number of groups that was always 1."""

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        def __init__(self, *, groups: int = 1, **options: Any) -> None:
            if groups != 1:
                raise ValueError(f"depthwise convolution of {groups} groups")
            super().__init__(**options)

    return DepthwiseConv2D


def _check_inputs(model: Any, name: str) -> None:
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ModelError(f"{name} does not say what it takes; expected a functional or sequential model")
    if len(inputs) != 1:
        raise ModelError(f"{name} takes {len(inputs)} inputs; expected one, photos")
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3:
        raise ModelError(f"{name} takes {shape}; expected RGB photos, (None, height, width, 3)")


def _square(model: Any, name: str, wanted: int | None) -> int:
    """Return how many pixels wide and high the photos are."""
    height, width = model.inputs[0].shape[1:3]
    if height != width:
        raise ModelError(f"{name} takes photos of {width} × {height} pixels; expected a square")
    if height is not None:
        if wanted not in (None, height):
            raise UsageError(f"{name} takes photos of {height} pixels, --size {wanted} was asked for")
        return int(height)
    if wanted is None:
        same = [each for each in application_names() if each.lower() == str(model.name).lower()]
        if not same:
            raise UsageError(
                f"{name} takes photos of any size: say which with --size (such as {_USUAL_SIZE})"
            )
        return _usual_size(same[0])
    return wanted


def _usual_size(name: str) -> int:
    """Return the size that an application is made for with its classifier."""
    import keras

    return getattr(keras.applications, name)(weights=None).input_shape[1] or _USUAL_SIZE


def _chosen_output(model: Any, name: str, wanted: str | None) -> tuple[str, Any]:
    """Return a layer's name and what it gives."""
    if wanted is not None:
        names = [each.name for each in model.layers]
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, 3, 0.7)
            shown = list(dict.fromkeys([*near, *names[: -_NAMES_SHOWN - 1 : -1]]))[:_NAMES_SHOWN]
            raise UsageError(f"{name} has no layer {wanted!r}; its last ones are {', '.join(shown)}")
        return wanted, _single(model.get_layer(wanted), name, "output")
    if len(model.outputs) != 1:
        raise UsageError(f"{name} has {len(model.outputs)} outputs: say which layer with --layer")
    last = model.layers[-1]
    if not _classifies(last):
        return last.name, model.outputs[0]
    classifier = next(each for each in reversed(model.layers) if each.weights)
    return _before(model, classifier, name)


def _classifies(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.Softmax) or (
        getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"
    )


def _before(model: Any, layer: Any, name: str) -> tuple[str, Any]:
    """Return what a layer takes, and which layer gives that; dropout does nothing here."""
    import keras

    givers = {id(each.output): each for each in model.layers if each is not layer}
    while True:
        tensor = _single(layer, name, "input")
        giver = givers.get(id(tensor))
        if not isinstance(giver, keras.layers.Dropout):
            return (giver.name if giver is not None else f"before {layer.name}"), tensor
        layer = giver


def _single(layer: Any, name: str, side: str) -> Any:
    try:
        tensor = getattr(layer, side)
    except (AttributeError, ValueError) as error:
        raise ModelError(f"the layer {layer.name} of {name} is used more than once or not at all") from error
    if isinstance(tensor, list | tuple | dict):
        raise ModelError(f"the layer {layer.name} of {name} has more than one {side}; choose another")
    return tensor


def _pooled(model: Any, output: Any, layer: str, pooling: str) -> Any:
    """Return the model that gives one row of numbers a photo."""
    import keras

    rank = len(output.shape)
    if rank in (3, 4):
        kind = "Average" if pooling == "avg" else "Max"
        across = (
            keras.layers.Flatten
            if pooling == "flatten"
            else getattr(keras.layers, f"Global{kind}Pooling{rank - 2}D")
        )
        output = across(name="vector_of_map")(output)
    elif rank != 2:
        raise ModelError(
            f"the layer {layer} gives {tuple(output.shape)}; expected a row or a map of numbers a photo"
        )
    return keras.Model(model.inputs, output)
