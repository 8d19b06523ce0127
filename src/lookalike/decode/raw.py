"""RAW files of cameras: which they are, the pictures that lie in them, and their facts."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image
from PIL.ExifTags import IFD, Base

from lookalike.decode.files import File, file_size
from lookalike.decode.ifd import Directory, first

SHORTEST_SIDE = 200
"""Pixels that each side of a preview must have: of thumbnails of 160 × 120 no model can tell much."""

NO_PREVIEW = (
    f"a RAW photo without an embedded preview of at least {SHORTEST_SIDE} pixels a side; "
    "export it as JPEG to have it read"
)
BROKEN_PREVIEW = "a RAW photo whose embedded preview is damaged; export it as JPEG to have it read"

_COMPRESSION, _PHOTOMETRIC, _MAKE, _DNG_VERSION = 259, 262, 271, 50706
_SENSOR = (32803, 34892)  # photometric: colour filter array, linear raw
_PIECES = ((273, 279), (324, 325))  # offsets and lengths of strips, of tiles
_JPEG_AT, _JPEG_LENGTH = 513, 514
_PANASONIC_JPEG = 0x2E
_MAKERS = {
    b"NIKON": "NEF",
    b"SONY": "ARW",
    b"PENTAX": "PEF",
    b"RICOH": "PEF",
    b"SAMSUNG": "SRW",
    b"EASTMAN": "KDC",
}

_CHUNK = 1 << 20
_MOST_HITS = 2000
_MOST_SEGMENTS = 64
_START = b"\xff\xd8\xff"
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive; sensor data are lossless (0xC3)
_HEAD_OF_FACTS = 4 << 20
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")  # the box of Canon's facts in a CR3


@dataclass(frozen=True, slots=True)
class Preview:
    """An embedded JPEG: where it lies (`length` None: to the end of the file), and its size in pixels."""

    start: int
    length: int | None
    width: int
    height: int


def raw_kind(directories: list[Directory], file: File) -> str | None:
    """Return the name of the RAW format whose directories these are, or None for an ordinary TIFF."""
    if any(_DNG_VERSION in directory for directory in directories):
        return "DNG"
    if not any(first(directory, _PHOTOMETRIC) in _SENSOR for directory in directories):
        return None
    make = directories[0].get(_MAKE)
    if make is not None:
        file.seek(make.start)
        maker = file.read(min(make.length, 16)).upper()
        return next((kind for name, kind in _MAKERS.items() if maker.startswith(name)), "RAW")
    return "RAW"


def previews(file: File, directories: list[Directory]) -> list[Preview]:
    """Return the embedded JPEGs that are large enough, the largest first.

    What the directories name comes first; where that is nothing, the whole file is searched.
    """
    size = file_size(file)
    named = [
        Preview(start, length, *pixels)
        for start, length in _named(directories)
        if start + length <= size and (pixels := _jpeg_size(file, start))
    ]
    found = _large(named) or _large(list(_searched(file, _sensor_data(directories))))
    return sorted(found, key=lambda preview: -preview.width * preview.height)


def _large(found: list[Preview]) -> list[Preview]:
    return [preview for preview in found if min(preview.width, preview.height) >= SHORTEST_SIDE]


def _named(directories: list[Directory]) -> Iterator[tuple[int, int]]:
    """Yield where the directories have pictures of one piece that are not the sensor's."""
    for directory in directories:
        if (whole := directory.get(_PANASONIC_JPEG)) is not None:
            yield whole.start, whole.length
        pairs = [(_JPEG_AT, _JPEG_LENGTH)]
        if first(directory, _PHOTOMETRIC) not in _SENSOR:
            pairs += _PIECES
        for at, of_length in pairs:
            starts, lengths = directory.get(at), directory.get(of_length)
            if starts and lengths and len(starts.numbers) == len(lengths.numbers) == 1:
                yield starts.numbers[0], lengths.numbers[0]


def _sensor_data(directories: list[Directory]) -> list[range]:
    """Return the stretches of the file in which JPEGs are pieces of the sensor's picture."""
    return [
        range(start, start + length)
        for directory in directories
        if first(directory, _PHOTOMETRIC) in _SENSOR
        for at, of_length in _PIECES
        if at in directory and of_length in directory
        for start, length in zip(directory[at].numbers, directory[of_length].numbers, strict=False)
    ]


