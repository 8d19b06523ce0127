"""The truth about copies: edits and negatives are what they are called, and the same each time."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import copy_edits
import copy_negatives
import copy_truth
from copy_edits import EDITS
from copy_negatives import SHOTS
from copy_truth import Entry, Relation, Truth

SOURCES = 3


@pytest.fixture(scope="module")
def truth(shared_data, tmp_path_factory) -> Truth:
    return copy_truth.make(tmp_path_factory.mktemp("truth"), SOURCES, seed=5, data=shared_data)


def pixels(truth: Truth, entry: Entry, size: tuple[int, int] | None = None) -> np.ndarray:
    with Image.open(truth.path(entry)) as photo:
        shown = photo.convert("RGB")
    return np.asarray(shown.resize(size) if size else shown, np.float32)


def edits_of(truth: Truth, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each source's pixels with those of an edit of it."""
    found = [
        (pixels(truth, source), pixels(truth, edit)) for source, edit in truth.asked() if edit.name == name
    ]
    assert len(found) == SOURCES
    return found


def difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


def test_every_source_has_every_edit_and_each_file_is_what_the_list_says(truth):
    kinds = Counter(entry.kind for entry in truth.entries)
    assert kinds["source"] == SOURCES and kinds["edit"] == SOURCES * len(EDITS)
    assert SOURCES * 5 <= kinds["shot"] <= SOURCES * len(SHOTS)
    assert kinds["other"] >= SOURCES and kinds["layout"] == 4 * copy_truth.LAYOUT_FILES
    files = [path.relative_to(truth.folder).as_posix() for path in truth.folder.rglob("*") if path.is_file()]
    assert sorted(files) == sorted([*truth.by_file, "truth.jsonl"])
    sets = {entry.name.split("/")[0] for entry in truth.entries if entry.kind == "source"}
    assert sets == {name.split("/")[0] for name in copy_truth.SETS}


def test_all_that_is_made_of_one_photo_is_of_one_half(truth):
    halves = {entry.origin: set() for entry in truth.entries}
    for entry in truth.entries:
        halves[entry.origin].add(entry.half)
    assert all(len(each) == 1 for each in halves.values())
    assert {entry.half for entry in truth.half(1).entries} == {1}


@pytest.mark.parametrize(
    ("name", "factor"),
    [("half-size", 0.5), ("quarter-size", 0.25), ("crop-80", 0.8), ("crop-50", 0.5), ("crop-50-enlarged", 1)],
)
def test_sizes(truth, name, factor):
    for source, edit in edits_of(truth, name):
        assert all(abs(a * factor - b) <= 1 for a, b in zip(source.shape[:2], edit.shape[:2], strict=True))


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("mirrored", lambda each: each[:, ::-1]),
        ("turned-90", lambda each: np.rot90(each, -1)),
        ("turned-180", lambda each: np.rot90(each, 2)),
        ("turned-270", lambda each: np.rot90(each, 1)),
    ],
)
def test_turned_back_it_is_the_source(truth, name, back):
    for source, edit in edits_of(truth, name):
        assert difference(back(edit), source) < 6
        if edit.shape == source.shape:
            assert difference(edit, source) > 3 * difference(back(edit), source)


@pytest.mark.parametrize("name", ["jpeg-30", "jpeg-75", "webp"])
def test_saved_anew_it_is_hardly_another(truth, name):
    for source, edit in edits_of(truth, name):
        assert 0 < difference(source, edit) < 8


@pytest.mark.parametrize("name", ["captions", "text-line", "watermark", "watermark-repeated"])
def test_writing_shows_and_leaves_the_rest(truth, name):
    for source, edit in edits_of(truth, name):
        changed = np.abs(source - edit).max(axis=2) > 24
        assert 0.005 < changed.mean() < 0.5
        rows = np.flatnonzero(changed.mean(axis=1) > 0.02) / len(changed)
        if name == "captions":
            assert rows.min() < 0.2 and rows.max() > 0.8
        if name == "text-line":
            assert 0.2 < np.median(rows) < 0.8


def test_brighter_darker_and_grey(truth):
    assert all(edit.mean() > 1.02 * source.mean() for source, edit in edits_of(truth, "brighter"))
    assert all(edit.mean() < 0.9 * source.mean() for source, edit in edits_of(truth, "darker"))
    assert all(np.ptp(edit, axis=2).max() == 0 for _, edit in edits_of(truth, "grey"))


def test_blur_takes_detail_and_noise_adds_it(truth):
    def detail(each):
        return np.abs(np.diff(each.mean(axis=2), axis=1)).mean()

    assert all(detail(edit) < 0.8 * detail(source) for source, edit in edits_of(truth, "blur"))
    for source, edit in edits_of(truth, "noise"):
        assert 2 < difference(source, edit) < 16
        assert detail(edit) > detail(source)


