"""The facts a photo states in EXIF, XMP and IPTC: when, with what, where it was taken, and what was noted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PsdImagePlugin import PsdImageFile

from lookalike.decode.xmp import Properties, read_iptc, read_xmp

Facts = dict[str, str | int | float]

_MAX_TEXT = 120
_MAX_KEYWORDS = 1000
_MOMENT = re.compile(r"(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)[ T]+(\d\d?):(\d\d)(?::(\d\d))?")
_IPTC_DAY, _IPTC_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)"), re.compile(r"(\d\d)(\d\d)(\d\d)")
_XMP_PLACE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")
_NO_ISO = 65535  # stands for any higher one, which other tags give
_XMP_TAG, _IPTC_TAG, _RATING = 700, 33723, 18246
_PHOTOSHOP_IPTC, _PHOTOSHOP_EXIF, _PHOTOSHOP_XMP = 0x0404, 1058, 1060
_XP_TITLE, _XP_KEYWORDS = 0x9C9B, 0x9C9E


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a file states, by who wrote it: the camera's EXIF, and what programs added."""

    exif: Image.Exif
    details: dict[int, Any] = field(default_factory=dict)
    xmp: Properties = field(default_factory=dict)
    iptc: Properties = field(default_factory=dict)


def read_facts(image: Image.Image, container: Image.Exif | None = None) -> Facts:
    """Return those facts that the file states believably.

    `taken` is the camera's local time in ISO 8601 to the second; `camera`, `lens` and `title` are a line of
    text; `lat` and `lon` are degrees, north and east positive; `iso` is a whole number, `exposure` seconds,
    `rating` -1 to 5 without 0, which says nothing; `keywords` are joined by "; ". With `container`, the facts
    of the RAW file around the image come first. All is a stranger's data: whatever is malformed is left out,
    nothing is raised.
    """
    stated = [] if container is None else [_stated(container, {})]
    with suppress(Exception):  # Pillow raises all sorts on malformed EXIF
        stated.append(_stated(_exif_of(image), image.info, image))
    facts: Facts = {}
    for each in stated:
        facts = {**_facts_of(each), **facts}
    return facts


def facts_of_xmp(packet: bytes) -> Facts:
    """Return the facts that a packet of XMP states, as `read_facts` does."""
    return _facts_of(_Stated(Image.Exif(), xmp=read_xmp(packet)))


def _facts_of(stated: _Stated) -> Facts:
    facts: Facts = {}
    if stated.exif or stated.details or stated.xmp or stated.iptc:
        for read in (_taken, _camera, _lens, _place, _light, _rating, _keywords, _title):
            with suppress(Exception):
                facts.update(read(stated))
    return facts


def _exif_of(image: Image.Image) -> Image.Exif:
    exif = image.getexif()
    photoshop = _resources(image).get(_PHOTOSHOP_EXIF)
    if photoshop is not None:
        exif.load(b"Exif\0\0" + photoshop)
    return exif


def _resources(image: Image.Image) -> dict[int, bytes]:
    """Return the resources of a PSD file by their number; other files have none."""
    return {kind: data for kind, _, data in image.resources} if isinstance(image, PsdImageFile) else {}


def _stated(exif: Image.Exif, info: dict[Any, Any], image: Image.Image | None = None) -> _Stated:
    details: dict[int, Any] = {}
    with suppress(Exception):
        details = exif.get_ifd(IFD.Exif)
    xmp, iptc = info.get("xmp") or exif.get(_XMP_TAG), exif.get(_IPTC_TAG)
    photoshop = info.get("photoshop")
    if isinstance(photoshop, dict):
        iptc = photoshop.get(_PHOTOSHOP_IPTC, iptc)
    if image is not None:
        resources = _resources(image)
        xmp, iptc = resources.get(_PHOTOSHOP_XMP, xmp), resources.get(_PHOTOSHOP_IPTC, iptc)
    return _Stated(exif, details, read_xmp(xmp) if xmp else {}, read_iptc(iptc) if iptc else {})


def _first(tries: Iterable[Callable[[], Any]]) -> Any:
    """Return the first that is not None and does not fail."""
    for each in tries:
        with suppress(Exception):
            value = each()
            if value is not None:
                return value
    return None


def _taken(stated: _Stated) -> Facts:
    """EXIF's own order, with what programs say before the time of the last change."""
    moment = next((found for each in _moments(stated) if (found := _moment(each))), None)
    return {"taken": moment} if moment else {}


def _moments(stated: _Stated) -> Iterator[Any]:
    yield stated.details.get(Base.DateTimeOriginal)
    yield stated.details.get(Base.DateTimeDigitized)
    for name in ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate"):
        yield from stated.xmp.get(name, ())[:1]
    day = _IPTC_DAY.match("".join(stated.iptc.get("date", ())[:1]))
    time = _IPTC_TIME.match("".join(stated.iptc.get("time", ())[:1]))
    if day and time:
        yield f"{':'.join(day.groups())} {':'.join(time.groups())}"
    yield stated.exif.get(Base.DateTime)


def _moment(raw: Any) -> str | None:
    """Return a day and time as ISO 8601, or None for one that is blank, zero or of no calendar."""
    parts = _MOMENT.match(_text(raw)) if raw else None
    if parts is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return moment.isoformat() if moment.year > 1800 else None


def _camera(stated: _Stated) -> Facts:
    make, model = _text(stated.exif.get(Base.Make, "")), _text(stated.exif.get(Base.Model, ""))
    if make and model.lower().startswith(make.lower().split()[0]):
        make = ""  # "Canon" + "Canon EOS 5D" is said once
    camera = f"{make} {model}".strip()
    return {"camera": camera} if camera else {}


