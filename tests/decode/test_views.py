"""The views of models from elsewhere: exactly the pixels that plain Pillow makes in whole steps."""

import numpy as np
import pytest
from PIL import Image

from lookalike.decode.requests import PhotoRequest
from lookalike.records import Box, Photo, View

SIZES = [(300, 200), (200, 301), (257, 256), (641, 103), (40, 30), (64, 64), (1, 1)]
STEPS = [
    View(64, fit="steps", short_side=64),
    View(56, 1.0, "BILINEAR", "steps", 64),
    View(33, 1.0, "LANCZOS", "steps", 37),
]
SQUASH = [
    View(64, fit="squash"),
    View(64, 1.0, "BILINEAR", "squash", 64),
    View(56, 1.0, "BICUBIC", "squash", 73),
]


def by_hand(image, view):
    """As Hugging Face transformers does: resize to whole pixels, then cut out the centre."""
    short = view.short_side or view.size
    width, height = image.size
    if view.fit == "squash":
        scaled = (short, short)
    elif width <= height:
        scaled = (short, int(short * height / width))
    else:
        scaled = (int(short * width / height), short)
    resized = np.asarray(image.resize(scaled, Image.Resampling[view.resample]))
    top, left = (scaled[1] - view.size) // 2, (scaled[0] - view.size) // 2
    return resized[top : top + view.size, left : left + view.size]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("view", [*STEPS, *SQUASH], ids=str)
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_pixels_are_exactly_those_of_plain_pillow(size, view, ending, tmp_path, make_photo, read):
    path = make_photo(tmp_path / f"a.{ending}", 5, size)
    with Image.open(path) as image:
        expected = by_hand(image.convert("RGB"), view)
    assert np.array_equal(read(path, view).pixels, expected)


@pytest.mark.parametrize("view", [STEPS[1], SQUASH[0]], ids=str)
def test_a_large_jpeg_is_not_read_at_reduced_scale(view, tmp_path, make_photo, read):
    path = make_photo(tmp_path / "a.jpg", 6, (1600, 1200))
    with Image.open(path) as image:
        expected = by_hand(image.convert("RGB"), view)
    assert np.array_equal(read(path, view).pixels, expected)


@pytest.mark.parametrize("view", [STEPS[1], SQUASH[2]], ids=str)
def test_a_part_is_read_as_if_it_were_a_photo(view, tmp_path, make_photo, pool):
    path = make_photo(tmp_path / "a.jpg", 7, (400, 300))
    part = pool.photo(PhotoRequest("", str(path), view, box=Box(0.25, 0.5, 0.5, 0.25)))
    with Image.open(path) as image:
        expected = by_hand(image.convert("RGB").crop((100, 150, 300, 225)), view)
    assert np.array_equal(part.pixels, expected)


def test_a_photo_on_its_side_is_turned_first(tmp_path, make_photo, read):
    path = make_photo(tmp_path / "a.png", 8, (300, 100))
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_270)
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(tmp_path / "side.png", exif=exif)
    for view in (STEPS[1], SQUASH[2]):
        assert np.array_equal(read(tmp_path / "side.png", view).pixels, by_hand(turned, view))


@pytest.mark.parametrize("size", [(4, 20_000), (20_000, 4), (1, 60_000)])
def test_a_strip_costs_no_memory_and_looks_the_same(size, tmp_path, make_photo, read):
    path = make_photo(tmp_path / "strip.png", 9, size)
    view = View(224, fit="steps", short_side=256)  # whole, it would be of a hundred megapixels and more
    photo = read(path, view)
    assert isinstance(photo, Photo), photo
    small = View(16, fit="steps", short_side=16)
    with Image.open(path) as image:
        expected = by_hand(image.convert("RGB"), small)
    assert np.abs(read(path, small).pixels.astype(int) - expected).max() <= 1
    assert photo.pixels.shape == (224, 224, 3)
