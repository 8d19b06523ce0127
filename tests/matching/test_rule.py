"""The rule for the same photo, bar by bar: each piece of evidence just within, and just beyond it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lookalike.matching.pixels import Laid
from lookalike.matching.points import PointMap
from lookalike.matching.rule import Evidence, is_same_photo, is_same_scene

STILL = Laid(windows=80, fitting=0.95, moves=0.03, differing=0.0, largest=0.0, moved=0.0)
SURE = PointMap(False, 1 + 0j, 0j, inliers=60, residual=0.15, closely=0.95, second=0)


def whole(points: PointMap | None = None, **changed) -> bool:
    return is_same_photo(Evidence(points, replace(STILL, **changed), None))


def part(points: PointMap = SURE, **changed) -> bool:
    return is_same_photo(Evidence(points, None, replace(STILL, **changed)))


def test_without_evidence_nothing_is_the_same():
    assert not is_same_photo(Evidence(None, None, None))
    assert not is_same_photo(Evidence(SURE, None, None)), "points alone pass second shots"
    assert not is_same_photo(Evidence(None, Laid(0), None))


@pytest.mark.parametrize("laid", [whole, part])
def test_what_stands_still_is_the_same_until_too_much_differs(laid):
    assert laid()
    assert laid(differing=0.18, largest=0.12) and not laid(differing=0.19, largest=0.12)
    assert not laid(differing=0.13, largest=0.13)
    assert laid(moved=0.03) and not laid(moved=0.04)


def test_where_little_fits_only_small_pieces_may_differ():
    assert whole(fitting=0.49, largest=0.05, differing=0.1)
    assert not whole(fitting=0.49, largest=0.06, differing=0.1)
    assert not whole(fitting=0.29)
    assert not whole(windows=3)


def test_the_surer_the_points_the_more_pixels_may_move():
    assert whole(moves=0.06) and not whole(moves=0.07)
    assert whole(replace(SURE, inliers=6, residual=0.36, closely=0.75), moves=0.09)
    assert not whole(replace(SURE, inliers=5), moves=0.09)
    assert whole(replace(SURE, inliers=8, residual=0.3, closely=0.8), moves=0.15)
    assert not whole(replace(SURE, inliers=8, residual=0.31), moves=0.15)
    assert whole(SURE, moves=0.2) and not whole(replace(SURE, inliers=39), moves=0.2)
    assert not whole(SURE, moves=0.21)


def test_a_part_needs_more_points_where_less_of_it_fits():
    assert part(replace(SURE, inliers=8, residual=0.6, closely=0.6), fitting=0.75)
    assert not part(replace(SURE, inliers=8), fitting=0.74)
    assert part(replace(SURE, inliers=20), fitting=0.74)
    assert not part(replace(SURE, closely=0.59))
    assert not part(windows=5)


def test_a_part_with_few_points_is_told_by_its_pixels():
    few = replace(SURE, inliers=4, residual=0.9, closely=0.3)
    assert part(few) and part(few, moves=0.06, moved=0.01, fitting=0.9, windows=10)
    assert not part(few, moves=0.07) and not part(few, moved=0.02)
    assert not part(few, fitting=0.89) and not part(few, windows=9)


def test_the_part_tells_of_whole_frames_how_much_they_move():
    shows = Evidence(SURE, replace(STILL, moves=0.5), replace(STILL, differing=0.5, windows=9))
    assert is_same_photo(shows)
    assert not is_same_photo(replace(shows, points=replace(SURE, inliers=5, residual=0.7)))


def test_points_that_went_elsewhere_together_with_a_piece_are_a_second_shot():
    moving = replace(SURE, second=3)
    assert whole(moving) and not whole(moving, largest=0.01, differing=0.01)
    assert whole(replace(SURE, second=2), largest=0.01, differing=0.01)


def test_a_scene_is_told_by_many_points_some_of_them_close():
    scene = replace(SURE, inliers=12, residual=2.0, closely=0.11)
    assert is_same_scene(scene, is_whole=False)
    assert not is_same_scene(replace(scene, inliers=11), is_whole=True)
    assert not is_same_scene(replace(scene, closely=0.1), is_whole=False)
    assert is_same_scene(replace(scene, closely=0.1), is_whole=True)
    assert not is_same_scene(None, is_whole=True)