def _lens(stated: _Stated) -> Facts:
    noted = [*stated.xmp.get("exifEX:LensModel", ()), *stated.xmp.get("aux:Lens", ())]
    for each in (stated.details.get(Base.LensModel), *noted):
        lens = _text(each or "")
        if lens.strip("-. 0"):  # adapted lenses are written as ----
            return {"lens": lens}
    return {}


def _light(stated: _Stated) -> Facts:
    """Sensitivity and time of exposure."""
    facts: Facts = {}
    for tag in (
        Base.ISOSpeedRatings,
        Base.RecommendedExposureIndex,
        Base.StandardOutputSensitivity,
        Base.ISOSpeed,
    ):
        iso = _number(stated.details.get(tag))
        if iso is not None and iso > 0 and iso != _NO_ISO:
            facts["iso"] = int(iso)
            break
    seconds = _number(stated.details.get(Base.ExposureTime))
    if seconds is not None and seconds > 0:
        facts["exposure"] = float(f"{seconds:.6g}")
    return facts


def _rating(stated: _Stated) -> Facts:
    for each in (*stated.xmp.get("xmp:Rating", ()), stated.exif.get(_RATING)):
        rating = _number(each)
        if rating is not None and -1 <= rating <= 5:
            return {"rating": int(rating) if rating == int(rating) else rating} if rating else {}
    return {}


def _keywords(stated: _Stated) -> Facts:
    windows = _wide(stated.exif.get(_XP_KEYWORDS)).split(";")
    return keywords_of([*stated.xmp.get("dc:subject", ()), *stated.iptc.get("keywords", ()), *windows])


def keywords_of(words: Iterable[str]) -> Facts:
    """Return keywords as a fact, each once."""
    told: dict[str, None] = {}
    for word in words:
        clean = _text(word.replace(";", ","))
        if clean and len("; ".join((*told, clean))) <= _MAX_KEYWORDS:
            told.setdefault(clean)
    return {"keywords": "; ".join(told)} if told else {}


def _title(stated: _Stated) -> Facts:
    noted = (
        *stated.xmp.get("dc:title", ()),
        *stated.iptc.get("title", ()),
        _wide(stated.exif.get(_XP_TITLE)),
    )
    return title_of(noted)


def title_of(noted: Iterable[str | bytes]) -> Facts:
    """Return the first of some titles that says something, as a fact."""
    title = next((clean for each in noted if (clean := _text(each))), None)
    return {"title": title} if title else {}


def _place(stated: _Stated) -> Facts:
    found = _first((lambda: _place_of_exif(stated.exif), lambda: _place_of_xmp(stated.xmp)))
    return place_of(*found) if found is not None else {}


def _place_of_exif(exif: Image.Exif) -> tuple[float, float] | None:
    gps = exif.get_ifd(IFD.GPSInfo)
    lat = _degrees(gps[GPS.GPSLatitude], _text(gps.get(GPS.GPSLatitudeRef, "")), "NS")
    lon = _degrees(gps[GPS.GPSLongitude], _text(gps.get(GPS.GPSLongitudeRef, "")), "EW")
    return _believable(lat, lon)


def _place_of_xmp(xmp: Properties) -> tuple[float, float] | None:
    angles = []
    for name, signs in (("exif:GPSLatitude", "NS"), ("exif:GPSLongitude", "EW")):
        parts = _XMP_PLACE.fullmatch(xmp[name][0])
        if parts is None:
            return None
        degrees, minutes, seconds, half = parts.groups()
        angles.append(_degrees((float(degrees), float(minutes), float(seconds or 0)), half, signs))
    return _believable(*angles)


def place_of(lat: float, lon: float) -> Facts:
    """Return a place in degrees as a fact, unless it is none on earth, or the one that stands for none."""
    return {"lat": lat, "lon": lon} if _believable(lat, lon) else {}


def _believable(lat: float, lon: float) -> tuple[float, float] | None:
    believable = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0, 0) and math.isfinite(lat + lon)
    return (lat, lon) if believable else None


def _degrees(parts: tuple[float, float, float], half: str, signs: str) -> float:
    """Return an angle; `half` is a letter of `signs` (positive, negative) or a word that begins with it.

    Raises `ValueError` where the half of the globe is not stated, not even by a sign: better none than wrong.
    """
    degrees, minutes, seconds = (float(part) for part in parts)
    value = abs(degrees) + minutes / 60 + seconds / 3600
    letter = half[:1].upper()
    if letter not in tuple(signs):
        if letter or degrees >= 0:
            raise ValueError(f"no half of the globe: {half!r}")
        letter = signs[1]
    return round(-value if letter == signs[1] else value, 6)


def _number(raw: Any) -> float | None:
    """Return a finite number, the first of several."""
    value = raw[0] if isinstance(raw, tuple) and raw else raw
    with suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def _wide(raw: Any) -> str:
    """Return a text that Windows wrote."""
    data = bytes(raw) if isinstance(raw, bytes | tuple) else b""
    return data.decode("utf-16-le", "replace").rstrip("\0")


def _text(raw: str | bytes) -> str:
    """One short line of printable text out of a field."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    text = re.sub(r"[^\x20-\x7e\u00a0-\ud7ff\uf900-\ufffd]+", " ", text.split("\0", 1)[0])
    return " ".join(text.split())[:_MAX_TEXT]
