"""The models that come in the box."""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import UsageError
from lookalike.models.record import ModelRecord, read_record
from lookalike.records import Kind

DEFAULT_MODEL = "efficientnet-lite0"
DEFAULT_TEXT_MODEL = "all-minilm-l6-v2"
_FOLDER = Path(__file__).parent / "bundled"


def bundled_names(kind: Kind | None = None) -> list[str]:
    """Return the names of the bundled models, or of those for items of one kind, sorted."""
    names = sorted(path.parent.name for path in _FOLDER.glob("*/record.json"))
    return [name for name in names if kind is None or read_record(_FOLDER / name).kind == kind]


def load_bundled(name: str = DEFAULT_MODEL) -> ModelRecord:
    """Return the record of a bundled model; raises `UsageError` for any other name."""
    if name not in bundled_names():
        raise UsageError(f"no model named {name!r}; there are {', '.join(bundled_names())}")
    return read_record(_FOLDER / name)
