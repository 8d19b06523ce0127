"""What an export says of the model that made its vectors; whoever wrote it may have written anything."""

from __future__ import annotations

from pathlib import Path

from lookalike.embedders import EmbedderSpec
from lookalike.errors import ModelError, UsageError
from lookalike.models.files import read_json
from lookalike.records import View
from lookalike.transfer.importing.folders import VECTORS_FILE

SPACE_FILE = "space.json"
_LONGEST = 1_000  # letters of a name or reference


def exported_spec(folder: Path) -> EmbedderSpec | None:
    """Return the space that an export says to be, with its model; None where it says nothing of one.

    Raises `UsageError` where it says so in a way that nothing of ours does.
    """
    if not (folder / VECTORS_FILE).is_file():
        return None
    try:
        facts = read_json(folder / SPACE_FILE)
    except ModelError as error:
        raise UsageError(str(error)) from error
    if not facts.get("model") or facts.get("approximate") is True:  # decoded ones would pass for the model's
        return None
    texts = [facts.get(key) for key in ("space", "model", "model_id")]
    dim, kind = facts.get("dim"), facts.get("kind")
    if not all(map(_is_name, texts)) or not isinstance(dim, int) or kind not in ("photo", "text"):
        raise UsageError(
            f"{folder / SPACE_FILE} is not what lookalike export writes; remove it to import without a model"
        )
    name, reference, model_id = map(str, texts)
    return EmbedderSpec(name, model_id, View(0), dim, kind, reference)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and 0 < len(text) <= _LONGEST