@pytest.mark.parametrize("name", ["border", "border-unequal"])
def test_a_border_lies_around_the_whole_photo(truth, name):
    for source, edit in edits_of(truth, name):
        (height, width), (outer_height, outer_width) = source.shape[:2], edit.shape[:2]
        assert (outer_height, outer_width) > (height, width)
        inner = [
            edit[top : top + height, left : left + width]
            for top in range(outer_height - height + 1)
            for left in {0, (outer_width - width) // 2}
        ]
        assert min(difference(each, source) for each in inner) < 6


def test_a_crop_is_a_part_of_the_source(truth):
    for source, edit in edits_of(truth, "crop-50"):
        height, width = edit.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(source[..., 1], (height, width))
        probe = edit[::8, ::8, 1]
        assert np.abs(windows[..., ::8, ::8] - probe).mean(axis=(2, 3)).min() < 8


def test_five_degrees_are_five_degrees():
    drawn = [abs(copy_edits.tilt(np.random.default_rng(seed))) for seed in range(50)]
    assert min(drawn) >= 4.5 and max(drawn) <= 5.5
    white = Image.new("RGB", (300, 200), "white")
    for seed in range(6):
        made = copy_edits.tilted_cropped(white, np.random.default_rng(seed))
        assert np.asarray(made).min() > 250, "no empty corner is left"
        assert made.width > 0.75 * 300 and abs(made.width / made.height - 1.5) < 0.05


def test_a_second_shot_is_another_picture_of_the_same(truth):
    by_origin = {entry.origin: entry for entry in truth.entries if entry.kind == "source"}
    for shot in (entry for entry in truth.entries if entry.kind == "shot"):
        source = by_origin[shot.origin]
        assert difference(pixels(truth, source), pixels(truth, shot)) > 1.5
        assert truth.relation(source, shot) == Relation("other", shot.name)


def test_what_moved_on_a_tripod_shows_and_the_rest_stays():
    random = np.random.default_rng(3)
    photo = Image.fromarray(random.integers(0, 256, (200, 300, 3)).astype(np.uint8))
    shot = copy_negatives.moved(photo, random, 0.08, 0.15)
    changed = (np.asarray(shot) != np.asarray(photo)).any(axis=2).mean()
    assert 0.08 < changed < 0.32
    assert copy_negatives.moved(Image.new("RGB", (200, 200), "white"), random, 0.08, 0.15) is None


def test_parallax_is_as_strong_as_it_is_called():
    """A ramp across the picture tells by its values how far each place has moved."""
    ramp = np.broadcast_to(np.linspace(0, 255, 400)[None, :, None], (400, 400, 3))
    photo = copy_edits.from_pixels(ramp)
    reach = []
    for seed in range(12):
        made = np.asarray(copy_negatives.parallax(photo, np.random.default_rng(seed), 0.02, 0.03), np.float32)
        moved = (made - np.asarray(photo, np.float32))[40:-40, 40:-40, 0] / 255 * 400
        reach.append(float(np.ptp(moved)))
    assert max(reach) <= 0.03 * 400 + 3.2, "no more than 3 % of the side, and the steps of the ramp"
    assert max(reach) > 0.015 * 400


def test_relations(truth):
    source = next(entry for entry in truth.entries if entry.kind == "source")
    of = {entry.name: entry for entry in truth.entries if entry.origin == source.origin}
    assert truth.relation(of["blur"], source) == Relation("copy", "blur")
    assert truth.relation(of["blur"], of["mirrored"]) == Relation("copy", "two edits")
    assert truth.relation(of["blur"], of["crop-50"]) == Relation("free", "two edits")
    shot = next(entry for name, entry in of.items() if name in SHOTS)
    assert truth.relation(of["blur"], shot).verdict == "other"
    other = next(entry for entry in truth.entries if entry.kind == "other")
    assert truth.relation(source, other).verdict == "other"
    known = Truth(truth.folder, truth.entries, frozenset([frozenset((source.origin, other.origin))]))
    assert known.relation(of["blur"], other) == Relation("free", "known copies")


def test_known_copies_are_photos_of_the_data(shared_data):
    there = {
        copy_truth._Photo(path, shared_data).sha256
        for name in copy_truth.SETS
        for path in (shared_data / name).rglob("*.jpg")
    }
    pairs = copy_truth.known_pairs()
    assert len(pairs) >= 10
    assert all(len(pair) == 2 and pair <= there for pair in pairs)


def test_the_same_seed_makes_the_same_and_another_does_not(truth, shared_data, tmp_path):
    again = copy_truth.make(tmp_path / "again", SOURCES, seed=5, data=shared_data)
    assert again.entries == truth.entries
    assert all(again.path(entry).read_bytes() == truth.path(entry).read_bytes() for entry in truth.entries)
    other = copy_truth.make(tmp_path / "other", 1, seed=6, data=shared_data)
    assert {each.origin for each in other.entries} != {each.origin for each in truth.entries}


def test_a_folder_with_files_and_one_without_a_truth_are_refused(tmp_path, shared_data):
    with pytest.raises(SystemExit, match=r"has no truth\.jsonl"):
        copy_truth.read(tmp_path)
    (tmp_path / "mine.txt").write_text(json.dumps("mine"))
    with pytest.raises(SystemExit, match="is not empty"):
        copy_truth.make(tmp_path, 1, data=shared_data)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(SystemExit, match="too few"):
        copy_truth.make(tmp_path / "new", 1_000_000, data=shared_data)
