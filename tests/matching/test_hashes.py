"""The perceptual hash: nearly the same for a photo saved anew, exactly that of a turned or mirrored one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from helpers import CountingDecoder
from lookalike.decode.requests import PhotoRequest
from lookalike.matching.hashes import (
    ALIKE_BITS,
    TURN_NAMES,
    TURNS,
    alike_pairs,
    hash_bits,
    nearest_turns,
    perceptual_hashes,
    turned,
)
from lookalike.records import View


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX))


def hashes_of(pictures) -> np.ndarray:
    found = perceptual_hashes([grey(each) for each in pictures])
    assert None not in found
    return hash_bits(found)


def differing(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.unpackbits(ours ^ theirs, axis=1).sum(axis=1)


@pytest.fixture(scope="module")
def pictures(shared_data):
    paths = sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:40]
    return [Image.open(path).convert("RGB") for path in paths]


def test_it_is_what_its_definition_says(pictures):
    low = [dctn(grey(each).astype(float), norm="ortho")[1:17, 1:17] for each in pictures]
    by_scipy = np.stack([np.packbits(each > 0) for each in low])
    assert differing(hashes_of(pictures), by_scipy).max() <= 1  # rounding


def test_copies_differ_in_few_bits_and_others_in_many(pictures, tmp_path):
    edited = []
    for each in pictures:
        each.save(tmp_path / "a.jpg", quality=30)
        edited.append(Image.open(tmp_path / "a.jpg").convert("RGB"))
    kinds = {
        "JPEG": edited,
        "half": [each.resize((each.width // 2, each.height // 2)) for each in pictures],
        "squashed": [each.resize((200, 200)) for each in pictures],
        "grey": [each.convert("L") for each in pictures],
        "bright": [ImageEnhance.Brightness(each).enhance(1.15) for each in pictures],
    }
    hashes = hashes_of(pictures)
    for kind, those in kinds.items():
        assert (differing(hashes, hashes_of(those)) <= ALIKE_BITS).all(), kind
    apart = [differing(hashes[at : at + 1], hashes[:at]).min() for at in range(1, len(hashes))]
    assert min(apart) > 2 * ALIKE_BITS


@pytest.mark.parametrize("turn", range(8))
def test_the_hash_of_a_turned_photo_is_made_of_the_photos_own(pictures, turn):
    transposed, flipped, mirrored = TURNS[turn]
    lying = []
    for each in map(grey, pictures):
        rows = each.T if transposed else each
        lying.append(rows[:: -1 if flipped else 1, :: -1 if mirrored else 1])
    found = hash_bits([each or "" for each in perceptual_hashes(lying)])
    assert differing(found, turned(hashes_of(pictures), turn)).max() <= 1


@pytest.mark.parametrize("turn", range(8))
def test_the_names_of_the_turns_say_what_they_do(pictures, turn):
    seen = pictures[0]
    for name in TURN_NAMES[turn]:
        if name == "mirrored":
            seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:
            seen = seen.rotate(-int(name.removeprefix("turned ").removesuffix("°")), expand=True)
    assert differing(hashes_of([seen]), turned(hashes_of(pictures[:1]), turn))[0] <= ALIKE_BITS


def test_what_has_too_little_in_it_has_none():
    flat = np.full((64, 64), 7, np.uint8)
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    bar = flat.copy()
    bar[:, 30:] = 200
    assert perceptual_hashes([flat, ramp, ramp.T, bar]) == [None] * 4
    assert perceptual_hashes([]) == []


def test_the_whole_frame_counts_not_the_square_of_the_model(pictures, tmp_path):
    wide = Image.new("RGB", (900, 300))
    wide.paste(pictures[0].resize((900, 300)))
    wide.save(tmp_path / "wide.png")
    (read,) = CountingDecoder().photos([PhotoRequest("/w", str(tmp_path / "wide.png"), View(64))])
    assert read.grey.shape == (64, 64)
    assert differing(hash_bits(perceptual_hashes([read.grey])), hashes_of([wide]))[0] <= 10


def test_the_nearest_turn_is_found_for_many_pairs_at_once(pictures):
    hashes = hashes_of(pictures)
    ways = np.arange(len(hashes)) % len(TURNS)
    lying = np.concatenate([turned(hashes[at : at + 1], way) for at, way in enumerate(ways)])
    noisy = lying.copy()
    noisy[:, 0] ^= 0b101
    turns, bits = nearest_turns(hashes, noisy)
    assert turns.tolist() == ways.tolist() and bits.tolist() == [2] * len(hashes)
    turns, bits = nearest_turns(hashes[:1], noisy)
    wanted = np.stack([differing(turned(hashes[:1], way), noisy) for way in range(len(TURNS))])
    assert bits.tolist() == wanted.min(axis=0).tolist()
    assert turns.tolist() == wanted.argmin(axis=0).tolist()


def test_alike_pairs_are_those_within_the_bar_in_any_position():
    chance = np.random.default_rng(0)
    others = chance.integers(0, 256, (40, 32), dtype=np.uint8)
    ones = np.concatenate([turned(others[at : at + 1], at % 8) for at in range(40)])
    flips = np.zeros((40, 256), np.uint8)
    for at in range(40):
        flips[at, chance.permutation(256)[:at]] = 1
    first, second, turns = alike_pairs(ones ^ np.packbits(flips, axis=1), others)
    assert first.tolist() == second.tolist() == list(range(ALIKE_BITS + 1))
    assert turns.tolist() == [at % 8 for at in range(ALIKE_BITS + 1)]
    none = alike_pairs(others[:0], others)
    assert [len(each) for each in none] == [0, 0, 0]
