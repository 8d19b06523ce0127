"""Which files beside a photo state facts about it: XMP sidecars, and the JSON files of Google Takeout."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

_REMEMBERED = 64  # folders
_LONGEST_TAKEOUT = 46  # letters that Takeout leaves of a name before ".json"
_TAKEOUT = ".supplemental-metadata"
_NUMBERED = re.compile(r"(.+)(\(\d+\))(\.[^.]*)?")
_EDITED = re.compile(
    r"(.+)-(?:edited|bearbeitet|modifié|editado|modificato|bewerkt|edytowane|編集済み)(\.[^.]*)?"
)


class Sidecars:
    """Finds the sidecars of photos by the names in their folder, which it looks into once.

    Of `IMG.jpg` these are `IMG.jpg.xmp` or else `IMG.xmp`, and what Takeout calls `IMG.jpg.json` or
    `IMG.jpg.supplemental-metadata.json`, cut short and numbered in its own ways.
    """

    def __init__(self) -> None:
        self._folder = lru_cache(_REMEMBERED)(_look_into)

    def of(self, path: str) -> tuple[str, ...]:
        """Return the paths of the sidecars of a photo, XMP last."""
        above, name = os.path.split(path)
        names = self._folder(above)
        if not names:
            return ()
        found: list[str] = []
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        for wanted in (_takeout_names(name), (f"{name}.xmp".lower(), f"{stem}.xmp".lower())):
            called = next((names[each] for each in wanted if each in names), None)
            if called is not None:
                found.append(os.path.join(above, called))  # noqa: PTH118
        return tuple(found)


def _look_into(folder: str) -> dict[str, str]:
    """Return what the sidecars of a folder are called, by their names in small letters."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.lower().endswith((".xmp", ".json"))]
    except OSError:
        return {}
    return {each.lower(): each for each in sorted(names, reverse=True)}


def _takeout_names(name: str) -> Iterator[str]:
    """Yield what the JSON of a photo may be called, in small letters, the likeliest first."""
    names = [name]
    edited = _EDITED.fullmatch(name)
    if edited is not None:  # it shares that of the photo it was made from
        names.append(edited[1] + (edited[2] or ""))
    for each in names:
        yield from _numbered_names(each, "")
        numbered = _NUMBERED.fullmatch(each)
        if numbered is not None:  # IMG(1).jpg has IMG.jpg(1).json
            yield from _numbered_names(numbered[1] + (numbered[3] or ""), numbered[2])


def _numbered_names(name: str, number: str) -> Iterator[str]:
    for whole in (name, name + _TAKEOUT):
        yield f"{whole}{number}.json".lower()
        yield f"{whole[:_LONGEST_TAKEOUT]}{number}.json".lower()
