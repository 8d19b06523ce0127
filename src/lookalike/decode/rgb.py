"""Any picture that Pillow can open, as an upright RGB square or thumbnail."""

from __future__ import annotations

from contextlib import suppress

from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import Base

from lookalike.records import Box, View

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_WHITE = (255, 255, 255, 255)
_LONGEST = 8  # squares in a row that a photo may be while it is scaled


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as the photo is meant to be seen; call it before `load`."""
    with suppress(Exception):  # malformed EXIF raises all sorts; such a photo is taken as it lies
        if image.format != "TIFF" and image.getexif().get(Base.Orientation) in _SIDEWAYS:  # see `_upright`
            return image.height, image.width
    return image.size


def load(image: Image.Image, shortest: int | None) -> None:
    """Decode; a JPEG at 1/2, 1/4 or 1/8 scale where its sides stay at least `shortest` pixels, if given."""
    if shortest is not None:
        image.draft("RGB", (shortest, shortest))
    image.load()


def shortest_side(view: View, box: Box | None) -> int | None:
    """Return how long the sides must stay for a view of a photo or of a part; None where nothing may go.

    Models from elsewhere get exactly the pixels that their own preprocessing makes.
    """
    if view.fit != "crop":
        return None
    share = min(box.width, box.height) if box else 1.0  # the smaller the part, the finer it is decoded
    return int(view.size / view.fraction / share)


def square(image: Image.Image, view: View, box: Box | None = None) -> Image.Image:
    """Return the upright square of a loaded `image`, or of a part, that `view` asks for, as RGB."""
    image = _displayable(_upright(image))
    if box is not None:
        image = _cut(image, box)
    return _on_white(_centre(image, view) if view.fit == "crop" else _scaled_and_cut(image, view))


def _centre(image: Image.Image, view: View) -> Image.Image:
    side = min(image.size) * view.fraction
    left, top = (image.width - side) / 2, (image.height - side) / 2
    centre = (left, top, left + side, top + side)
    return image.resize((view.size, view.size), Image.Resampling[view.resample], centre, reducing_gap=3.0)


def _scaled_and_cut(image: Image.Image, view: View) -> Image.Image:
    """Scale to whole pixels, then cut out the centre, rounding as Hugging Face transformers does."""
    filter_ = Image.Resampling[view.resample]
    short = view.short_side or view.size
    width = height = short
    if view.fit == "steps":
        long = int(short * max(image.size) / min(image.size))
        width, height = (short, long) if image.width <= image.height else (long, short)
    left, top = (width - view.size) // 2, (height - view.size) // 2
    right, bottom = left + view.size, top + view.size
    if max(width, height) <= _LONGEST * view.size:
        return image.resize((width, height), filter_).crop((left, top, right, bottom))
    # The same centre of a strip whose ends, never seen, could fill the memory.
    across, down = image.width / width, image.height / height
    centre = (left * across, top * down, min(right * across, image.width), min(bottom * down, image.height))
    return image.resize((view.size, view.size), filter_, centre)


def thumbnail(image: Image.Image, longest: int) -> Image.Image:
    """Return the whole of a loaded `image`, upright, as RGB, with no side longer than `longest` pixels."""
    small = _displayable(_upright(image))
    small.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return _on_white(small)


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


def _displayable(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB or RGBA, keeping what the eye would see."""
    match image.mode:
        case "RGB" | "RGBA":
            return image
        case "LA" | "La" | "RGBa" | "PA":
            return image.convert("RGBA")
        case "I" | "F" | "I;16" | "I;16B" | "I;16L" | "I;16N":
            return _from_deep_grey(image)
        case "LAB":
            return _from_lab(image)
        case _:
            return image.convert("RGBA" if "transparency" in image.info else "RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits: by its nominal white where the values tell it, else by its range."""
    deep = (image if image.mode == "F" else image.convert("I")).convert("F")
    low, high = deep.getextrema()
    assert isinstance(low, float) and isinstance(high, float)  # a single band has one pair
    bottom, span = low, high - low
    if image.mode.startswith("I;16"):
        bottom, span = 0.0, 65535.0
    elif low >= 0 and high <= 65535:
        bottom, span = 0.0, next(white for white in (1.0, 255.0, 65535.0) if high <= white)
    if not span > 0:  # flat, or not a number
        return deep.convert("L").convert("RGB")
    scale = 255 / span
    return deep.point(lambda value: value * scale - bottom * scale).convert("L").convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB"))
    assert converted is not None  # None only when asked to work in place
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
