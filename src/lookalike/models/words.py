"""What lets words find photos: the text vectors of the names of the classifier's 1,000 classes."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.errors import ModelError
from lookalike.models.record import ModelFile

_FOLDER = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Vectors of class names, made by the text model `text_model` with sha256 `text_model_id`.

    The file holds float16 `(1 + classes, dim)`: the mean of the names' vectors, then each name's vector less
    that mean, of unit length. `template` is what names and queries were put into, such as "a photo of a {}".
    A photo's class scores are divided by `temperature` before the softmax.
    """

    file: ModelFile
    text_model: str
    text_model_id: str
    template: str
    temperature: float

    def vectors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the mean `(dim,)` and the names' vectors `(classes, dim)`; raises `ModelError`."""
        rows = np.load(io.BytesIO(self.file.read_bytes()), allow_pickle=False).astype(np.float32)
        return rows[0], rows[1:]


def load_class_names() -> ClassNames:
    """Return the class names in the box; raises `ModelError` where they are missing or unfit."""
    try:
        facts = json.loads((_FOLDER / "record.json").read_text(encoding="utf-8"))
        return ClassNames(
            ModelFile(_FOLDER / facts["file"], facts["sha256"]),
            facts["text_model"]["name"],
            facts["text_model"]["sha256"],
            facts["template"],
            facts["temperature"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{_FOLDER} holds no readable record of class names: {error}") from error
