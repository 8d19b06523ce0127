"""Two pictures laid on each other: a copy stands still however it was edited, and what moved shows."""

from __future__ import annotations

import numpy as np
import pytest
from matching_helpers import saved, textured
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from lookalike.matching.pixels import Laid, lay

WIDTH, HEIGHT = 192, 144


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return textured(3, 4 * WIDTH, 4 * HEIGHT)


def small(photo: Image.Image, right: float = 0.0) -> Image.Image:
    """The photo in the size in which pictures are laid on each other, sampled so far to the right."""
    box = (4 * right + 40, 40, 4 * right + 4 * WIDTH - 40, 4 * HEIGHT - 40)
    return photo.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box)


def laid(one: Image.Image, other: Image.Image) -> Laid:
    greys = [np.asarray(each.convert("L"), np.float32) for each in (one, other)]
    return lay(*greys, np.ones(greys[1].shape, bool))


def test_a_picture_lies_on_itself(photo):
    found = laid(small(photo), small(photo))
    assert found.windows > 60 and found.fitting == 1
    assert found.moves < 1e-3 and found.differing == found.moved == found.largest == found.blur == 0


@pytest.mark.parametrize("right", [0.1, 0.37, 0.8])
def test_a_shift_of_the_whole_is_taken_off(photo, right):
    found = laid(small(photo), small(photo, right))
    assert found.fitting > 0.95 and found.moves < 0.03 and found.differing == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
        lambda photo: ImageEnhance.Contrast(photo).enhance(0.6),
        lambda photo: photo.convert("L"),
        lambda photo: saved(photo, 50),
    ],
    ids=["brighter", "flat", "grey", "JPEG"],
)
def test_a_recoloured_copy_stands_still(photo, edit):
    found = laid(small(photo), edit(small(photo)))
    assert found.fitting > 0.9 and found.moves <= 0.06 and found.moved == 0 and found.differing < 0.02


@pytest.mark.parametrize("radius", [1.0, 2.0])
def test_a_blurred_copy_is_met_by_as_much_blur_whichever_is_first(photo, radius):
    soft = small(photo).filter(ImageFilter.GaussianBlur(radius))
    for found in (laid(small(photo), soft), laid(soft, small(photo))):
        assert 0.6 * radius <= found.blur <= 1.5 * radius
        assert found.fitting > 0.9 and found.moves <= 0.06 and found.differing == 0


def test_writing_differs_and_is_no_thing_that_moved(photo):
    written = small(photo)
    draw = ImageDraw.Draw(written)
    draw.rectangle((0, 64, WIDTH, 95), fill=(255, 255, 255))
    draw.text((10, 64), "HOLIDAY", (0, 0, 0), ImageFont.load_default(24))
    found = laid(small(photo), written)
    assert found.moves <= 0.06 and found.moved == 0
    assert found.differing == found.largest == pytest.approx(24 / 108, abs=0.05), "a band over the whole"


def test_a_thing_that_moved_shows(photo):
    blocks = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    thing = Image.fromarray(blocks).resize((48, 48), Image.Resampling.BICUBIC)
    before, after = (ImageOps.equalize(small(photo)) for _ in range(2))  # of all levels, unlike writing
    before.paste(thing, (16, 16))
    after.paste(thing, (112, 80))
    found = laid(before, after)
    assert found.moved == pytest.approx(18 / 108, abs=0.06), "nine windows here and nine there"
    assert found.largest == pytest.approx(9 / 108, abs=0.03)
    assert found.moves <= 0.06, "the rest stands still"


def test_near_things_moved_against_far_ones_show_as_moves(photo):
    """Half a second shot lies a pixel further than the other half: no similarity explains that."""
    shot = small(photo).copy()
    shot.paste(small(photo, 1.0).crop((0, 0, WIDTH, HEIGHT // 2)), (0, 0))
    assert laid(small(photo), shot).moves > 0.2


def test_other_pictures_do_not_fit():
    found = laid(textured(4, WIDTH, HEIGHT), textured(5, WIDTH, HEIGHT))
    assert found.fitting < 0.1


@pytest.mark.parametrize("size", [(1, 1), (31, 144), (192, 31), (16, 16)])
def test_too_small_a_part_tells_nothing(photo, size):
    assert laid(small(photo).resize(size), small(photo).resize(size)) == Laid(0)


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_pictures_of_one_colour_tell_nothing(photo, colour):
    plain = Image.new("L", (WIDTH, HEIGHT), colour)
    assert laid(plain, plain) == Laid(0, 0.0)
    assert laid(plain, small(photo)).fitting == 0
