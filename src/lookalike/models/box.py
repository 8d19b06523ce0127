"""The models that come in the box."""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import UsageError
from lookalike.models.record import ModelRecord, read_record
from lookalike.records import Kind

CHOICES = {
    "fast": "efficientnet-lite0-504",
    "better": "efficientnet-pair-504",
    "best": "efficientnet-pair-1008",
}
"""What users choose among, and the models that these words stand for now: a collection keeps its own."""

DEFAULT_MODEL = CHOICES["fast"]
DEFAULT_TEXT_MODEL = "all-minilm-l6-v2"
_FOLDER = Path(__file__).parent / "bundled"


def bundled_names(kind: Kind | None = None) -> list[str]:
    """Return the names of the bundled models, or of those for items of one kind, sorted."""
    names = sorted(path.parent.name for path in _FOLDER.glob("*/record.json"))
    return [name for name in names if kind is None or read_record(_FOLDER / name).kind == kind]


def load_bundled(name: str = DEFAULT_MODEL) -> ModelRecord:
    """Return the record of a bundled model or of a choice; raises `UsageError` for any other name."""
    name = CHOICES.get(name, name)
    if name not in bundled_names():
        raise UsageError(f"no model named {name!r}; there are {', '.join((*CHOICES, *bundled_names()))}")
    return read_record(_FOLDER / name)
