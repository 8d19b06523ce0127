"""The perceptual hash: its definition, what it stands, and that items have it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from lookalike.ingest.phash import perceptual_hashes

pytest_plugins = ["store_fixtures"]


def square(picture, size=224):
    return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def differing(one, other):
    return (int(one, 16) ^ int(other, 16)).bit_count()


def by_scipy(pixels):
    """The same by its definition: grey, 32 x 32 averages, cosine transform, median."""
    grey = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    side = len(grey) // 32
    small = grey.reshape(32, side, 32, side).mean(axis=(1, 3))
    low = dctn(small)[:8, :8].ravel()
    return np.packbits(low > np.median(low) + 0.02 * np.abs(low[1:]).max()).tobytes().hex()


@pytest.fixture(scope="module")
def pictures(shared_data):
    paths = sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:40]
    return [Image.open(path).convert("RGB") for path in paths]


def test_it_is_what_its_definition_says(pictures):
    pixels = np.stack([square(each, 96) for each in pictures])
    pairs = zip(perceptual_hashes(pixels), map(by_scipy, pixels), strict=True)
    assert max(differing(ours, theirs) for ours, theirs in pairs) <= 1


def test_copies_differ_in_few_bits_and_others_in_many(pictures, tmp_path):
    edited = []
    for each in pictures:
        each.save(tmp_path / "a.jpg", quality=30)
        edited.append(Image.open(tmp_path / "a.jpg").convert("RGB"))
    kinds = {
        "JPEG": edited,
        "half": [each.resize((each.width // 2, each.height // 2)) for each in pictures],
        "grey": [each.convert("L") for each in pictures],
        "bright": [ImageEnhance.Brightness(each).enhance(1.15) for each in pictures],
    }
    hashes = perceptual_hashes(np.stack([square(each) for each in pictures]))
    for kind, those in kinds.items():
        found = perceptual_hashes(np.stack([square(each) for each in those]))
        few = [differing(a, b) <= 4 for a, b in zip(hashes, found, strict=True)]
        assert np.mean(few) >= 0.9, kind
    apart = [differing(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert min(apart) > 8


@pytest.mark.parametrize("size", [16, 31, 64, 224, 299, 384])
def test_any_size_of_square_gives_nearly_the_same(pictures, size):
    at_224 = perceptual_hashes(np.stack([square(each) for each in pictures]))
    here = perceptual_hashes(np.stack([square(each, size) for each in pictures]))
    least = 12 if size < 32 else 6
    assert np.median([differing(a, b) for a, b in zip(at_224, here, strict=True)]) <= least


def test_smooth_pictures_saved_anew_differ_in_few_bits(make_photo, tmp_path):
    """Most of their frequencies are but noise, which must not decide."""
    for seed in range(40):
        picture = Image.open(make_photo(tmp_path / "a.png", seed, (600, 400)))
        picture.save(tmp_path / "a.jpg", quality=50)
        pair = np.stack([square(picture), square(Image.open(tmp_path / "a.jpg"))])
        assert differing(*perceptual_hashes(pair)) <= 4


def test_flat_pictures_are_no_trouble():
    flat = np.zeros((3, 224, 224, 3), np.uint8)
    flat[1], flat[2] = 255, 7
    assert {len(each) for each in perceptual_hashes(flat)} == {16}


def test_items_have_it_copies_too_and_a_changed_photo_gets_its_own(photos, watched):
    watched.add(photos)

    def hashes():
        return {item.uri.rsplit("/", 1)[1]: item.metadata.get("phash") for item in watched.collection.items()}

    before = hashes()
    assert {len(each) for each in before.values()} == {16}
    (photos / "more").mkdir()
    shutil.copy(photos / "0.png", photos / "more" / "copy.png")
    watched.add(photos)
    assert hashes() == {**before, "copy.png": before["0.png"]}
    shutil.copy(photos / "1.png", photos / "0.png")
    watched.add(photos, afresh=True)
    assert hashes() == {**before, "copy.png": before["0.png"], "0.png": before["1.png"]}
