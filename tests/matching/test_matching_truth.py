"""Real photos, their edits and what only looks like a copy: what a close look says of each pair.

The whole table is `python bench/copies.py`'s; these floors tell soon that something was lost.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matching_helpers import looked, saved
from PIL import Image, ImageOps

from lookalike.matching.verify import Looked, Match, compare, compare_many

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import copy_truth
from copy_edits import EDITS
from copy_negatives import SHOTS
from copy_truth import Entry, Truth

pytestmark = pytest.mark.slow

SOURCES = 12
HARD = {"crop-50", "crop-50-enlarged", "quarter-size", "blur", "text-line", "watermark-repeated"}
"""Edits of which one more may be missed."""
TRIPOD = {name for name in SHOTS if "tripod" in name}
"""Shots in which a thing moved and nothing else: they stay hard, and are only counted."""


@pytest.fixture(scope="module")
def truth(shared_data, tmp_path_factory) -> Truth:
    return copy_truth.make(tmp_path_factory.mktemp("truth"), SOURCES, seed=11, data=shared_data)


@pytest.fixture(scope="module")
def photos(truth) -> dict[str, Looked]:
    """All files of the truth, in the size in which a collection decodes them."""

    def opened(entry: Entry) -> Looked:
        with Image.open(truth.path(entry)) as photo:
            shown = ImageOps.exif_transpose(photo).convert("RGB")
        shown.thumbnail((512, 512), Image.Resampling.BICUBIC)
        return looked(saved(shown))

    return {entry.file: opened(entry) for entry in truth.entries}


@pytest.fixture(scope="module")
def found(truth, photos) -> dict[tuple[Entry, Entry], Match | None]:
    """What is said of each edit and second shot with its source, and of photos of one kind and layout."""
    of = {entry.origin: entry for entry in truth.entries if entry.kind == "source"}
    pairs = [(entry, of[entry.origin]) for entry in truth.entries if entry.kind in {"edit", "shot"}]
    by_name: dict[str, list[Entry]] = {}
    for entry in truth.entries:
        if entry.kind in {"source", "other", "layout"}:
            by_name.setdefault(entry.name, []).append(entry)
    pairs += [pair for alike in by_name.values() for pair in combinations(alike, 2)]
    return {(one, other): compare(photos[one.file], photos[other.file]) for one, other in pairs}


def is_photo(match: Match | None) -> bool:
    return match is not None and match.level == "photo"


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_the_same_photo(found, name):
    told = [is_photo(match) for (edit, _), match in found.items() if (edit.kind, edit.name) == ("edit", name)]
    assert len(told) == SOURCES
    assert sum(told) >= SOURCES - (2 if name in HARD else 1)


def test_nearly_all_edits_together_are_the_same_photo(found):
    told = [is_photo(match) for (edit, _), match in found.items() if edit.kind == "edit"]
    assert np.mean(told) >= 0.985


def test_whole_frames_and_parts_are_told_apart(found):
    for (edit, _), match in found.items():
        if edit.kind == "edit" and is_photo(match):
            if edit.name in {"mirrored", "turned-90", "turned-180", "grey", "jpeg-30"}:
                assert match.first_shown == match.second_shown == 1
            if edit.name == "crop-80":
                assert match.first_shown > 0.98 and match.second_shown == pytest.approx(0.64, abs=0.06)
            if edit.name == "crop-50":
                assert match.first_shown > 0.96 and match.second_shown == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("name", [name for name in SHOTS if name not in TRIPOD])
def test_second_shots_are_never_the_same_photo(found, name):
    told = [match for (shot, _), match in found.items() if shot.kind == "shot" and shot.name == name]
    assert len(told) >= SOURCES * 3 // 4
    assert not any(map(is_photo, told))
    assert sum(match is not None for match in told) >= len(told) // 2, "most are the same scene"


def wrong(truth: Truth, found: dict[tuple[Entry, Entry], Match | None], kinds: set[str]) -> list[Entry]:
    """Photos of these kinds that are taken for the same photo as another and are not."""
    return [
        one
        for (one, other), match in found.items()
        if one.kind in kinds and truth.relation(one, other).verdict == "other" and is_photo(match)
    ]


def test_photos_of_one_kind_are_never_the_same_photo(truth, found):
    assert len([1 for one, _ in found if one.kind in {"source", "other"}]) > 100
    assert wrong(truth, found, {"source", "other"}) == []


def test_pictures_of_one_layout_are_not_the_same_photo(truth, found):
    """Cards that show a small plain thing on white pass for edits of each other: few do."""
    mistaken = wrong(truth, found, {"layout"})
    assert {entry.name for entry in mistaken} <= {"card"}
    assert len(mistaken) <= 0.03 * sum(one.name == "card" for one, _ in found)


def test_many_at_once_are_compared_as_each_would_be(truth, photos, found):
    """The screen may miss one of a thousand related pairs; of these, none, whichever is asked for."""
    asked = [pair for pair in found if pair[0].kind in {"edit", "shot"}]
    beside: dict[Entry, list[Entry]] = {}
    for edit, source in asked:
        beside.setdefault(source, []).append(edit)
    for source, others in beside.items():
        said = compare_many(photos[source.file], [photos[each.file] for each in others])
        assert said == [compare(photos[source.file], photos[each.file]) for each in others]
    for edit, source in asked:
        assert compare_many(photos[edit.file], [photos[source.file]]) == [found[edit, source]]
