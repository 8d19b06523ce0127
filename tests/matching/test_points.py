"""Points are found again, in a mirrored picture by their permuted descriptors, and tell the map."""

from __future__ import annotations

import numpy as np
import pytest
from matching_helpers import saved, textured
from PIL import Image, ImageOps

from lookalike.matching.features import MOST_POINTS, Features, extract
from lookalike.matching.points import Described, PointMap, Room, best_map, may_map


def described(photo: Image.Image) -> Described:
    return Described.of(extract(np.asarray(photo)))


def mapped(one: Described, other: Described, *, mirrored: bool | None) -> PointMap | None:
    return best_map(one, other, Room(), mirrored=mirrored)


def may(one: Described, other: Described) -> bool:
    return may_map(one, other, Room())


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return textured(2)


def grey_size(photo: Image.Image) -> tuple[int, int]:
    height, width = extract(np.asarray(photo)).grey.shape
    return width, height


def test_a_picture_is_mapped_onto_itself(photo):
    found = mapped(described(photo), described(photo), mirrored=None)
    assert not found.mirrored and found.inliers >= 100 and found.second == 0
    assert found.turn == pytest.approx(1, abs=1e-3) and abs(found.shift) < 0.1
    assert found.residual < 0.01 and found.closely == 1


def test_the_products_of_halves_are_those_of_descriptors_as_they_are_and_mirrored(photo):
    features = extract(np.asarray(photo))
    rows = features.descriptors / np.linalg.norm(features.descriptors, axis=1, keepdims=True)
    cells = rows.reshape(-1, 4, 4, 8)
    mirrored = np.roll(cells[:, ::-1, :, ::-1], 1, axis=3).reshape(-1, 128)  # direction d becomes −d
    even, odd = Described.of(features).fine
    assert np.allclose(even @ even.T + odd @ odd.T, rows @ rows.T, atol=1e-5)
    assert np.allclose(even @ even.T - odd @ odd.T, mirrored @ rows.T, atol=1e-5)


@pytest.mark.parametrize("turn", range(4))
def test_the_points_of_a_mirrored_picture_are_those_of_the_picture_upside_down(photo, turn):
    """Of a mirrored and turned picture nearly all points are found, and each lies where the map says."""
    changed = ImageOps.mirror(photo).rotate(90 * turn, expand=True)
    one, other = described(photo), described(changed)
    found = mapped(one, other, mirrored=None)
    assert found.mirrored and found.inliers >= 100 and found.residual < 0.3
    assert mapped(one, other, mirrored=True) == found
    straight = mapped(one, other, mirrored=False)
    assert straight is None or straight.inliers < 10
    width, height = grey_size(photo)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1)):
        wanted = (width - 1 - corner[0], corner[1])
        for quarter in range(turn):  # counter-clockwise
            across = (height if quarter % 2 else width) - 1
            wanted = (wanted[1], across - wanted[0])
        assert np.allclose((found.matrix(height) @ (*corner, 1))[:2], wanted, atol=1), corner


def test_a_crop_is_mapped_where_it_was_cut(photo):
    crop = photo.crop((100, 60, 340, 240))
    found = mapped(described(photo), described(crop), mirrored=None)
    scale = grey_size(photo)[0] / photo.width
    assert not found.mirrored and found.inliers >= 30
    assert abs(found.turn) == pytest.approx(1 / scale, rel=0.01)
    assert found.shift == pytest.approx(-100 - 60j, abs=2)


def test_what_moved_in_the_picture_is_a_second_motion(photo):
    moved = photo.copy()
    moved.paste(textured(9, 120, 120), (200, 120))
    before = photo.copy()
    before.paste(textured(9, 120, 120), (40, 80))
    found = mapped(described(before), described(moved), mirrored=None)
    assert found.turn == pytest.approx(1, abs=0.01) and found.second >= 5


def test_pictures_of_different_things_have_no_map_to_speak_of():
    ones = [described(textured(seed)) for seed in range(20, 26)]
    maps = [mapped(a, b, mirrored=None) for a in ones for b in ones if a is not b]
    assert max((found.inliers for found in maps if found), default=0) < 8


def test_the_screen_passes_what_is_related_and_few_others(photo):
    one = described(photo)
    related = [
        ImageOps.mirror(photo),
        photo.rotate(90, expand=True),
        photo.crop((0, 0, 200, 150)),
        photo.resize((200, 150)),
        saved(photo, 30),
    ]
    assert all(may(one, described(each)) for each in related)
    assert all(may(described(each), one) for each in related)
    assert sum(may(one, described(textured(seed))) for seed in range(20, 40)) <= 5


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_points_are_no_map(photo, count):
    full = extract(np.asarray(photo))
    few = Described.of(Features(full.grey, full.points[:count], full.descriptors[:count]))
    assert mapped(few, Described.of(full), mirrored=None) is None
    assert mapped(Described.of(full), few, mirrored=None) is None
    assert not may(few, Described.of(full)) and not may(Described.of(full), few)


def test_more_points_than_are_kept_find_room(photo):
    full, others = extract(np.asarray(photo)), [extract(np.asarray(textured(seed))) for seed in (9, 10)]
    points = np.concatenate([full.points, *(each.points for each in others)])
    descriptors = np.concatenate([full.descriptors, *(each.descriptors for each in others)])
    assert len(points) > 2 * MOST_POINTS
    many = Described.of(Features(full.grey, points, descriptors))
    assert mapped(Described.of(full), many, mirrored=None).inliers >= 100
    assert mapped(many, many, mirrored=None).inliers >= 100


def test_the_same_room_serves_pair_after_pair(photo):
    room = Room()
    ones = [
        described(each) for each in (photo, photo.crop((0, 0, 160, 120)), textured(9), ImageOps.mirror(photo))
    ]
    for one in ones:
        for other in ones:
            assert best_map(one, other, room, mirrored=None) == mapped(one, other, mirrored=None)
            assert may_map(one, other, room) == may(one, other)
