"""What looks like a copy of a photo and is none: second shots of one scene, and pictures of one layout.

A second shot is made of a photo: what is near moves against what is far as the camera does, light and noise
are others, something has been moved. Pictures of one layout share nothing but that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from copy_edits import WORDS, Picture, Random, from_pixels, noise

Pixels = npt.NDArray[np.float32]

_PIXEL_CHANGED = 25  # of 255, in any colour
_MUCH_OF_PATCH = 0.5  # of a moved patch's area must look different


def parallax(photo: Picture, random: Random, low: float, high: float) -> Picture:
    """Move the camera aside: near things move by `low` to `high` of the longest side against far ones."""
    depth = _depths(photo.size, random)
    angle = random.uniform(0, 2 * np.pi)
    reach = max(photo.size) * random.uniform(low, high)
    down, across = np.mgrid[0 : photo.height, 0 : photo.width].astype(np.float32)
    shift = reach * (depth - depth.mean())
    x, y = across + shift * np.cos(angle), down + shift * np.sin(angle)
    return from_pixels(_sampled(np.asarray(photo, np.float32), x, y))


def light(photo: Picture, random: Random) -> Picture:
    """Light it from another side, by up to a quarter from one end to the other, and expose it otherwise."""
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.06, 0.25)
    down, across = np.mgrid[-0.5 : 0.5 : photo.height * 1j, -0.5 : 0.5 : photo.width * 1j]
    gain = 1 + strength * (across * np.cos(angle) + down * np.sin(angle))
    gamma = random.uniform(0.8, 1.25)
    pixels = 255 * (np.asarray(photo, np.float32) / 255) ** gamma
    return from_pixels(pixels * gain[..., None])


def grain(photo: Picture, random: Random) -> Picture:
    """Add a sensor's noise, with a deviation of 1.5 to 5 of 255."""
    return noise(photo, random, 1.5, 5)


def handheld(photo: Picture, random: Random) -> Picture:
    """Frame it a little otherwise: moved and scaled by up to 3 %, turned by up to a degree."""
    width, height = photo.size
    share = random.uniform(0.92, 0.96)
    made = photo.rotate(random.uniform(-1, 1), Image.Resampling.BICUBIC)
    room = (width * (1 - share), height * (1 - share))
    left, top = (each * random.uniform(0.3, 0.7) for each in room)
    box = (left, top, left + width * share, top + height * share)
    return made.resize(photo.size, Image.Resampling.BICUBIC, box)


def moved(photo: Picture, random: Random, low: float, high: float) -> Picture | None:
    """Move a thing that takes `low` to `high` of the area to another place, on a tripod.

    Its old place is filled from beside it. Return None where nothing can be moved so that it shows, as on a
    plain ground.
    """
    pixels = np.asarray(photo, np.float32)
    share = random.uniform(low, high)
    best, most = None, 0.0
    for _ in range(40):
        shape = random.uniform(0.75, 1.33)
        size = (int(photo.height * np.sqrt(share) * shape), int(photo.width * np.sqrt(share) / shape))
        old, new, filler = (_corner(photo.size, size, random) for _ in range(3))
        if _overlap(old, new, size) or _overlap(old, filler, size):
            continue
        mask = _soft_ellipse(size, random)
        made = pixels.copy()
        _blend(made, _part(pixels, filler, size), old, mask)
        _blend(made, _part(pixels, old, size), new, mask)
        changed = float((np.abs(made - pixels).max(axis=2) > _PIXEL_CHANGED).mean())
        if changed > most:
            best, most = made, changed
        if most >= _MUCH_OF_PATCH * share:
            break
    return from_pixels(best) if best is not None and most >= 0.25 * low else None


def _shot(*steps: Callable[[Picture, Random], Picture | None]) -> Callable[[Picture, Random], Picture | None]:
    def shoot(photo: Picture, random: Random) -> Picture | None:
        made: Picture | None = photo
        for step in steps:
            made = step(made, random) if made is not None else None
        return made

    return shoot


def _parallax(low: float, high: float) -> Callable[[Picture, Random], Picture]:
    return lambda photo, random: parallax(photo, random, low, high)


def _moved(low: float, high: float) -> Callable[[Picture, Random], Picture | None]:
    return lambda photo, random: moved(photo, random, low, high)


SHOTS: dict[str, Callable[[Picture, Random], Picture | None]] = {
    "shot: parallax 0.5–1 %": _shot(_parallax(0.005, 0.01), light, grain),
    "shot: parallax 1–2 %": _shot(_parallax(0.01, 0.02), light, grain),
    "shot: parallax 2–3 %": _shot(_parallax(0.02, 0.03), light, grain),
    "shot: held in the hand": _shot(_parallax(0.005, 0.02), handheld, light, grain),
    "shot: held in the hand, something moved": _shot(
        _moved(0.05, 0.15), _parallax(0.01, 0.02), handheld, light, grain
    ),
    "shot: on a tripod, 5–8 % moved": _shot(_moved(0.05, 0.08), grain),
    "shot: on a tripod, 8–15 % moved": _shot(_moved(0.08, 0.15), grain),
    "shot: on a tripod, 8–15 % moved, other light": _shot(_moved(0.08, 0.15), light, grain),
}
"""Second shots of a photo by kind; None where it cannot be made of that photo."""


