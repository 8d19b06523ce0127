"""Other spellings of a name that some disks take for the same: upper and lower case, composed letters."""

from __future__ import annotations

import os
import unicodedata


def spelled(path: str) -> str:
    """Return a path as the folders on its way list it, on disks for which other spellings are the same.

    Such disks ignore upper and lower case, or whether letters are composed (NFC, NFD).
    """
    folder, name = os.path.split(path)
    if not name or not folder:
        return path
    return spelled_in(spelled(folder), name)


def spelled_in(folder: str, name: str) -> str:
    """Return the path of a name in a folder, in the spelling that the folder lists."""
    others = {name.swapcase(), name.lower(), name.upper(), *_forms(name)} - {name}
    if any(os.path.lexists(os.path.join(folder, other)) for other in others):  # noqa: PTH118
        try:
            listed = os.listdir(folder)  # noqa: PTH208  # names may not be UTF-8
        except OSError:
            listed = [name]
        if name not in listed:
            folded = _folded(name)
            name = next((each for each in listed if _folded(each) == folded), name)
    return os.path.join(folder, name)  # noqa: PTH118


def _forms(name: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
