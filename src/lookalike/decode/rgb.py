"""Any picture that Pillow can open, as an upright RGB square or thumbnail."""

from __future__ import annotations

from contextlib import suppress

from PIL import Image, ImageOps
from PIL.ExifTags import Base

from lookalike.decode import colour
from lookalike.decode.strips import Scaling, resized
from lookalike.decode.tones import Convert, displayer
from lookalike.records import GREY_SIDE, Box, View

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_LONGEST = 8  # squares in a row that a photo may be while it is scaled
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_LOOKED_AT = 64  # pixels a side of the picture by which its ground is chosen
_SEEN = 16  # alpha of 255 from which a pixel shows
_FAINT = 32  # levels below white that do not stand out from it
_FEW = 0.02  # share of what shows that may stand out, where a drawing would vanish on white all the same


def upright_size(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height as a photo of `size` is meant to be seen; call it before it is turned."""
    with suppress(Exception):  # malformed EXIF raises all sorts; such a photo is taken as it lies
        if image.format != "TIFF" and image.getexif().get(Base.Orientation) in _SIDEWAYS:  # see `_upright`
            return size[1], size[0]
    return size


def shortest_side(view: View, box: Box | None) -> int | None:
    """Return how long the sides must stay for a view of a photo or of a part; None where nothing may go.

    Models from elsewhere get exactly the pixels that their own preprocessing makes.
    """
    views = (view, *view.below)
    if any(each.fit != "crop" for each in views):
        return None
    share = min(box.width, box.height) if box else 1.0  # the smaller the part, the finer it is decoded
    return max(int(each.size / each.fraction / share) for each in views)


def square(image: Image.Image, view: View, box: Box | None = None) -> Image.Image:
    """Return the upright square of a loaded `image`, or of a part, that `view` asks for, as RGB.

    Where it asks for more, they come one below the other.
    """
    image = _upright(image)
    convert = displayer(image)
    if box is not None:
        image = _cut(image, box)
    squares = [_square(image, convert, each) for each in (view, *view.below)]
    return squares[0] if len(squares) == 1 else _stacked(squares, view.shape)


def _square(image: Image.Image, convert: Convert | None, view: View) -> Image.Image:
    small = _centre(image, convert, view) if view.fit == "crop" else _scaled_and_cut(image, convert, view)
    return _finished(small, image, convert)


def _stacked(squares: list[Image.Image], shape: tuple[int, int]) -> Image.Image:
    height, width = shape
    sheet, top = Image.new("RGB", (width, height)), 0
    for each in squares:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def thumbnail(image: Image.Image, longest: int) -> Image.Image:
    """Return the whole of a loaded `image`, upright, as RGB, with no side longer than `longest` pixels."""
    image = _upright(image)
    convert = displayer(image)
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = resized(image, convert, Scaling(size, "BICUBIC", gap=3.0))
    return _finished(small, image, convert)


def grey(image: Image.Image, box: Box | None = None) -> Image.Image:
    """Return the whole frame of a loaded `image`, or of a part, upright, in grey, as a square."""
    image = _upright(image)
    convert = displayer(image)
    if box is not None:
        image = _cut(image, box)
    small = resized(image, convert, Scaling((GREY_SIDE, GREY_SIDE), "BOX", gap=3.0))
    return _finished(small, image, convert).convert("L")


def _centre(image: Image.Image, convert: Convert | None, view: View) -> Image.Image:
    side = min(image.size) * view.fraction
    left, top = (image.width - side) / 2, (image.height - side) / 2
    centre = (left, top, left + side, top + side)
    return resized(image, convert, Scaling((view.size, view.size), view.resample, centre, gap=3.0))


def _scaled_and_cut(image: Image.Image, convert: Convert | None, view: View) -> Image.Image:
    """Scale to whole pixels, then cut out the centre, rounding as Hugging Face transformers does."""
    short = view.short_side or view.size
    width = height = short
    if view.fit == "steps":
        long = int(short * max(image.size) / min(image.size))
        width, height = (short, long) if image.width <= image.height else (long, short)
    left, top = (width - view.size) // 2, (height - view.size) // 2
    right, bottom = left + view.size, top + view.size
    if max(width, height) <= _LONGEST * view.size:
        return resized(image, convert, Scaling((width, height), view.resample)).crop(
            (left, top, right, bottom)
        )
    # The same centre of a strip whose ends, never seen, could fill the memory.
    across, down = image.width / width, image.height / height
    centre = (left * across, top * down, min(right * across, image.width), min(bottom * down, image.height))
    return resized(image, convert, Scaling((view.size, view.size), view.resample, centre))


def _cut(image: Image.Image, box: Box) -> Image.Image:
    """Return a part of an upright image, at least one pixel of it."""
    left, top = (int(share * full) for share, full in zip((box.left, box.top), image.size, strict=True))
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    right = max(left + 1, min(image.width, round((box.left + box.width) * image.width)))
    bottom = max(top + 1, min(image.height, round((box.top + box.height) * image.height)))
    return image.crop((left, top, right, bottom))


def _upright(image: Image.Image) -> Image.Image:
    """Turn `image` as its EXIF says (Pillow has already turned TIFF and HEIF itself)."""
    with suppress(Exception):  # as in `upright_size`
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _finished(small: Image.Image, image: Image.Image, convert: Convert | None) -> Image.Image:
    """Return a scaled part of `image` as RGB: in the colours of its profile, on a ground that shows it."""
    small = colour.to_srgb(small, image)
    if small.mode != "RGBA":
        return small
    ground = _WHITE
    if small.getchannel("A").getextrema() != (255, 255):
        ground = _ground(image, convert)
    return Image.alpha_composite(Image.new("RGBA", small.size, ground), small).convert("RGB")


def _ground(image: Image.Image, convert: Convert | None) -> tuple[int, int, int, int]:
    """Return white, or black for what would vanish on white; the whole picture decides for any part."""
    size = (min(_LOOKED_AT, image.width), min(_LOOKED_AT, image.height))
    whole = colour.to_srgb(resized(image, convert, Scaling(size, "BOX")), image)
    shown = whole.getchannel("A").point([255 * (alpha >= _SEEN) for alpha in range(256)], "1")
    levels = whole.convert("RGB").convert("L").histogram(shown)
    vanishes = sum(levels[: 256 - _FAINT]) <= _FEW * sum(levels) and sum(levels) > 0
    return _BLACK if vanishes else _WHITE
