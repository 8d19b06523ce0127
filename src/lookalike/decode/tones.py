"""Pixels of any depth and mode as 8-bit grey, RGB, RGBA or CMYK: what the eye would see."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from PIL import Image, ImageChops, ImageFile

from lookalike.decode import colour
from lookalike.decode.refusal import RefusalError

Convert = Callable[[Image.Image], Image.Image]
"""Brings any part of one picture to a mode that is scaled as it is."""

_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_WHITES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
_ROWS = 256
_SAMPLED = 512  # pixels a side from which the range of floats is told
_BITS, _PHOTOMETRIC, _PLANES, _NODATA = 258, 262, 284, 42113  # tags of TIFF; the last is GDAL's


def displayer(image: Image.Image) -> Convert | None:  # noqa: PLR0911  # one per kind of mode
    """Return what brings the parts of a loaded `image` to grey, RGB, RGBA or CMYK; None where they are.

    CMYK stays where the profile knows its colours. What depends on all pixels is settled here, so that a part
    looks as it does in the whole.
    """
    mode = image.mode
    if mode in _DEEP:
        return _deep_grey(image)
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        return None if mode == "RGB" and not _is_key(image) else lambda part: part.convert("RGBA")
    match mode:
        case "RGB" | "RGBA" | "L":
            return None
        case "1":
            return lambda part: part.convert("L")
        case "LA" | "La" | "RGBa" | "PA":
            return lambda part: part.convert("RGBA")
        case "CMYK" if colour.has_use_for(image, mode):
            return None
        case "LAB":
            return colour.from_lab
    return lambda part: part.convert("RGB")


def _is_key(image: Image.Image) -> bool:
    """Return whether one colour of an RGB picture is stated to be clear, in the picture's own depth."""
    key = image.info["transparency"]
    return isinstance(key, tuple) and len(key) == 3 and max(key) <= 255 and not image.info.get("deep")


def _deep_grey(image: Image.Image) -> Convert:
    low, high = _levels(image)
    scale = 255 / (high - low) if high > low else 1.0
    offset = -low * scale if high > low else 0.0
    if _is_white_zero(image):
        scale, offset = -scale, 255 - offset

    def convert(part: Image.Image) -> Image.Image:
        deep = part if part.mode == "F" else part.convert("I").convert("F")
        return deep.point(lambda value: value * scale + offset).convert("L")

    return convert


def _is_white_zero(image: Image.Image) -> bool:
    """Pillow turns these round itself up to 8 bits."""
    return bool(_tag(image, _PHOTOMETRIC) == 0)


def _levels(image: Image.Image) -> tuple[float, float]:
    """Return the values that are black and white: nominal ones where the values tell, else the extremes."""
    if image.mode == "F":
        low, high = _range_of_floats(image)
        nominal = next((white for white in (1.0, 255.0) if _is_about(white, low, high)), None)
        return (low, high) if nominal is None or low == high else (0.0, nominal)
    low, high = _extrema(image)
    if low < 0 or high > _WHITES[-1]:
        return _range_of_floats(image)
    if image.mode == "I" and high <= 1:
        return 0.0, 1.0
    return 0.0, next(white for white in _whites(image) if high <= white)


def _is_about(white: float, low: float, high: float) -> bool:
    """Return whether floats run from about 0 to about white; filters make some overshoot it."""
    return -0.05 * white <= low and 0.2 * white <= high <= 1.25 * white


def _whites(image: Image.Image) -> tuple[int, ...]:
    """Return the values that may be white in a picture of 16 bits, in rising order.

    PNG states how many bits mean something, or all of them do. Other formats hardly ever say.
    """
    return ((1 << _stated_bits(image)) - 1, _WHITES[-1]) if image.format == "PNG" else _WHITES


def _stated_bits(image: Image.Image) -> int:
    bits = image.info.get("sbit", 16)
    return bits if isinstance(bits, int) and 8 <= bits <= 16 else 16


def _extrema(image: Image.Image) -> tuple[float, float]:
    """Return the lowest and highest of whole numbers."""
    found = [rows.convert("I").getextrema() for rows in _by_rows(image)]
    return min(low for low, _ in found), max(high for _, high in found)  # type: ignore[return-value]


def _by_rows(image: Image.Image) -> Iterator[Image.Image]:
    """Yield the picture in pieces, of which copies may be made."""
    for top in range(0, image.height, _ROWS):
        yield image.crop((0, top, image.width, min(top + _ROWS, image.height)))


def _range_of_floats(image: Image.Image) -> tuple[float, float]:
    """Return the lowest and highest of what was measured: marks for "no value" are left out."""
    size = (min(_SAMPLED, image.width), min(_SAMPLED, image.height))
    sample = image.resize(size, Image.Resampling.NEAREST).convert("F")
    absent = _absent(image)
    values = sorted(
        {value for value in array("f", sample.tobytes()) if math.isfinite(value) and value != absent}
    )
    for _ in range(2):  # one mark at each end
        if len(values) > 3 and values[1] - values[0] > values[-1] - values[1]:
            values = values[1:]
        if len(values) > 3 and values[-1] - values[-2] > values[-2] - values[0]:
            values = values[:-1]
    return (values[0], values[-1]) if values else (0.0, 0.0)


