"""The facts a photo's EXIF states: when, with what and where it was taken."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import datetime

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

_MAX_TEXT = 120


def read_facts(image: Image.Image) -> dict[str, str | int | float]:
    """Return those of `taken`, `camera`, `lat`, `lon` that the EXIF states believably.

    `taken` is the camera's local time in ISO 8601 to the second; `lat` and `lon` are degrees, north and
    east positive. EXIF is a stranger's data: whatever is malformed is left out, nothing is raised.
    """
    facts: dict[str, str | int | float] = {}
    for read in (_taken, _camera, _place):
        with suppress(Exception):  # Pillow raises all sorts on malformed EXIF
            facts.update(read(image.getexif()))
    return facts


def _taken(exif: Image.Exif) -> dict[str, str]:
    details = exif.get_ifd(IFD.Exif)
    raw = details.get(Base.DateTimeOriginal) or details.get(Base.DateTimeDigitized) or exif.get(Base.DateTime)
    if not raw:
        return {}
    moment = datetime.strptime(_text(raw)[:19], "%Y:%m:%d %H:%M:%S")  # EXIF 2.32, 4.6.6
    return {"taken": moment.isoformat()} if moment.year > 1800 else {}


def _camera(exif: Image.Exif) -> dict[str, str]:
    make, model = _text(exif.get(Base.Make, "")), _text(exif.get(Base.Model, ""))
    if make and model.lower().startswith(make.lower().split()[0]):
        make = ""  # "Canon" + "Canon EOS 5D" is said once
    camera = f"{make} {model}".strip()
    return {"camera": camera} if camera else {}


def _place(exif: Image.Exif) -> dict[str, float]:
    gps = exif.get_ifd(IFD.GPSInfo)
    if GPS.GPSLatitude not in gps or GPS.GPSLongitude not in gps:
        return {}
    lat = _degrees(gps[GPS.GPSLatitude], _text(gps.get(GPS.GPSLatitudeRef, "N")) == "S")
    lon = _degrees(gps[GPS.GPSLongitude], _text(gps.get(GPS.GPSLongitudeRef, "E")) == "W")
    believable = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0, 0) and math.isfinite(lat + lon)
    return {"lat": lat, "lon": lon} if believable else {}


def _degrees(parts: tuple[float, float, float], negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return round(-value if negative else value, 6)


def _text(raw: str | bytes) -> str:
    """One short line of printable text out of an EXIF field."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    text = re.sub(r"[^\x20-\x7e\u00a0-\ud7ff\uf900-\ufffd]+", " ", text.split("\0", 1)[0])
    return " ".join(text.split())[:_MAX_TEXT]
