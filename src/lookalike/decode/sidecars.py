"""The facts that programs write beside a photo: XMP sidecars, and the JSON files of Google Takeout."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from lookalike.decode.exif import Facts, facts_of_xmp, keywords_of, place_of, title_of
from lookalike.errors import LookalikeError
from lookalike.files import open_bytes

_LONGEST = 1 << 20  # bytes
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def with_sidecars(facts: Facts, paths: tuple[str, ...]) -> Facts:
    """Return the facts of a photo with those of the files beside it.

    What an XMP sidecar states counts more than the photo, whose user has changed it there; what Takeout
    states counts less, since it is in the photo, too, unless that lacks it. What cannot be read is left out.
    """
    for path in paths:
        with suppress(OSError, LookalikeError):
            with open_bytes(path) as file:
                content = file.read(_LONGEST + 1)
            if len(content) > _LONGEST:
                continue
            if path.lower().endswith(".xmp"):
                facts = {**facts, **facts_of_xmp(content)}
            else:
                facts = {**_facts_of_takeout(content), **facts}
    return facts


def _facts_of_takeout(content: bytes) -> Facts:
    """Return what the JSON beside a photo says: the moment in UTC, place, description, people."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict) or not isinstance(told.get("photoTakenTime"), dict):
        return {}
    facts: Facts = {}
    for read in (_taken, _place, _title, _people):
        with suppress(Exception):  # all of it is a stranger's data
            facts.update(read(told))
    return facts


def _taken(told: dict[str, Any]) -> Facts:
    seconds = int(told["photoTakenTime"]["timestamp"])
    moment = _BEGINNING + timedelta(seconds=seconds)
    believable = seconds != 0 and moment.year > 1800
    return {"taken": moment.replace(tzinfo=None).isoformat()} if believable else {}


def _place(told: dict[str, Any]) -> Facts:
    for name in ("geoData", "geoDataExif"):
        with suppress(KeyError, TypeError, ValueError):
            place = place_of(float(told[name]["latitude"]), float(told[name]["longitude"]))
            if place:
                return place
    return {}


def _title(told: dict[str, Any]) -> Facts:
    description = told["description"]
    return title_of([description]) if isinstance(description, str) else {}


def _people(told: dict[str, Any]) -> Facts:
    return keywords_of([str(each["name"]) for each in told["people"]])
