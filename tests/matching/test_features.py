"""What is kept of a photo comes back as it was, and points are those of the picture."""

from __future__ import annotations

import numpy as np
import pytest
from matching_helpers import textured
from PIL import Image, ImageOps

from lookalike.matching.features import LONGEST, MOST_POINTS, Features, extract


@pytest.fixture(scope="module")
def features() -> Features:
    return extract(np.asarray(textured(1, 800, 600)))


def test_the_grey_picture_is_the_whole_frame_made_small(features):
    assert features.grey.shape == (LONGEST * 3 // 4, LONGEST)
    wanted = textured(1, 800, 600).convert("L").resize((LONGEST, LONGEST * 3 // 4), Image.Resampling.BOX)
    assert np.abs(features.grey - np.asarray(wanted, np.float32)).mean() < 2
    assert extract(np.asarray(textured(1, 90, 60))).grey.shape == (60, 90), "small ones stay small"


def test_points_lie_in_the_picture_and_descriptors_fit_four_bits(features):
    assert 300 < len(features.points) == len(features.descriptors) <= MOST_POINTS
    x, y, size, angle = features.points.T
    assert x.min() >= 0 and x.max() < LONGEST and y.min() >= 0 and y.max() < LONGEST * 3 // 4
    assert size.min() > 0 and angle.min() >= 0 and angle.max() <= 2 * np.pi + 1e-6
    assert features.descriptors.max() <= 15 and features.descriptors.any(axis=1).all()


def test_the_strongest_of_many_points_are_kept_and_come_first():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    faint = np.asarray(noise.resize((320, 240), Image.Resampling.BICUBIC), np.float32) * 0.4 + 70
    strong = faint.copy()
    strong[:, :160] += (strong[:, :160] - 128) * 1.5
    found = extract(np.clip(strong, 0, 255).astype(np.uint8))
    assert len(found.points) == MOST_POINTS
    assert (found.points[:100, 0] < 160).all(), "of the half with more contrast"


def test_the_same_picture_has_the_same_points_in_the_same_order(features):
    again = extract(np.asarray(textured(1, 800, 600)))
    assert np.array_equal(again.points, features.points)
    assert np.array_equal(again.descriptors, features.descriptors)


def test_they_survive_being_kept(features):
    kept = features.to_bytes()
    back = Features.from_bytes(kept)
    assert 20_000 < len(kept) < 100_000
    assert np.array_equal(back.descriptors, features.descriptors)
    assert np.abs(back.points[:, :3] - features.points[:, :3]).max() <= 1 / 128 + 1e-4
    turn = np.abs(back.points[:, 3] - features.points[:, 3])
    assert np.minimum(turn, 2 * np.pi - turn).max() < 1e-4
    assert back.grey.shape == features.grey.shape and back.grey.dtype == np.uint8
    assert np.abs(back.grey.astype(float) - features.grey).mean() < 2
    assert back.is_grey == features.is_grey


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (4000, 50), (50, 4000)])
@pytest.mark.parametrize("colour", ["black", "white", "teal"])
def test_pictures_of_one_colour_have_no_points_and_survive(size, colour):
    found = extract(np.asarray(Image.new("RGB", size, colour)))
    back = Features.from_bytes(found.to_bytes())
    assert found.points.shape == back.points.shape == (0, 4)
    assert found.descriptors.shape == back.descriptors.shape == (0, 128)
    assert back.grey.shape == found.grey.shape and max(back.grey.shape) <= LONGEST
    assert back.is_grey == (colour != "teal")


def test_a_grey_photo_is_told_from_a_coloured_one(features):
    assert not features.is_grey
    assert extract(np.asarray(ImageOps.grayscale(textured(1)).convert("RGB"))).is_grey
