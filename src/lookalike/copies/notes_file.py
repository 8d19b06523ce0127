"""Where the notes of close looks lie, and the rule they were made by."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lookalike.places import Place
from lookalike.user_folders import user_data_folder

NOTES_FILE = "copies.sqlite"

RULE = "2"
"""Another one where photos are compared in another way: then all of it is done anew."""


def notes_path(place: Place) -> Path:
    """Return where the notes of a collection lie: in its folder, or for Milvus in the user's own."""
    if isinstance(place, Path):
        return place / NOTES_FILE
    name = hashlib.sha256(str(place).encode()).hexdigest()[:16]
    folder = user_data_folder("name a collection in a folder")
    return folder / "copies" / f"{name}.sqlite"
