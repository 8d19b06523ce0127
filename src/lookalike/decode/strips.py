"""Scaling pictures that are too large to be brought to another mode as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from lookalike.decode.tones import Convert

Region = tuple[float, float, float, float]

_LARGE = 24_000_000  # pixels from which a picture is worked on in strips: 100 MB more would be needed
_LARGE_DEEP = 4_000_000  # the same for deep grey, which takes three steps of 4 bytes a pixel
_STRIP = 2_000_000  # pixels of a strip
_GAP = 3.0  # how many times finer than the result a picture stays after the first, coarse step
_MARGIN = 8  # coarse pixels around a region that a filter may look at


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a picture becomes `size`: from which region (None: all), by which filter, in one step or two.

    `gap` says how many times finer than the result a first, coarse step leaves it (as in `PIL.Image.resize`).
    """

    size: tuple[int, int]
    resample: str
    region: Region | None = None
    gap: float | None = None


def resized(image: Image.Image, convert: Convert | None, scaling: Scaling) -> Image.Image:
    """Return `image`, converted and scaled; a large one strip by strip, which rounds once more."""
    size, region = scaling.size, scaling.region or (0, 0, *image.size)
    filter_ = Image.Resampling[scaling.resample]
    pixels = image.width * image.height
    deep = image.mode.startswith(("I", "F"))
    if pixels <= (_LARGE_DEEP if deep else _LARGE) or (convert is None and image.mode != "RGBA"):
        return (convert(image) if convert else image).resize(size, filter_, region, scaling.gap)
    factor = max(1, int(min((region[2] - region[0]) / size[0], (region[3] - region[1]) / size[1]) / _GAP))
    coarse, left, top = _reduced(image, convert, region, factor)
    within = (
        (region[0] - left) / factor,
        (region[1] - top) / factor,
        min((region[2] - left) / factor, coarse.width),
        min((region[3] - top) / factor, coarse.height),
    )
    return coarse.resize(size, filter_, within)


def _reduced(
    image: Image.Image, convert: Convert | None, region: Region, factor: int
) -> tuple[Image.Image, int, int]:
    """Return a region and its margin `factor` times smaller, and where its left upper corner was."""
    margin = _MARGIN * factor
    left, top = max(0, int(region[0]) - margin), max(0, int(region[1]) - margin)
    right, bottom = (
        min(image.width, int(region[2]) + margin + 1),
        min(image.height, int(region[3]) + margin + 1),
    )
    rows = max(1, _STRIP // (right - left) // factor) * factor
    strips = []
    for upper in range(top, bottom, rows):
        strip = image.crop((left, upper, right, min(upper + rows, bottom)))
        strip = convert(strip) if convert else strip
        strips.append(strip.reduce(factor) if factor > 1 else strip)
    coarse = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    upper = 0
    for strip in strips:
        coarse.paste(strip, (0, upper))
        upper += strip.height
    return coarse, left, top
