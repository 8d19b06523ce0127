"""Colours are those of the file's profile; drawings stand out from their ground."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw
from profiles import rgb_profile

from lookalike.decode.requests import ThumbnailRequest
from lookalike.records import Box, Photo, View

SMALL = View(8, resample="BOX")
COLOURS = [(200, 40, 30), (20, 160, 60), (90, 120, 200), (128, 128, 128), (250, 250, 250)]
WIDE = {
    "Adobe RGB": rgb_profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), gamma=2.19921875),
    "Display P3": rgb_profile(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), gamma=2.2),
    "ProPhoto": rgb_profile(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), gamma=1.8),
    "a screen": rgb_profile(((0.62, 0.34), (0.3, 0.58), (0.14, 0.08)), gamma=1.8),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LIKE_SRGB = rgb_profile(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), gamma=None)
BROKEN = {
    "scrap": b"not a profile",
    "cut": WIDE["Adobe RGB"][:200],
    "zeros": bytes(3000),
    "wild": WIDE["Adobe RGB"][:132] + b"\xff" * 400,
    "grey for colours": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    "huge": WIDE["Adobe RGB"] + bytes(5 << 20),
}


def stripes(mode="RGB"):
    image = Image.new("RGB", (40, 40))
    for at, colour in enumerate(COLOURS):
        image.paste(colour, (at * 8, 0, at * 8 + 8, 40))
    return image.convert(mode)


def by_profile(image, profile):
    """What littleCMS makes of the whole picture at full size."""
    opened = ImageCms.ImageCmsProfile(BytesIO(profile))
    return ImageCms.profileToProfile(
        image, opened, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )


def shown(path, pool):
    with Image.open(BytesIO(pool.thumbnail(ThumbnailRequest(str(path), 40)))) as image:
        return np.asarray(image, int)


def square(result):
    assert isinstance(result, Photo), result
    return result.pixels.astype(int)


@pytest.mark.parametrize("format_", ["png", "tiff", "webp", "jpg"])
@pytest.mark.parametrize("name", WIDE)
def test_colours_are_those_of_the_profile(name, format_, tmp_path, read, pool):
    path = tmp_path / f"a.{format_}"
    options = {"quality": 100} if format_ in ("jpg", "webp") else {}
    stripes().save(path, icc_profile=WIDE[name], **options)
    wanted = np.asarray(by_profile(stripes(), WIDE[name]), int)[4, 4::8]
    assert np.abs(wanted - COLOURS).max() > 10  # the profile does change something
    tolerance = 3 if format_ in ("png", "tiff") else 12
    assert np.abs(shown(path, pool)[20, 4::8] - wanted).max() <= tolerance + 6  # a thumbnail is a JPEG
    result = square(read(path, View(40, resample="BOX")))
    assert np.abs(result[20, 4::8] - wanted).max() <= tolerance


def test_a_palette_and_alpha_have_a_profile_too(tmp_path, read):
    profile = WIDE["Display P3"]
    wanted = np.asarray(by_profile(stripes(), profile), int)[4, 4::8]
    stripes().quantize(5).save(tmp_path / "palette.png", icc_profile=profile)
    stripes("RGBA").save(tmp_path / "alpha.png", icc_profile=profile)
    for name in ("palette", "alpha"):
        result = square(read(tmp_path / f"{name}.png", View(40, resample="BOX")))
        assert np.abs(result[20, 4::8] - wanted).max() <= 3


def test_cmyk_and_grey_have_theirs(tmp_path, read):
    from profiles import cmyk_profile, grey_profile

    inks, profile = stripes("CMYK"), cmyk_profile()
    wanted = np.asarray(by_profile(inks, profile), int)[4, 4::8]
    for ending in ("tiff", "jpg"):
        inks.save(tmp_path / f"a.{ending}", icc_profile=profile, quality=100)
        result = square(read(tmp_path / f"a.{ending}", View(40, resample="BOX")))[20, 4::8]
        assert np.abs(result - wanted).max() <= (3 if ending == "tiff" else 16)
    inks.save(tmp_path / "plain.tiff")
    plain = square(read(tmp_path / "plain.tiff", View(40, resample="BOX")))[20, 4::8]
    assert np.abs(plain - wanted).max() > 16
    Image.new("L", (40, 40), 128).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert np.abs(square(read(tmp_path / "a.png", SMALL)) - 188).max() <= 2  # linear light


@pytest.mark.parametrize("profile", [SRGB, LIKE_SRGB], ids=["sRGB", "much like it"])
def test_what_is_as_good_as_srgb_changes_no_bit(profile, tmp_path, make_photo, read):
    with Image.open(make_photo(tmp_path / "a.png", 1, (300, 200))) as image:
        image.save(tmp_path / "profiled.png", icc_profile=profile)
        image.save(tmp_path / "plain.png")
    for view in (View(64), View(64, fit="steps", short_side=72)):
        assert np.array_equal(
            square(read(tmp_path / "profiled.png", view)), square(read(tmp_path / "plain.png", view))
        )


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("format_", ["png", "jpg", "tiff", "webp"])
def test_a_broken_profile_is_ignored(name, format_, tmp_path, read):
    path = tmp_path / f"a.{format_}"
    stripes().save(tmp_path / f"plain.{format_}")
    stripes().save(path, icc_profile=BROKEN[name])
    assert np.array_equal(square(read(path, SMALL)), square(read(tmp_path / f"plain.{format_}", SMALL)))


def drawing(colour, kind, mode="RGBA"):
    """A drawing on nothing."""
    image = Image.new("RGBA", (80, 80), (*colour, 0))
    draw = ImageDraw.Draw(image)
    if kind == "disc":
        draw.ellipse((10, 10, 70, 70), (*colour, 255))
    elif kind == "lines":
        for at in range(8, 80, 12):
            draw.line((at, 8, 80 - at, 72), (*colour, 255), 2)
    else:
        draw.rectangle((20, 10, 60, 70), (*colour, 120))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["disc", "lines", "faint"])
@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 250, 245), (240, 240, 255)])
@pytest.mark.parametrize("ending", ["png", "webp"])
def test_a_light_drawing_on_nothing_is_seen(colour, kind, ending, tmp_path, read, pool):
    options = {"lossless": True} if ending == "webp" else {}
    drawing(colour, kind).save(tmp_path / f"a.{ending}", **options)
    assert np.ptp(square(read(tmp_path / f"a.{ending}", View(40)))) > 50
    assert np.ptp(shown(tmp_path / f"a.{ending}", pool)) > 50


@pytest.mark.parametrize("mode", ["LA", "P"])
def test_so_it_is_in_grey_and_with_a_palette(mode, tmp_path, read):
    image = drawing((255, 255, 255), "disc")
    image = image.quantize(8) if mode == "P" else image.convert("LA")
    image.save(tmp_path / "a.png")
    assert np.ptp(square(read(tmp_path / "a.png", View(40)))) > 200


def test_two_light_drawings_are_told_apart(tmp_path, read):
    for kind in ("disc", "lines", "faint"):
        drawing((255, 255, 255), kind).save(tmp_path / f"{kind}.png")
    seen = [square(read(tmp_path / f"{kind}.png", View(40))) for kind in ("disc", "lines", "faint")]
    assert all(np.abs(seen[a] - seen[b]).mean() > 10 for a, b in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 40, 30), (200, 200, 200), (120, 160, 250)])
def test_any_other_drawing_lies_on_white(colour, tmp_path, read):
    drawing(colour, "disc").save(tmp_path / "a.png")
    assert tuple(square(read(tmp_path / "a.png", View(40)))[0, 0]) == (255, 255, 255)


def test_the_whole_picture_chooses_the_ground_of_square_and_thumbnail(tmp_path, read, pool):
    """White in the middle, which is all that the square sees, and a dark frame that the thumbnail shows."""
    image = Image.new("RGBA", (200, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((70, 10, 130, 70), (255, 255, 255, 255))
    ImageDraw.Draw(image).rectangle((0, 0, 30, 80), (20, 20, 20, 255))
    image.save(tmp_path / "a.png")
    assert tuple(square(read(tmp_path / "a.png", View(40)))[0, 0]) == (255, 255, 255)
    assert np.abs(shown(tmp_path / "a.png", pool)[0, 20] - 255).max() < 20


def test_a_part_chooses_its_ground_as_if_it_were_a_photo(tmp_path, pool):
    from lookalike.decode.requests import PhotoRequest

    image = Image.new("RGBA", (160, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 70, 70), (255, 255, 255, 255))
    ImageDraw.Draw(image).ellipse((90, 10, 150, 70), (0, 0, 0, 255))
    image.save(tmp_path / "a.png")
    for left, ground in ((0.0, 0), (0.5, 255)):
        part = pool.photo(PhotoRequest("", str(tmp_path / "a.png"), View(40), box=Box(left, 0, 0.5, 1)))
        assert tuple(part.pixels[0, 0]) == (ground,) * 3


def test_one_clear_colour_is_clear_in_rgb_too(tmp_path, read):
    image = Image.new("RGB", (32, 32), (255, 0, 255))
    image.paste((20, 160, 60), (16, 0, 32, 32))
    image.save(tmp_path / "a.png", transparency=(255, 0, 255))
    result = square(read(tmp_path / "a.png", SMALL))
    assert tuple(result[4, 1]) == (255, 255, 255) and tuple(result[4, 6]) == (20, 160, 60)
