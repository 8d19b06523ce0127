"""Every colour mode as the eye sees it, and the square of a view against plain Pillow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from lookalike.records import Photo, View

RED, GREEN = (200, 40, 30), (20, 160, 60)
SMALL = View(8, resample="BOX")


def halves(left, right, mode="RGB"):
    """A picture of two colours side by side."""
    image = Image.new(mode, (32, 32), left)
    image.paste(right, (16, 0, 32, 32))
    return image


def check_halves(result, left, right, tolerance=1):
    assert isinstance(result, Photo), result
    expected = np.zeros((8, 8, 3), int)
    expected[:, :4], expected[:, 4:] = left, right
    assert np.abs(result.pixels.astype(int) - expected).max() <= tolerance


def grey(value):
    return (value, value, value)


def two_tone(left, right, kind):
    """The same as an array of numbers."""
    values = np.full((32, 32), left, kind)
    values[:, 16:] = right
    return Image.fromarray(values)


def lab(image):
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))


def palette_with_a_clear_colour():
    image = halves(0, 1, "P")
    image.putpalette([*RED, *GREEN])
    image.info["transparency"] = 1
    return image


COLOURS = halves(RED, GREEN)
CASES = {
    "rgb.png": (COLOURS, RED, GREEN),
    "rgb.bmp": (COLOURS, RED, GREEN),
    "rgb.tiff": (COLOURS, RED, GREEN),
    "lossless.webp": (COLOURS, RED, GREEN),
    "palette.png": (COLOURS.quantize(2), RED, GREEN),
    "palette.gif": (COLOURS.quantize(2), RED, GREEN),
    "clear palette.png": (palette_with_a_clear_colour(), RED, grey(255)),
    "black and white.png": (halves(0, 1, "1"), grey(0), grey(255)),
    "grey.png": (halves(60, 190, "L"), grey(60), grey(190)),
    "grey alpha.png": (halves((60, 255), (60, 0), "LA"), grey(60), grey(255)),
    "clear.png": (halves((*RED, 255), (*GREEN, 0), "RGBA"), RED, grey(255)),
    "half clear.png": (halves((0, 0, 0, 128), (*GREEN, 255), "RGBA"), grey(127), GREEN),
    "clear.webp": (halves((*RED, 255), (*GREEN, 0), "RGBA"), RED, grey(255)),
    "cmyk.tiff": (halves((0, 255, 255, 0), (0, 0, 0, 255), "CMYK"), (255, 0, 0), grey(0)),
    "cmyk.jpg": (halves((0, 255, 255, 0), (0, 0, 0, 255), "CMYK"), (255, 0, 0), grey(0)),
    "ycbcr.tiff": (COLOURS.convert("YCbCr"), RED, GREEN),
    "lab.tiff": (lab(COLOURS), RED, GREEN),
    "16 bit.png": (two_tone(0x2000, 0xC000, np.uint16), grey(0x20), grey(0xC0)),
    "16 bit.tiff": (two_tone(0x2000, 0xC000, np.uint16), grey(0x20), grey(0xC0)),
    "dark 16 bit.png": (two_tone(0, 0x0400, np.uint16), grey(0), grey(4)),
    "float of 1.tiff": (two_tone(0.25, 0.75, np.float32), grey(64), grey(191)),
    "float of 255.tiff": (two_tone(64, 191, np.float32), grey(64), grey(191)),
    "float of any range.tiff": (two_tone(-30, 90, np.float32), grey(0), grey(255)),
    "32 bit.tiff": (two_tone(0x2000, 0xC000, np.int32), grey(0x20), grey(0xC0)),
}
LOSSY = {"cmyk.jpg": 12, "lab.tiff": 8, "ycbcr.tiff": 3, "cmyk.tiff": 2}


@pytest.mark.parametrize("name", CASES)
def test_a_mode_looks_as_it_should(name, tmp_path, read):
    image, left, right = CASES[name]
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    check_halves(read(tmp_path / name, SMALL), left, right, LOSSY.get(name, 1))


def test_flat_and_wild_floats_are_read(tmp_path, read):
    for name, values in (("flat", 7.0), ("nan", np.nan), ("infinite", np.inf)):
        path = tmp_path / f"{name}.tiff"
        Image.fromarray(np.full((32, 32), values, np.float32)).save(path)
        assert isinstance(read(path, SMALL), Photo), name


def test_one_photo_in_all_modes_looks_the_same(shared_data, read):
    folder = shared_data / "neardup" / "modes"
    original = read(folder / "original.jpg").pixels.astype(float)
    in_grey = (original @ [0.299, 0.587, 0.114])[..., None]
    seen = {}
    for path in sorted(folder.iterdir()):
        if path.suffix != ".md":
            like = in_grey if path.stem in ("1", "L", "LA", "F", "I") else original
            seen[path.name] = np.abs(read(path).pixels - like).mean()
    assert len(seen) == 14
    assert max(seen.values()) < 4, seen


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (257, 256), (1000, 70), (40, 30), (1, 1), (1, 500)])
@pytest.mark.parametrize("view", [View(64), View(64, 0.875, "BILINEAR"), View(33, 1.0, "HAMMING")], ids=str)
def test_the_square_is_what_plain_pillow_makes(size, view, tmp_path, make_photo, read):
    path = make_photo(tmp_path / "a.png", 5, size)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    side = min(size) * view.fraction
    left, top = (size[0] - side) / 2, (size[1] - side) / 2
    resample = Image.Resampling[view.resample]
    expected = upright.resize((view.size, view.size), resample, (left, top, left + side, top + side))
    got = read(path, view).pixels.astype(int)
    assert np.abs(got - np.asarray(expected, int)).max() <= 2  # reducing_gap rounds once more


@pytest.mark.parametrize("size", [(300, 200), (1, 500), (1000, 70)])
def test_further_squares_come_below_the_first(size, tmp_path, make_photo, read):
    path = make_photo(tmp_path / "a.png", 5, size)
    views = [View(40), View(64, resample="HAMMING"), View(64, 0.75, "HAMMING"), View(20, fit="squash")]
    sheet = read(path, replace(views[0], below=tuple(views[1:]))).pixels
    assert sheet.shape == (40 + 64 + 64 + 20, 64, 3)
    top = 0
    for view in views:
        square = sheet[top : top + view.size]
        assert np.array_equal(square[:, : view.size], read(path, view).pixels)
        assert not square[:, view.size :].any()
        top += view.size


def test_a_sideways_photo_is_upright_in_every_square(shared_data, read):
    upright, sideways = (shared_data / "exif" / f"Landscape_{at}.jpg" for at in (1, 6))
    view = View(64, below=(View(48, 0.75),))
    assert np.abs(read(upright, view).pixels.astype(int) - read(sideways, view).pixels).mean() < 6


@pytest.mark.parametrize("size", [(1600, 1200), (512, 2000), (100, 75), (64, 64)])
def test_a_jpeg_decoded_at_reduced_scale_looks_as_in_full(size, tmp_path, make_photo, read):
    jpeg = make_photo(tmp_path / "a.jpg", 6, size)
    with Image.open(jpeg) as image:
        image.convert("RGB").save(tmp_path / "full.png")
    reduced, full = read(jpeg), read(tmp_path / "full.png")
    assert (reduced.metadata["width"], reduced.metadata["height"]) == size
    assert np.abs(reduced.pixels.astype(int) - full.pixels).mean() < 1


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_shows_its_first_frame(format_, tmp_path, read):
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, (0, 0, 255))]
    path = tmp_path / "moving"
    frames[0].save(path, format_, save_all=True, append_images=frames[1:], lossless=True)
    check_halves(read(path, SMALL), RED, RED, tolerance=4)
