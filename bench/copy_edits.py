"""Edits after which a photo is still the same photo, drawn as people make them.

Each takes a photo in RGB and a random generator, and returns a new picture; the same generator makes the
same picture. How strong an edit is, and where, is drawn anew each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Random = np.random.Generator
Colour = tuple[int, int, int]

_PHRASES = (
    "when the weekend comes early nobody told me about this summer sale only today made with love "
    "best day ever wait for it holiday memories keep calm and carry on happy birthday to you all"
)
WORDS = _PHRASES.split()


@dataclass(frozen=True)
class Edit:
    """An edit by name.

    `asked` is the recall that a method is to reach on it, None where it is only looked at; `whole` tells
    that the whole photo is still to be seen. `suffix` and `quality` say how it is saved; a quality of None
    is drawn from 80 to 95.
    """

    make: Callable[[Picture, Random], Picture]
    asked: float | None = None
    whole: bool = True
    suffix: str = ".jpg"
    quality: int | None = None


def brightness(photo: Picture, low: float, high: float, random: Random) -> Picture:
    return ImageEnhance.Brightness(photo).enhance(random.uniform(low, high))


def contrast(photo: Picture, random: Random) -> Picture:
    """Give it a third less contrast, or up to two thirds more."""
    factor = random.uniform(0.65, 0.8) if random.random() < 0.3 else random.uniform(1.25, 1.65)
    return ImageEnhance.Contrast(photo).enhance(factor)


def hue(photo: Picture, random: Random) -> Picture:
    """Turn all colours by 12 to 45° of the circle, either way."""
    shift = round(random.uniform(12, 45) * random.choice([-1, 1]) / 360 * 256)
    bands = photo.convert("HSV").split()
    turned = bands[0].point(lambda value: (value + shift) % 256)
    return Image.merge("HSV", (turned, *bands[1:])).convert("RGB")


def white_balance(photo: Picture, random: Random) -> Picture:
    """Make red or blue up to a quarter stronger and the other weaker."""
    gain = random.uniform(1.1, 1.25)
    red, blue = (gain, 1 / gain) if random.random() < 0.5 else (1 / gain, gain)
    factors = (red, random.uniform(0.95, 1.05), blue)
    bands = [
        band.point(lambda value, factor=factor: min(255, value * factor))
        for band, factor in zip(photo.split(), factors, strict=True)
    ]
    return Image.merge("RGB", bands)


def saturation(photo: Picture, random: Random) -> Picture:
    factor = random.uniform(0.2, 0.6) if random.random() < 0.5 else random.uniform(1.5, 2.2)
    return ImageEnhance.Color(photo).enhance(factor)


def grey(photo: Picture, _: Random) -> Picture:
    return ImageOps.grayscale(photo)


def resized(photo: Picture, factor: float) -> Picture:
    size = tuple(max(1, round(side * factor)) for side in photo.size)
    return photo.resize(size, Image.Resampling.LANCZOS)


def blur(photo: Picture, random: Random) -> Picture:
    """Blur by a Gaussian of about 1 % of the longest side."""
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) * random.uniform(0.008, 0.011)))


def sharpen(photo: Picture, random: Random) -> Picture:
    radius, percent = random.uniform(1, 3), round(random.uniform(100, 250))
    return photo.filter(ImageFilter.UnsharpMask(radius, percent, 2))


def noise(photo: Picture, random: Random, low: float = 6, high: float = 18) -> Picture:
    """Add grain with a deviation of 6 to 18 of 255."""
    pixels = np.asarray(photo, np.float32)
    return from_pixels(pixels + random.normal(0, random.uniform(low, high), pixels.shape))


def from_pixels(pixels: npt.NDArray[np.floating]) -> Picture:
    """Return a picture of numbers from 0 to 255; what is beyond is cut."""
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def plain_colour(random: Random) -> Colour:
    """Return white or black in half of the cases, else any colour."""
    if random.random() < 0.5:
        return (255, 255, 255) if random.random() < 0.5 else (0, 0, 0)
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue


def border(photo: Picture, random: Random) -> Picture:
    """Frame it in one colour, as wide all round: 5 to 10 % of the longest side."""
    width = round(max(photo.size) * random.uniform(0.05, 0.1))
    return ImageOps.expand(photo, width, plain_colour(random))


def border_unequal(photo: Picture, random: Random) -> Picture:
    """Frame it like a Polaroid, with a broad foot, or in bars above and below or beside it."""
    side = max(photo.size)
    kind = random.integers(3)
    if kind == 0:
        edge = round(side * random.uniform(0.04, 0.07))
        widths = (edge, edge, edge, round(side * random.uniform(0.15, 0.25)))
        colour = (250, 250, 245)
    else:
        bar = round(side * random.uniform(0.06, 0.2))
        widths = (0, bar, 0, bar) if kind == 1 else (bar, 0, bar, 0)
        colour = plain_colour(random)
    return ImageOps.expand(photo, widths, colour)


def screenshot(photo: Picture, random: Random) -> Picture:
    """Show it on a telephone or in a window: margins, a bar with the time, text and buttons."""
    photo = resized(photo, random.uniform(0.6, 1.1))
    is_dark = random.random() < 0.5
    ground, ink = ((18, 18, 20), (235, 235, 235)) if is_dark else ((250, 250, 250), (30, 30, 30))
    upright = random.random() < 0.6
    share = random.uniform(0.75, 1.0) if upright else random.uniform(0.5, 0.75)
    width = round(photo.width / share)
    bar = max(10, round(width * 0.06))
    height = max(photo.height + 4 * bar, round(width * (random.uniform(1.5, 2.1) if upright else 0.75)))
    canvas = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, width, bar), fill=(60, 90, 160) if random.random() < 0.5 else ground)
    font = ImageFont.load_default(bar * 0.6)
    draw.text((bar // 2, bar // 5), f"{random.integers(24)}:{random.integers(10, 60)}", ink, font)
    draw.text((width - 3 * bar, bar // 5), f"{random.integers(5, 100)} %", ink, font)
    left = round((width - photo.width) * (0.5 if upright else random.uniform(0.1, 0.9)))
    top = round(bar * 1.5 + (height - photo.height - 4 * bar) * random.uniform(0, 1))
    canvas.paste(photo, (left, top))
    below = top + photo.height + bar // 3
    draw.text((bar // 2, below), " ".join(_words(random, 4)), ink, font)
    for at in range(4):
        centre = round(width * (at + 0.5) / 4)
        box = (centre - bar // 2, height - bar - bar // 5, centre + bar // 2, height - bar // 5)
        draw.ellipse(box, outline=ink, width=max(1, bar // 10))
    return canvas


def captions(photo: Picture, random: Random) -> Picture:
    """Write a line in large outlined capitals at the top and at the bottom."""
    made = photo.copy()
    size = made.height * random.uniform(0.08, 0.13)
    for at in (0.02, 0.98):
        _write(made, " ".join(_words(random, 3)).upper(), (0.5, at), size, (255, 255, 255), (0, 0, 0))
    return made


def text_line(photo: Picture, random: Random) -> Picture:
    """Write a line across the middle, in one colour."""
    made = photo.copy()
    colour = plain_colour(random)
    size = made.height * random.uniform(0.07, 0.15)
    _write(made, " ".join(_words(random, 3)), (0.5, random.uniform(0.4, 0.6)), size, colour, None)
    return made


def watermark(photo: Picture, random: Random) -> Picture:
    """Lay a large half-transparent word over the middle, level or slanting."""
    layer = Image.new("L", photo.size)
    size = photo.width * random.uniform(0.14, 0.22)
    _write(layer, str(random.choice(["SAMPLE", "© studio", "PREVIEW"])), (0.5, 0.5), size, 255, None)
    layer = layer.rotate(random.uniform(-35, 35), Image.Resampling.BICUBIC)
    return _laid_over(photo, layer, random.uniform(0.3, 0.6), random)


def watermark_repeated(photo: Picture, random: Random) -> Picture:
    """Lay a small half-transparent word over it again and again, slanting."""
    around = math.ceil(math.hypot(*photo.size))
    layer = Image.new("L", (around, around))
    size = photo.width * random.uniform(0.045, 0.07)
    word = str(random.choice(["stock photo", "© lookalike", "DRAFT"]))
    draw, font = ImageDraw.Draw(layer), ImageFont.load_default(size)
    across, down = draw.textlength(word, font) * 1.5, size * random.uniform(2.5, 4)
    for row in range(math.ceil(around / down)):
        for column in range(-1, math.ceil(around / across)):
            draw.text(((column + row % 2 / 2) * across, row * down), word, 255, font)
    layer = layer.rotate(random.uniform(15, 40), Image.Resampling.BICUBIC)
    left, top = (around - photo.width) // 2, (around - photo.height) // 2
    layer = layer.crop((left, top, left + photo.width, top + photo.height))
    return _laid_over(photo, layer, random.uniform(0.25, 0.5), random)


def mirrored(photo: Picture, _: Random) -> Picture:
    return ImageOps.mirror(photo)


def turned(photo: Picture, degrees: int) -> Picture:
    """Turn counter-clockwise by a quarter, a half or three quarters, without loss."""
    return photo.transpose(getattr(Image.Transpose, f"ROTATE_{degrees}"))


def tilt(random: Random) -> float:
    """Return about 5°, either way."""
    return float(random.uniform(4.5, 5.5) * random.choice([-1, 1]))


def tilted_cropped(photo: Picture, random: Random) -> Picture:
    """Turn by about 5° and cut the empty corners off: the largest upright part of the same shape."""
    angle = tilt(random)
    turn = math.radians(abs(angle))
    width, height = photo.size
    longer, shorter = max(photo.size), min(photo.size)
    share = shorter / (longer * math.sin(turn) + shorter * math.cos(turn))
    made = photo.rotate(angle, Image.Resampling.BICUBIC)
    inner = (width * share, height * share)
    left, top = math.ceil((width - inner[0]) / 2), math.ceil((height - inner[1]) / 2)
    return made.crop((left, top, width - left, height - top))


def tilted_corners(photo: Picture, random: Random) -> Picture:
    """Turn by about 5° and leave the corners black or white, in a larger frame or in the same."""
    colour = (255, 255, 255) if random.random() < 0.5 else (0, 0, 0)
    larger = bool(random.random() < 0.5)
    return photo.rotate(tilt(random), Image.Resampling.BICUBIC, expand=larger, fillcolor=colour)


def cropped(photo: Picture, random: Random, share: float, *, enlarged: bool = False) -> Picture:
    """Keep `share` of each side, anywhere; `enlarged` to the size of the photo."""
    width, height = round(photo.width * share), round(photo.height * share)
    left = int(random.integers(photo.width - width + 1))
    top = int(random.integers(photo.height - height + 1))
    part = photo.crop((left, top, left + width, top + height))
    return part.resize(photo.size, Image.Resampling.BICUBIC) if enlarged else part


def _words(random: Random, count: int) -> list[str]:
    return [str(word) for word in random.choice(WORDS, count)]


def _write(
    picture: Picture,
    words: str,
    at: tuple[float, float],
    size: float,
    colour: Colour | int,
    outline: Colour | None,
) -> None:
    """Write in the middle of `at`, shares of both sides, no wider than 94 % of the picture."""
    draw = ImageDraw.Draw(picture)
    widest = 0.94 * picture.width
    size = max(8, min(size, size * widest / draw.textlength(words, ImageFont.load_default(size))))
    font, edge = ImageFont.load_default(size), round(size / 14) if outline else 0
    left, top, right, bottom = draw.textbbox((0, 0), words, font, stroke_width=edge)
    x = picture.width * at[0] - (right - left) / 2 - left
    y = (picture.height - (bottom - top)) * at[1] - top
    draw.text((x, y), words, colour, font, stroke_width=edge, stroke_fill=outline)


def _laid_over(photo: Picture, layer: Picture, opacity: float, random: Random) -> Picture:
    """Mix white or black into the photo where the layer is bright."""
    colour = 255 if random.random() < 0.7 else 0
    mask = ImageChops.multiply(layer, Image.new("L", layer.size, round(255 * opacity)))
    return Image.composite(Image.new("RGB", photo.size, (colour,) * 3), photo, mask)


EDITS: dict[str, Edit] = {
    "jpeg-30": Edit(lambda photo, _: photo, 0.995, quality=30),
    "jpeg-75": Edit(lambda photo, _: photo, 0.995, quality=75),
    "webp": Edit(lambda photo, _: photo, 0.995, suffix=".webp", quality=80),
    "half-size": Edit(lambda photo, _: resized(photo, 0.5), 0.995),
    "quarter-size": Edit(lambda photo, _: resized(photo, 0.25)),
    "brighter": Edit(lambda photo, random: brightness(photo, 1.15, 1.5, random), 0.995),
    "darker": Edit(lambda photo, random: brightness(photo, 0.5, 0.85, random), 0.995),
    "contrast": Edit(contrast, 0.995),
    "hue": Edit(hue, 0.995),
    "white-balance": Edit(white_balance, 0.995),
    "saturation": Edit(saturation, 0.995),
    "grey": Edit(grey, 0.95),
    "blur": Edit(blur, 0.95),
    "sharpen": Edit(sharpen, 0.95),
    "noise": Edit(noise, 0.95),
    "border": Edit(border, 0.97),
    "border-unequal": Edit(border_unequal, 0.97),
    "screenshot": Edit(screenshot, 0.97),
    "captions": Edit(captions, 0.97),
    "text-line": Edit(text_line, 0.97),
    "watermark": Edit(watermark, 0.97),
    "watermark-repeated": Edit(watermark_repeated, 0.97),
    "mirrored": Edit(mirrored, 0.98),
    "turned-90": Edit(lambda photo, _: turned(photo, 90), 0.98),
    "turned-180": Edit(lambda photo, _: turned(photo, 180), 0.98),
    "turned-270": Edit(lambda photo, _: turned(photo, 270), 0.98),
    "turned-5-cropped": Edit(tilted_cropped, 0.98, whole=False),
    "turned-5-corners": Edit(tilted_corners, 0.98),
    "crop-80": Edit(lambda photo, random: cropped(photo, random, 0.8), 0.98, whole=False),
    "crop-50": Edit(lambda photo, random: cropped(photo, random, 0.5), 0.9, whole=False),
    "crop-50-enlarged": Edit(
        lambda photo, random: cropped(photo, random, 0.5, enlarged=True), 0.9, whole=False
    ),
    "crop-80, jpeg-30": Edit(lambda photo, random: cropped(photo, random, 0.8), whole=False, quality=30),
    "mirrored, crop-80": Edit(
        lambda photo, random: mirrored(cropped(photo, random, 0.8), random), whole=False
    ),
    "turned-90, half-size": Edit(lambda photo, _: resized(turned(photo, 90), 0.5)),
}
"""All edits, by the names that the tables show."""
