"""How much memory decoding a picture takes, told from its header, so that what is too big is refused as such.

The libraries beneath report a failed allocation as a damaged file, where they report it at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any

from PIL import Image
from PIL.ExifTags import Base

from lookalike.decode.files import file_size
from lookalike.decode.refusal import RefusalError
from lookalike.decode.requests import MEMORY_BYTES

_RESIDENT = 96 << 20  # the interpreter, the libraries, and what scaling takes
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # of a pixel, else 4

# Bytes of a pixel that a decoder holds beside the picture: planes, canvases, copies. Measured.
_PLAIN, _MOST_OF_PLAIN = (
    ("JPEG", "PNG", "GIF"),
    20,
)  # formats, and the most bytes of a pixel that they can take
_BESIDE = {"WEBP": 12.4, "HEIF": 5.0, "JXL": 13.0}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may be and take."""

    max_pixels: int
    memory_bytes: int = MEMORY_BYTES

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture of more pixels."""
        if width * height > self.max_pixels:
            raise RefusalError(
                f"{width:,} × {height:,} pixels: over the limit of {self.max_pixels // 1_000_000} megapixels"
            )

    def check_header(self, name: str, size: tuple[int, int], file: IO[bytes]) -> None:
        """Refuse a picture that its reader would decode to open it: `name` is WEBP or JXL."""
        self.check_size(*size)
        self._check(name, size, size[0] * size[1] * 4 + _beside(name, size[0] * size[1], file))

    def check(self, image: Image.Image, size: tuple[int, int]) -> None:
        """Refuse an open picture of `size` that takes more memory at the scale that is set."""
        allowed = self.memory_bytes - _RESIDENT
        if image.format in _PLAIN and size[0] * size[1] * _MOST_OF_PLAIN <= allowed:
            return  # as nearly all are
        progressive = "progressive " if image.info.get("progressive") else ""
        self._check(f"{progressive}{image.format}", size, bytes_needed(image))

    def halvings(self, image: Image.Image, most: int) -> int:
        """Return how many times an open picture must be halved while it is decoded, to take no more."""
        allowed = self.memory_bytes - _RESIDENT
        return next((each for each in range(most) if bytes_needed(image, each) <= allowed), most)

    def _check(self, kind: str, size: tuple[int, int], needed: int) -> None:
        if needed > self.memory_bytes - _RESIDENT:
            raise RefusalError(
                f"{size[0]:,} × {size[1]:,} pixels as {kind} need {(needed + _RESIDENT) >> 20:,} MiB "
                f"of memory to decode, a worker may use {self.memory_bytes >> 20:,}"
            )


def bytes_needed(image: Any, halvings: int = 0) -> int:
    """Return about how many bytes decoding takes at its peak, with the copy that turning a photo makes.

    `halvings` is how many times JPEG or JPEG 2000 is halved while it is decoded, beyond what is set already.
    """
    reduced = halvings + (image._reduce if image.format == "JPEG2000" else 0)
    pixels: int = image.width * image.height >> 2 * reduced
    of_picture = pixels * _BYTES.get(image.mode, 4)
    beside: int
    turned = of_picture if _is_turned(image) else 0
    match image.format:
        case "JPEG" | "MPO":
            beside = _coefficients(image) + 2 * image.decodermaxblock
        case "TIFF":
            return of_picture + turned + _strips(image)
        case "AVIF":
            beside = int(pixels * _planes_of_avif(image)) + 2 * file_size(image.fp)
        case "JPEG2000":
            beside = 6 * pixels * len(image.getbands())  # of an untiled picture, as 32-bit numbers
        case "BMP" | "PSD":
            beside = _longest_read(image)
        case name:
            beside = _beside(name or "", pixels, image.fp)
    return of_picture + max(beside, turned)


def _beside(name: str, pixels: int, file: IO[bytes] | None) -> int:
    return int(pixels * _BESIDE[name]) + 3 * file_size(file) if name in _BESIDE else 0


def _is_turned(image: Image.Image) -> bool:
    if image.format == "PNG" and "exif" not in image.info:
        return False  # to look for it behind the pixels, Pillow would decode them
    try:
        return image.getexif().get(Base.Orientation, 1) in range(2, 9)
    except Exception:  # malformed EXIF raises all sorts
        return False


def _coefficients(image: Any) -> int:
    """A JPEG of several scans is held whole as 16-bit coefficients, whatever scale is asked for."""
    if not (image.info.get("progressive") or image.info.get("several_scans")):
        return 0
    scale = image.decoderconfig[0] if image.decoderconfig else 1
    across = max((horizontal for _, _, horizontal, _ in image.layer), default=1)
    down = max((vertical for _, vertical, _, _ in image.layer), default=1)
    share = sum(h * v for _, v, h, _ in image.layer) / (across * down)
    return int(image.width * image.height * scale * scale * 2 * share)


def _strips(image: Any) -> int:
    """What libtiff maps and unpacks at a time, or what Pillow reads at a time."""
    if not image.use_load_libtiff:
        return _longest_read(image)
    tags = image.tag_v2
    width, height = (
        tags.get(322) or image.width,
        tags.get(323) or min(tags.get(278, image.height), image.height),
    )
    bits = sum(tags.get(258, (1,))) if isinstance(tags.get(258, (1,)), tuple) else 8
    unpacked = width * height * max(bits, 8, 32 if tags.get(262) == 6 else 0) // 8
    return int(min(unpacked, 1 << 40)) + file_size(image.fp)


def _longest_read(image: Any) -> int:
    """Pillow reads from one piece of pixels to the next at once, and then joins what it has read."""
    size = file_size(image.fp)
    starts = sorted({min(tile[2], size) for tile in image.tile})
    return 2 * max((after - at for at, after in pairwise(starts)), default=0)


def _planes_of_avif(image: Any) -> float:
    """Return the bytes of a pixel that libavif and Pillow hold: the planes, as bytes, and some to spare."""
    image.fp.seek(0)
    head = image.fp.read(1 << 16)
    at = head.find(b"av1C")  # AV1-ISOBMFF 2.3.3: the third byte holds depth and subsampling
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    deep, grey, half_across, half_down = flags & 0x40, flags & 0x10, flags & 8, flags & 4
    colour = 0.0 if grey else 2.0 / (2 if half_across else 1) / (2 if half_down else 1)
    return (2 if deep else 1) * (1 + colour) + len(image.getbands()) + 1.0
