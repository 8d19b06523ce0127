"""Whether two photos are the same photo, and what maps one onto the other."""

from __future__ import annotations

import numpy as np
import pytest
from matching_helpers import looked, mapped, saved, textured
from PIL import Image, ImageOps

from lookalike.matching.hashes import turned
from lookalike.matching.verify import Match, compare, compare_many, nearest_turn

PHOTO = textured(6)
CORNERS = [(0.0, 0.0), (1.0, 0.0), (0.0, 0.75), (1.0, 0.75)]
"""Of a frame of 4 to 3 whose longer side is 1."""


def with_border(photo: Image.Image) -> Image.Image:
    return ImageOps.expand(photo, 40, "white")


@pytest.mark.parametrize(
    ("edit", "corners"),
    [
        (lambda photo: saved(photo, 40), CORNERS),
        (lambda photo: photo.resize((200, 150)), CORNERS),
        (ImageOps.mirror, [(1, 0), (0, 0), (1, 0.75), (0, 0.75)]),
        (lambda photo: photo.transpose(Image.Transpose.ROTATE_270), [(0.75, 0), (0.75, 1), (0, 0), (0, 1)]),
        (lambda photo: photo.transpose(Image.Transpose.ROTATE_180), [(1, 0.75), (0, 0.75), (1, 0), (0, 0)]),
        (lambda photo: photo.transpose(Image.Transpose.TRANSPOSE), [(0, 0), (0, 1), (0.75, 0), (0.75, 1)]),
        (with_border, [((40 + 400 * x) / 480, (40 + 400 * y) / 480) for x, y in CORNERS]),
        (
            lambda photo: photo.crop((100, 60, 340, 240)),
            [((400 * x - 100) / 240, (400 * y - 60) / 240) for x, y in CORNERS],
        ),
        (
            lambda photo: ImageOps.mirror(photo.crop((100, 60, 340, 240))),
            [(1 - (400 * x - 100) / 240, (400 * y - 60) / 240) for x, y in CORNERS],
        ),
    ],
    ids=["JPEG", "half", "mirrored", "90°", "180°", "transposed", "border", "crop", "mirrored crop"],
)
def test_a_copy_is_the_same_photo_and_its_corners_lie_where_they_belong(edit, corners):
    found = compare(looked(PHOTO), looked(edit(PHOTO)))
    assert found.level == "photo"
    for (x, y), wanted in zip(CORNERS, corners, strict=True):
        assert mapped(found.matrix, x, y) == pytest.approx(wanted, abs=0.02)


def test_shares_tell_a_crop_from_what_it_was_cut_of():
    crop = PHOTO.crop((100, 60, 340, 240))
    found, back = compare(looked(PHOTO), looked(crop)), compare(looked(crop), looked(PHOTO))
    assert found.first_shown == pytest.approx(0.36, abs=0.05) and found.second_shown == 1
    assert back.first_shown == 1 and back.second_shown == pytest.approx(0.36, abs=0.05)


def test_parts_that_two_frames_share_are_no_copy():
    left, right = PHOTO.crop((0, 0, 260, 300)), PHOTO.crop((140, 0, 400, 300))
    found = compare(looked(left), looked(right))
    assert found.level == "scene"


def test_other_photos_are_nothing_to_each_other():
    photos = [looked(textured(seed)) for seed in range(30, 38)]
    assert all(compare(a, b) is None for a in photos for b in photos if a is not b)


def test_many_are_compared_as_each_would_be():
    one = looked(PHOTO)
    others = [looked(textured(seed)) for seed in range(40, 44)]
    others += [looked(each) for each in (PHOTO, ImageOps.mirror(PHOTO), PHOTO.crop((0, 0, 200, 150)))]
    others += [looked(Image.new("RGB", (90, 60), "teal")), looked(with_border(PHOTO))]
    found = compare_many(one, others)
    assert found == [compare(one, other) for other in others]
    assert [each.level if each else None for each in found] == [None] * 4 + ["photo"] * 3 + [None, "photo"]
    assert compare_many(one, []) == []


def test_the_nearest_turn_of_a_pair():
    bits = looked(PHOTO).bits
    assert [nearest_turn(bits, turned(bits, turn)) for turn in range(8)] == [(turn, 0) for turn in range(8)]


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (200, 300, 3), dtype=np.uint8))


ODD = {
    "1 × 1": Image.new("RGB", (1, 1), "red"),
    "2 × 2": Image.fromarray(np.arange(0, 240, 20, dtype=np.uint8).reshape(2, 2, 3)),
    "1 × 300": Image.fromarray(np.arange(900, dtype=np.uint32).astype(np.uint8).reshape(300, 1, 3)),
    "300 × 1": Image.fromarray(np.arange(900, dtype=np.uint32).astype(np.uint8).reshape(1, 300, 3)),
    "black": Image.new("RGB", (300, 200)),
    "white": Image.new("RGB", (300, 200), "white"),
    "teal": Image.new("RGB", (200, 300), "teal"),
    "gradient": Image.linear_gradient("L").convert("RGB"),
    "noise": noise(1),
    "other noise": noise(2),
    "panorama": textured(50, 4000, 50),
    "other panorama": textured(51, 4000, 50),
    "tower": textured(52, 50, 4000),
    "wide": textured(53, 1200, 300),
    "photo": PHOTO,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_are_like_nothing_but_themselves(name):
    one, others = looked(ODD[name]), {other: looked(picture) for other, picture in ODD.items()}
    found = dict(zip(others, compare_many(one, list(others.values())), strict=True))
    assert found == {other: compare(one, each) for other, each in others.items()}
    itself = found.pop(name)
    assert itself is None or itself.matrix == pytest.approx((1, 0, 0, 1, 0, 0), abs=0.01)
    assert set(found.values()) == {None}


@pytest.mark.parametrize("name", ["photo", "wide", "noise"])
def test_what_has_detail_is_the_same_photo_as_itself(name):
    found = compare(looked(ODD[name]), looked(ODD[name]))
    assert isinstance(found, Match) and found.level == "photo"
    assert found.differing == found.blur == 0 and found.first_shown == found.second_shown == 1
