"""Which picture formats are opened, recognised by their first bytes and never by their name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

HEAD_BYTES = 512
"""How many bytes `sniff` and `jpeg_start` need to see."""

READER = 2
"""Goes up whenever more is read: files that were skipped are then tried again."""


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional package that reads a format: its module and distribution, our extra, and what it reads."""

    module: str
    distribution: str
    name: str
    photos: str

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.module) is not None

    @property
    def reason(self) -> str:
        """Why a photo is skipped without it; faces look for `pip install 'lookalike[NAME]'` in it."""
        if not self.name:
            return (
                f"{self.photos} need a package that lookalike does not bring: pip install {self.distribution}"
            )
        return f"{self.photos} need an optional package: pip install 'lookalike[{self.name}]'"


EXTRAS = {
    "HEIF": Extra("pillow_heif", "pillow-heif", "heic", "HEIC photos"),
    "JXL": Extra("pillow_jxl", "pillow-jxl-plugin", "", "JPEG XL photos"),
}
"""The formats that need an extra, by Pillow's name of the format; the plugin of JPEG XL is under the GPL, so
that it is used where the user has installed it, and is no extra of ours."""

HAS_HEIF = EXTRAS["HEIF"].installed

RAW_FORMATS = {"CR2", "CR3", "CRW", "ORF", "RAF", "RW2", "MRW", "X3F"}
"""RAW formats that have first bytes of their own; others look like a TIFF (see `raw.is_raw_tiff`)."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"8BPS\x00\x01", "PSD"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"IIU\x00", "RW2"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "CRW"),
    (b"\x00MRM", "MRW"),
    (b"FOVb", "X3F"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_JPEG = b"\xff\xd8\xff"
_LINES = re.compile(rb"(?:\xef\xbb\xbf)?(?:[\t\x20-\x7e]*[\r\n])*[\s\x00]*")  # headers, warnings, blank lines
_SCRAP = 16  # bytes of anything; a picture in the tags of a song begins later


def sniff(head: bytes) -> str | None:
    """Return the name of the format that a file starting with `head` claims to be, or None.

    The names are Pillow's, and those of `RAW_FORMATS`.
    """
    if head[:4] == b"II*\x00" and head[8:10] == b"CR":
        return "CR2"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _sniff_iso_media(head)
    return None


def jpeg_start(head: bytes) -> int | None:
    """Return where a JPEG begins behind stray bytes: lines of text, blank ones, or up to 16 of anything."""
    at = head.find(_JPEG)
    if at <= 0 or not (at <= _SCRAP or _LINES.fullmatch(head, 0, at)):
        return None
    return at


def _sniff_iso_media(head: bytes) -> str | None:
    """Tell AVIF, HEIF and CR3 by the brands of the `ftyp` box (ISO/IEC 14496-12, 4.3), and from films."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    return "CR3" if head[8:12] == b"crx " else None


def reader_version() -> str:
    """Name what decodes here, so that files refused by another reader are tried again."""
    from importlib.metadata import version  # slow to import; asked once per run

    extras = "".join(
        f" {extra.distribution} {version(extra.distribution)}" for extra in EXTRAS.values() if extra.installed
    )
    return f"{READER} pillow {version('pillow')}{extras}"