def _absent(image: Image.Image) -> float:
    with suppress(TypeError, ValueError):
        stated = float(str(_tag(image, _NODATA)).strip("\0 "))
        return array("f", [stated])[0]
    return math.nan


def _tag(image: Any, number: int) -> Any:
    """Return what a TIFF states, or None."""
    return image.tag_v2.get(number) if image.format == "TIFF" else None


def settle(image: Image.Image) -> None:
    """Note and correct how Pillow unpacks 16-bit colours; call it before the picture is loaded."""
    if not getattr(image, "tile", None):
        return
    if image.format == "TIFF" and image.mode in ("I", "F"):
        _read_in_native_order(image)
    if image.mode not in ("RGB", "RGBA", "CMYK"):
        return
    if image.format == "TIFF" and 16 in _bits(image) and _is_planar(image):
        _unpack_by_libtiff(image)
    if ";16" in (_rawmode(image) or ""):
        image.info["deep"] = True


def _bits(image: Image.Image) -> tuple[int, ...]:
    bits = _tag(image, _BITS)
    return bits if isinstance(bits, tuple) else (bits,)


def _is_planar(image: Any) -> bool:
    return _tag(image, _PLANES) == 2 and not image.use_load_libtiff


def _unpack_by_libtiff(image: Any) -> None:
    """Have planes of 16 bits read by libtiff: Pillow takes bytes of uncompressed ones for whole samples."""
    width, height = image._tile_size
    raw = {"RGB": "RGB;16N", "RGBA": "RGBA;16N", "CMYK": "CMYK;16N"}[image.mode]
    image.use_load_libtiff = True
    image.tile = [ImageFile._Tile("libtiff", (0, 0, width, height), 0, (raw, False, image.tag_v2.offset))]


def _read_in_native_order(image: Any) -> None:
    """Have what libtiff has unpacked, and brought to this machine's order, not turned round again."""
    native = {"F;32BF": "F;32F", "I;32BS": "I;32S", "I;16BS": "I;16S"}.get(_rawmode(image) or "")
    if image.use_load_libtiff and native:
        tile = image.tile[0]
        image.tile = [tile._replace(args=(native, *tile.args[1:]))]


def _rawmode(image: Any) -> str | None:
    """Return Pillow's name of how the samples lie in the file."""
    args = image.tile[0][3]
    return args if isinstance(args, str) else str(args[0]) if args else None


def is_shallow(image: Image.Image) -> bool:
    """Return whether a loaded picture of 16-bit colours has values of 10 or 12 bits: near black to Pillow."""
    if not image.info.get("deep") or image.mode not in ("RGB", "RGBA"):
        return False
    white = _whites(image)[0] if image.format == "PNG" else _WHITES[2]
    return white < _WHITES[-1] and _brightest(image) <= white >> 8


def _brightest(image: Image.Image) -> int:
    """Return the highest value of any colour of RGB or RGBA."""
    return max(int(top) for rows in _by_rows(image) for _, top in rows.getextrema()[:3])  # type: ignore[misc]


def low_bytes(image: Any) -> None:
    """Make a picture that is not yet loaded give the low bytes of its 16-bit colours, not the high ones."""
    settle(image)
    if _tag(image, _PLANES) == 2:
        raise RefusalError("10 or 12 bits a sample in planes of 16 bits are not read")
    tile = image.tile[0]
    raw = _rawmode(image)
    assert raw is not None  # `is_shallow` has seen it
    other = {"B": "L", "L": "B", "N": "B"}[raw[-1]]  # N is L on the machines there are wheels for
    args = raw[:-1] + other if isinstance(tile.args, str) else (raw[:-1] + other, *tile.args[1:])
    image.tile = [each._replace(args=args) for each in image.tile]


def deepened(high: Image.Image, low: Image.Image) -> Image.Image:
    """Return RGB or RGBA as bright as values of 10 or 12 bits mean, from their high and low bytes."""
    top = _brightest(high) * 256 + 255
    white = next(each for each in _whites(high) if top <= each)
    coarse, fine = ([min(255, round(byte * step * 255 / white)) for byte in range(256)] for step in (256, 1))
    bands = []
    for of_high, of_low in zip(high.split(), low.split(), strict=True):
        full = of_high.getextrema()[1] > white >> 8  # type: ignore[operator]  # of alpha in 16 bits, it may be
        bands.append(of_high if full else ImageChops.add(of_high.point(coarse), of_low.point(fine)))
    return Image.merge(high.mode, bands)
