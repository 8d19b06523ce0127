"""Links → groups, without chains; pairs of near hashes; how a copy is one, in words; how long it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.copies.describe import Link, how, share_in_common
from lookalike.copies.grouping import Linked, components, grouped
from lookalike.copies.near import NEAR_BITS, inverse_of, near_pairs
from lookalike.copies.notes import FoundMatch
from lookalike.copies.pictures import PARTS, packed, unpacked
from lookalike.embedders.vectors import unit_length
from lookalike.matching.hashes import TURNS, turned
from lookalike.matching.verify import Match
from lookalike.progress import unheard
from lookalike.records import FileStamp, Item

BENCH = Path(__file__).parents[2] / "bench"


def linked(order, *links, better=()):
    pairs = frozenset((min(pair), max(pair)) for pair in links)
    return Linked(tuple(order), pairs, frozenset(better))


def always(best, one, other):
    return True


def test_all_that_are_linked_to_the_best_are_a_group():
    assert grouped(linked([3, 1, 2, 4], (1, 3), (2, 3)), always) == [[3, 1, 2]]
    assert grouped(linked([1, 2, 3]), always) == []


def test_what_does_not_show_the_same_comes_with_the_best_in_a_group_each():
    halves = linked([1, 2, 3], (1, 2), (1, 3))
    assert grouped(halves, lambda *_: False) == [[1, 2], [1, 3]]


def test_a_chain_is_no_group_and_nothing_of_it_is_lost():
    chain = linked([1, 2, 3, 4], (1, 2), (2, 3), (3, 4))
    groups = grouped(chain, always)
    assert groups == [[1, 2], [3, 4]]
    assert grouped(linked([1, 2, 3], (1, 2), (2, 3)), always) == [[1, 2], [2, 3]]


def test_who_was_decided_to_be_better_comes_first():
    assert grouped(linked([1, 2, 3], (1, 2), (1, 3), (2, 3), better=[(2, 1)]), always) == [[2, 1, 3]]
    circle = linked([1, 2, 3], (1, 2), (1, 3), (2, 3), better=[(2, 1), (1, 3), (3, 2)])
    assert [set(group) for group in grouped(circle, always)] == [{1, 2, 3}]


def test_components_are_what_hangs_together():
    parts = linked([5, 1, 2, 3, 4, 6], (1, 2), (2, 3), (4, 5))
    assert list(components(parts)) == [[5, 4], [1, 2, 3]]


@pytest.mark.parametrize("new_from", [0, 1, 20, 39])
def test_near_pairs_are_those_of_all_pairs_in_all_positions(new_from):
    chance = np.random.default_rng(7)
    bits = chance.integers(0, 256, (40, 32), np.uint8)
    for at in range(1, 40, 2):  # a copy of the one before, turned somehow
        bits[at] = turned(bits[at - 1 : at], at % len(TURNS))[0]
        bits[at, : at % 6] ^= 0b1010101
    hashes = {number: row.tobytes() for number, row in enumerate(bits, 1)}
    new = {number for number in hashes if number > new_from}
    found = {(one, other): (turn, left) for one, other, turn, left in near_pairs(hashes, new, unheard)}
    expected = {}
    for one in hashes:
        for other in range(one + 1, 41):
            if new.isdisjoint((one, other)):
                continue
            ways = [turned(bits[one - 1 : one], turn) ^ bits[other - 1] for turn in range(8)]
            left = [int(np.unpackbits(each).sum()) for each in ways]
            if min(left) <= NEAR_BITS:
                expected[one, other] = (int(np.argmin(left)), min(left))
    assert found == expected
    assert len(found) >= len(new) // 2 - 1


@pytest.mark.parametrize("turn", range(8))
def test_turning_there_and_back_is_no_turn(turn):
    bits = np.random.default_rng(turn).integers(0, 256, (3, 32), np.uint8)
    assert np.array_equal(turned(turned(bits, turn), inverse_of(turn)), bits)


def item(width, height, size=1000):
    return Item(1, "/a.jpg", b"1" * 32, FileStamp(size, 1), {"width": width, "height": height})


def match(matrix=(1, 0, 0, 1, 0, 0), **facts):
    return Match("photo", tuple(map(float, matrix)), **facts)


@pytest.mark.parametrize(
    ("found", "copy", "words"),
    [
        (FoundMatch(match()), (400, 300), ("saved anew",)),
        (FoundMatch(match()), (200, 150), ("smaller",)),
        (FoundMatch(match()), (800, 600), ("larger",)),
        (FoundMatch(match(differing=0.05)), (400, 300), ("edited",)),
        (FoundMatch(match((-1, 0, 0, 1, 1, 0))), (400, 300), ("mirrored",)),
        (FoundMatch(match((0, -1, 1, 0, 0, 0.75))), (300, 400), ("turned 90°",)),
        (FoundMatch(match((0, 1, -1, 0, 1, 0))), (300, 400), ("turned 270°",)),
        (FoundMatch(match((-1, 0, 0, -1, 1, 0.75))), (400, 300), ("turned 180°",)),
        (FoundMatch(match((0.996, -0.087, 0.087, 0.996, 0, 0))), (400, 300), ("turned 5°",)),
        (FoundMatch(match((0.5, 0, 0, 0.5, 0.1, 0.1), second_shown=0.25)), (200, 150), ("cropped",)),
        (FoundMatch(match((1.2, 0, 0, 1.2, -0.1, -0.1), first_shown=0.7), "first"), (480, 360), ("framed",)),
        (FoundMatch(match((1.2, 0, 0, 1.2, -0.1, -0.1), first_shown=0.7)), (480, 360), ("shows more",)),
        (FoundMatch(Match("scene", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0))), (400, 300), ("same scene",)),
        (None, (400, 300), ("by its hash",)),
    ],
)
def test_how_a_copy_is_one_is_said_in_words(found, copy, words):
    assert how(item(*copy), item(400, 300), Link(found)) == words


def test_a_link_seen_from_the_other_side_is_the_other_way_round():
    link = Link(FoundMatch(match((0, 2, -2, 0, 1, 0.1), first_shown=0.3, second_shown=0.9), "second"))
    back = link.turned_round()
    assert back.found.frame == "first"
    assert (back.found.match.first_shown, back.found.match.second_shown) == (0.9, 0.3)
    assert back.turned_round().mapping == pytest.approx(link.mapping, abs=1e-5)


def test_halves_have_nothing_in_common_and_parts_that_overlap_have():
    left, right = (0.5, 0, 0, 0.5, 0.0, 0.0), (0.5, 0, 0, 0.5, 0.5, 0.0)
    middle = (0.5, 0, 0, 0.5, 0.25, 0.0)
    sides = (1.0, 0.75)
    assert share_in_common(left, right, sides, sides) == 0
    assert share_in_common(left, middle, sides, sides) == pytest.approx(0.5, abs=0.07)
    assert share_in_common(left, left, sides, sides) == 1


def test_vectors_of_parts_are_kept_nearly_as_they_are():
    rows = unit_length(np.random.default_rng(1).normal(size=(len(PARTS), 504)).astype(np.float32))
    back = unpacked(packed(rows))
    assert len(packed(rows)) == len(PARTS) * (504 + 4)
    assert np.vecdot(rows, back).min() > 0.999


@pytest.mark.slow
def test_the_benchmark_of_large_collections_runs(tmp_path, shared_data):
    script = [sys.executable, str(BENCH / "copies_scale.py")]
    hashes = subprocess.run([*script, "hashes", "300"], capture_output=True, text=True, check=True)
    assert '"pairs": 1' in hashes.stdout
    photos = shared_data / "coco256" / "images"
    look = subprocess.run([*script, "look", str(photos), "6"], capture_output=True, text=True, check=True)
    assert '"photos": 6' in look.stdout
    assert '"comparing"' in look.stdout
