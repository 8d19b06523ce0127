"""What the conversion of a Keras model and the process that runs Keras say to each other.

The request is one JSON argument. The answers are lines of JSON: `{"step": …}` any number of times, then
`{"done": …}` or `{"error": …, "message": …}`, the error by the name of its class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lookalike import errors
from lookalike.errors import LookalikeError, MissingExtraError

MODEL_FILE = "model.onnx"
PICTURES_FILE = "pictures.npy"
VECTORS_FILE = "vectors.npy"
INPUT_NAME = "pixels"
OUTPUT_NAME = "embedding"
NO_WEIGHTS = "none"
SUFFIXES = (".keras", ".h5", ".hdf5")
MODES = ("caffe", "tf", "torch", "unit", "none")
"""Ways to prepare pixels beside those of the applications; "unit" is 0 to 1, "none" leaves them 0 to 255."""


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What is to be converted, and the folder that takes the files named above.

    `application` is a name in `keras.applications`, or `model_file` the path of a saved model. `weights` is
    "imagenet", "none" or a path. `about` goes into the ONNX file, so that its sha256 tells what is prepared
    differently.
    """

    folder: str
    application: str | None
    model_file: str | None
    weights: str
    layer: str | None
    preprocess: str | None
    size: int | None
    top: bool
    pooling: str
    about: dict[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What became of it.

    `network` is the application's name or the file's, `preprocess` whose preparation of pixels is in the
    graph, `guessed` whether that was told by the model's layers, `versions` those of Keras and TensorFlow.
    """

    network: str
    layer: str
    preprocess: str
    guessed: bool
    size: int
    dim: int
    versions: dict[str, str]


def error_of(name: str, message: str) -> LookalikeError:
    """Return the error that the other process met."""
    if name == "MissingExtraError":
        return MissingExtraError(message, "keras")
    kind = getattr(errors, name, None)
    return (
        kind(message)
        if isinstance(kind, type) and issubclass(kind, LookalikeError)
        else LookalikeError(message)
    )


def one_line(text: object, longest: int = 240) -> str:
    """Make a foreign message one printable line of at most `longest` characters."""
    line = " ".join(re.sub(r"[^\x20-\x7e\u00a0-\ud7ff]+", " ", str(text)).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