def plain(random: Random, at: int) -> Picture:
    """Return a picture of one colour, another one for each `at`."""
    colour = tuple(int(value) for value in np.random.default_rng(at).permutation(256)[:3])
    return Image.new("RGB", _size(random), colour)


def gradient(random: Random, _: int) -> Picture:
    """Return a picture that goes from one colour to another, in any direction."""
    width, height = _size(random)
    angle = random.uniform(0, 2 * np.pi)
    down, across = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    place = across * np.cos(angle) + down * np.sin(angle)
    place = (place - place.min()) / (place.max() - place.min())
    ends = random.uniform(0, 255, (2, 3))
    return from_pixels(ends[0] + place[..., None] * (ends[1] - ends[0]))


def text_screen(random: Random, _: int) -> Picture:
    """Return the screen of a program with a page of text: all have the same bars, each has its own text."""
    screen = Image.new("RGB", (480, 640), (252, 252, 252))
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(15)
    draw.rectangle((0, 0, 480, 44), fill=(45, 100, 180))
    draw.text((16, 10), "Messages", (255, 255, 255), ImageFont.load_default(20))
    draw.rectangle((16, 590, 464, 626), outline=(150, 150, 150))
    for line in range(22):
        words = random.choice(WORDS, int(random.integers(3, 9)))
        draw.text((20, 60 + 23 * line), " ".join(words)[:56], (40, 40, 40), font)
    return screen


def card(photo: Picture, random: Random) -> Picture:
    """Show a photo on the card of a shop: all have the same frame and words, each its photo and its price."""
    made = Image.new("RGB", (480, 640), (245, 240, 230))
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, 0, 480, 80), fill=(170, 30, 40))
    draw.text((30, 18), "SUMMER SALE", (255, 255, 255), ImageFont.load_default(40))
    draw.rectangle((330, 540, 460, 620), fill=(250, 200, 40))
    draw.text((345, 560), f"{random.integers(5, 99)}.90", (0, 0, 0), ImageFont.load_default(34))
    draw.text((30, 560), "Free delivery", (60, 60, 60), ImageFont.load_default(28))
    shown = photo.copy()
    shown.thumbnail((400, 400))
    made.paste(shown, ((480 - shown.width) // 2, 110 + (400 - shown.height) // 2))
    return made


LAYOUTS: dict[str, Callable[[Random, int], Picture]] = {
    "one colour": plain,
    "gradient": gradient,
    "screen of text": text_screen,
}
"""Pictures of one layout by kind, made of nothing; `card` is one made of a photo."""


def _size(random: Random) -> tuple[int, int]:
    return [(300, 300), (400, 300), (480, 640)][int(random.integers(3))]


def _depths(size: tuple[int, int], random: Random) -> Pixels:
    """Return how near each place is, from 0 to 1: smooth, with things before a ground."""
    coarse = Image.fromarray(random.random((5, 5)).astype(np.float32))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    low, high = np.quantile(smooth, [0.02, 0.98])
    level = (smooth - low) / (high - low)
    steps = 1 / (1 + np.exp(-14 * (level - 0.5)))
    return np.clip(0.5 * level + 0.5 * steps, 0, 1).astype(np.float32)


def _sampled(pixels: Pixels, x: Pixels, y: Pixels) -> Pixels:
    """Return the pixels `(h, w, 3)` at places between them, bilinear; beyond the edge is the edge."""
    x, y = np.clip(x, 0, pixels.shape[1] - 1.001), np.clip(y, 0, pixels.shape[0] - 1.001)
    left, top = x.astype(int), y.astype(int)
    right, down = (x - left)[..., None], (y - top)[..., None]
    above = pixels[top, left] * (1 - right) + pixels[top, left + 1] * right
    below = pixels[top + 1, left] * (1 - right) + pixels[top + 1, left + 1] * right
    return above * (1 - down) + below * down


def _corner(size: tuple[int, int], patch: tuple[int, int], random: Random) -> tuple[int, int]:
    return int(random.integers(size[1] - patch[0] + 1)), int(random.integers(size[0] - patch[1] + 1))


def _overlap(one: tuple[int, int], other: tuple[int, int], size: tuple[int, int]) -> bool:
    return all(abs(a - b) < side for a, b, side in zip(one, other, size, strict=True))


def _soft_ellipse(size: tuple[int, int], random: Random) -> Pixels:
    """Return a mask `(h, w, 1)` from 0 to 1: an ellipse or a rounded box with soft edges."""
    mask = Image.new("L", (size[1], size[0]))
    inset = max(1, round(min(size) * 0.05))
    box = (inset, inset, size[1] - inset, size[0] - inset)
    if random.random() < 0.5:
        ImageDraw.Draw(mask).ellipse(box, fill=255)
    else:
        ImageDraw.Draw(mask).rounded_rectangle(box, min(size) // 5, fill=255)
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(inset / 2)), np.float32)[..., None] / 255


def _part(pixels: Pixels, corner: tuple[int, int], size: tuple[int, int]) -> Pixels:
    return pixels[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]


def _blend(pixels: Pixels, patch: Pixels, corner: tuple[int, int], mask: Pixels) -> None:
    place = _part(pixels, corner, (patch.shape[0], patch.shape[1]))
    place += (patch - place) * mask
