"""The models that come in the box."""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import UsageError
from lookalike.models.record import ModelRecord, read_record

DEFAULT_MODEL = "efficientnet-lite0"
DEFAULT_TEXT_MODEL = "all-minilm-l6-v2"
_FOLDER = Path(__file__).parent / "bundled"


def bundled_names() -> list[str]:
    """Return the names of the bundled models, sorted."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/record.json"))


def load_bundled(name: str = DEFAULT_MODEL) -> ModelRecord:
    """Return the record of a bundled model; raises `UsageError` for any other name."""
    if name not in bundled_names():
        raise UsageError(f"no model named {name!r}; there are {', '.join(bundled_names())}")
    return read_record(_FOLDER / name)
