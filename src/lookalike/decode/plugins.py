"""Pillow's readers as a worker uses them: what lies beside the pixels never decides about a picture."""

from __future__ import annotations

from functools import cache
from typing import Any

from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from lookalike.decode.files import file_size

_MAX_BESIDE = 4 << 20  # bytes of a profile or of XMP, compressed or not
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FACTS = (b"iCCP", b"eXIf", b"sBIT")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_TOLD = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # the texts in which programs write facts
_LONGEST_KEYWORD = 80

_ARITHMETIC = (0xFFC9, 0xFFCA)
_START_OF_SCAN = 0xFFDA


def adjust_plugins() -> None:
    """Change the readers of this process, once, when it starts."""
    Image.MAX_IMAGE_PIXELS = None  # the limit is checked by the worker, with a reason for the user
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = _MAX_BESIDE
    PngImagePlugin.PngStream = _PngStream  # type: ignore[misc]
    markers: dict[int, tuple[Any, ...]] = JpegImagePlugin.MARKER
    for marker in _ARITHMETIC:
        markers[marker] = (*markers[marker][:2], _arithmetic_frame)
    markers[_START_OF_SCAN] = (*markers[_START_OF_SCAN][:2], _scan)
    for order, suffix in ((b"II", ""), (b"MM", "B")):
        TiffImagePlugin.OPEN_INFO[order, 0, (1,), 1, (16,), ()] = (f"I;16{suffix}", f"I;16{suffix}")
        for photometric in (0, 1):
            TiffImagePlugin.OPEN_INFO[order, photometric, (1,), 1, (12,), ()] = ("I;16", "I;12")


@cache
def register(name: str) -> None:
    """Make the reader of a format ready that is not needed by every worker."""
    if name == "AVIF":
        from PIL import AvifImagePlugin  # a large library

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # there is a worker per core
    elif name == "HEIF":
        import pillow_heif  # optional extra

        pillow_heif.register_heif_opener()
        pillow_heif.options.DECODE_THREADS = 1
    elif name == "JXL":
        from pillow_jxl import JpegXLImagePlugin  # optional extra, registers itself

        JpegXLImagePlugin.DECODE_THREADS = 0


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
        try:
            if length <= _MAX_BESIDE and (cid in _FACTS or (cid in _TEXTS and self._is_told(pos))):
                if cid == b"sBIT":
                    self.im_info["sbit"] = max(self.fp.read(min(length, 4)), default=0)
                else:
                    super().call(cid, pos, length)
        except Exception:  # whatever is wrong with it, the pixels are not
            pass
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


def _scan(image: Any, _: int) -> None:
    """Note a first scan that has not all components: the coefficients of all of them are held then."""
    length = int.from_bytes(image.fp.read(2), "big") - 2
    header = ImageFile._safe_read(image.fp, length)
    if header and header[0] < image.layers:
        image.info["several_scans"] = 1
