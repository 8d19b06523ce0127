"""Pillow's readers as a worker uses them: what lies beside the pixels never decides about a picture."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from PIL import Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ExifTags import Base

from lookalike.decode.files import file_size

_MAX_BESIDE = 4 << 20  # bytes of a profile or of XMP, compressed or not
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FACTS = (b"iCCP", b"eXIf", b"sBIT")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_TOLD = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # the texts in which programs write facts
_LONGEST_KEYWORD = 80

_COMMON = ("JPEG", "PNG", "GIF", "BMP", "TIFF")

_ARITHMETIC = (0xFFC9, 0xFFCA)
_UNUSED = (0xFFDB, 0xFFE0)  # quantization tables, and the size on paper
_START_OF_SCAN = 0xFFDA
_COMMENT = 0xFFFE
_APPLICATIONS = (*range(0xFFE1, 0xFFF0), _COMMENT)  # facts, profiles and comments

_SHORTEST_PART = 15
_RESOLUTIONS = (282, 283, 296)  # tags of TIFF that nobody here asks for


def adjust_plugins() -> None:
    """Change the readers of this process, once, when it starts."""
    Image.MAX_IMAGE_PIXELS = None  # the limit is checked by the worker, with a reason for the user
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = _MAX_BESIDE
    PngImagePlugin.PngStream = _PngStream  # type: ignore[misc]
    Image.register_open("JPEG", JpegImagePlugin.JpegImageFile, Image.OPEN["JPEG"][1])  # and not as an album
    JpegImagePlugin.JpegImageFile._read_dpi_from_exif = _nothing  # type: ignore[assignment]
    markers: dict[int, tuple[Any, ...]] = JpegImagePlugin.MARKER
    for marker in _APPLICATIONS:
        markers[marker] = (*markers[marker][:2], _application)
    for marker in _ARITHMETIC:
        markers[marker] = (*markers[marker][:2], _arithmetic_frame)
    for marker in _UNUSED:
        markers[marker] = (*markers[marker][:2], JpegImagePlugin.Skip)  # libjpeg reads them itself
    markers[_START_OF_SCAN] = (*markers[_START_OF_SCAN][:2], _scan)
    TiffImagePlugin.TiffImageFile._setup = _set_up_tiff  # type: ignore[assignment]
    TiffImagePlugin.TiffImageFile.load_end = _turn_tiff  # type: ignore[assignment]
    for order, suffix in ((b"II", ""), (b"MM", "B")):
        TiffImagePlugin.OPEN_INFO[order, 0, (1,), 1, (16,), ()] = (f"I;16{suffix}", f"I;16{suffix}")
        for photometric in (0, 1):
            TiffImagePlugin.OPEN_INFO[order, photometric, (1,), 1, (12,), ()] = ("I;16", "I;12")


@cache
def reader_of(name: str) -> Callable[[Any, str], ImageFile.ImageFile]:
    """Return what opens files of a format; those that not every worker needs are imported here."""
    if name == "AVIF":
        from PIL import AvifImagePlugin  # a large library

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # there is a worker per core
    elif name == "HEIF":
        import pillow_heif  # optional extra

        pillow_heif.register_heif_opener()
        pillow_heif.options.DECODE_THREADS = 1
    elif name == "JXL":
        from pillow_jxl import JpegXLImagePlugin  # where the user installed it; registers itself

        JpegXLImagePlugin.DECODE_THREADS = 0
    (Image.preinit if name in _COMMON else Image.init)()
    return Image.OPEN[name][0]


class _PngStream(PngImagePlugin.PngStream):
    """Reads the chunks that make the picture strictly, and those that state facts where that goes well.

    Chunks of an animation are left out, too: what remains is the picture that every program shows.
    """

    def call(self, cid: bytes, pos: int, length: int) -> bytes:
        if cid in _PIXELS:
            return super().call(cid, pos, length)
        assert self.fp is not None
        if not cid[0] & 0x20:  # critical, by the case of its first letter (PNG 5.4), and unknown to us
            raise SyntaxError(f"unknown critical chunk {cid!r}")
        with suppress(Exception):  # whatever is wrong with it, the pixels are not
            if cid == b"sBIT":
                self.im_info["sbit"] = max(self.fp.read(min(length, 4)), default=0)
            elif length <= _MAX_BESIDE and (cid in _FACTS or (cid in _TEXTS and self._is_told(pos))):
                super().call(cid, pos, length)
        self.fp.seek(pos + length)
        return b""

    def crc(self, cid: bytes, data: bytes) -> None:
        if cid in _PIXELS and cid != b"tRNS":
            super().crc(cid, data)
        else:
            self.crc_skip(cid, data)

    def _is_told(self, pos: int) -> bool:
        assert self.fp is not None
        keyword = self.fp.read(_LONGEST_KEYWORD)
        self.fp.seek(pos)
        return keyword.startswith(_TOLD)


def _arithmetic_frame(image: Any, marker: int) -> None:
    """Read the frame's header; libjpeg must have all of an arithmetic-coded picture at once."""
    JpegImagePlugin.SOF(image, marker)
    image.decodermaxblock = file_size(image.fp)


def _application(image: Any, marker: int) -> None:
    """Read what a program has noted, if it can be read."""
    after = image.fp.tell()
    after += int.from_bytes(image.fp.read(2), "big")
    image.fp.seek(-2, os.SEEK_CUR)
    with suppress(IndexError, KeyError, TypeError, ValueError, struct.error):
        (JpegImagePlugin.COM if marker == _COMMENT else JpegImagePlugin.APP)(image, marker)
        if image.icclist and len(image.icclist[-1]) < _SHORTEST_PART:
            image.icclist.pop()  # of a profile, without its number
        return
    image.fp.seek(after)


def _nothing(_: Any) -> None:
    """Leave out what only printers need."""


_open_tiff = TiffImagePlugin.TiffImageFile._setup


def _set_up_tiff(image: Any) -> None:
    for tag in _RESOLUTIONS:
        if tag in image.tag_v2:
            del image.tag_v2[tag]
    _open_tiff(image)


def _turn_tiff(image: Any) -> None:
    """Turn a picture that was decoded upright; facts that cannot be read are left out later, one by one."""
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if Base.Orientation in image.tag_v2:
        del image.tag_v2[Base.Orientation]
    image._size = image.im.size


def _scan(image: Any, _: int) -> None:
    """Note a first scan that has not all components: the coefficients of all of them are held then."""
    length = int.from_bytes(image.fp.read(2), "big") - 2
    header = ImageFile._safe_read(image.fp, length)
    if header and header[0] < image.layers:
        image.info["several_scans"] = 1
