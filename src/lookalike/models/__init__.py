"""Models as data: a record for each, and the files that come in the box."""

from lookalike.models.box import CHOICES, DEFAULT_MODEL, DEFAULT_TEXT_MODEL, bundled_names, load_bundled
from lookalike.models.record import (
    ModelFile,
    ModelRecord,
    PhotoPart,
    PhotoTower,
    Pixels,
    TextTower,
    read_record,
)

__all__ = [
    "CHOICES",
    "DEFAULT_MODEL",
    "DEFAULT_TEXT_MODEL",
    "ModelFile",
    "ModelRecord",
    "PhotoPart",
    "PhotoTower",
    "Pixels",
    "TextTower",
    "bundled_names",
    "load_bundled",
    "read_record",
]