def _searched(file: File, sensor: list[range]) -> Iterator[Preview]:
    """Yield what begins like a JPEG anywhere else in the file."""
    hits, at = 0, 0
    while hits < _MOST_HITS:
        file.seek(at)
        chunk = file.read(_CHUNK + len(_START) - 1)
        place = chunk.find(_START)
        while place >= 0 and hits < _MOST_HITS:
            hits += 1
            start = at + place
            if not any(start in stretch for stretch in sensor) and (pixels := _jpeg_size(file, start)):
                yield Preview(start, None, *pixels)
            place = chunk.find(_START, place + 1)
        at += _CHUNK
        if len(chunk) < _CHUNK:
            return


def _jpeg_size(file: File, start: int) -> tuple[int, int] | None:
    """Return width and height of a JPEG of grey or three colours in 8 bits that begins there, or None."""
    file.seek(start)
    if file.read(2) != _START[:2]:
        return None
    for _ in range(_MOST_SEGMENTS):
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return None
        if head[1] in _FRAMES:
            bits, height, width, components = struct.unpack(">BHHB", file.read(6).ljust(6, b"\0"))
            return (width, height) if bits == 8 and components in (1, 3) and width and height else None
        length = int.from_bytes(head[2:], "big")
        if length < 2 or not (head[1] in (0xC4, 0xDB, 0xDD, 0xFE) or 0xE0 <= head[1] <= 0xEF):
            return None
        file.seek(length - 2, io.SEEK_CUR)
    return None


def facts_of(file: File, name: str) -> Image.Exif | None:
    """Return the EXIF of the RAW file itself; None where only its preview has any."""
    with suppress(Exception):  # malformed EXIF raises all sorts
        exif = Image.Exif()
        if name == "CR3":
            return _facts_of_cr3(file)
        if name in ("RAF", "CRW", "MRW", "X3F"):
            return None
        file.seek(0)
        head = file.read(4)
        source: File = file
        if head not in (b"II*\0", b"MM\0*"):  # Pillow knows no relatives of TIFF
            start = b"II*\0" if head[:2] == b"II" else b"MM\0*"
            source = io.BytesIO(start + file.read(_HEAD_OF_FACTS))
        source.seek(0)
        exif.load_from_fp(source)
        return exif
    return None


def _facts_of_cr3(file: File) -> Image.Exif:
    """Three TIFFs in boxes of their own: the photo's, the shot's and the place's."""
    exif = Image.Exif()
    for kind, start, end in _boxes(file, 0, file_size(file)):
        if kind != b"moov":
            continue
        for inner, at, until in _boxes(file, start, end):
            file.seek(at)
            if inner != b"uuid" or file.read(16) != _CANON:
                continue
            parts = {name: _tiff(file, begin, stop) for name, begin, stop in _boxes(file, at + 16, until)}
            for tag, value in parts.get(b"CMT1", {}).items():
                exif[tag] = value
            exif.get_ifd(IFD.Exif).update(parts.get(b"CMT2", {}))
            exif.get_ifd(IFD.GPSInfo).update(parts.get(b"CMT4", {}))
    return exif


def _tiff(file: File, start: int, end: int) -> dict[int, object]:
    file.seek(start)
    data = file.read(min(end - start, _HEAD_OF_FACTS))
    exif = Image.Exif()
    if data[:4] in (b"II*\0", b"MM\0*"):
        exif.load(data)
    return dict(exif)


def _boxes(file: File, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of what is in each box (ISO/IEC 14496-12, 4.2)."""
    for _ in range(_MOST_SEGMENTS):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, inside = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, inside = int.from_bytes(head[8:], "big"), start + 16
        size = size or end - start
        if size < inside - start or start + size > end:
            return
        yield head[4:8], inside, start + size
        start += size


def orientation_of(exif: Image.Exif | None) -> int | None:
    """Return how a RAW file says that its pictures are to be turned."""
    with suppress(Exception):
        value = exif.get(Base.Orientation) if exif is not None else None
        return value if isinstance(value, int) and 2 <= value <= 8 else None
    return None
