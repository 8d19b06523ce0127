"""Single flipped bits anywhere in a collection's files: never a crash, never a silently different answer."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from helpers import CountingDecoder, answers, flip, outcome_of_damage
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import CollectionError
from lookalike.indexing.keeper import IndexKeeper

IDS = range(1, 120, 9)


@pytest.fixture(scope="module")
def original(tmp_path_factory, make_photo) -> Path:
    """A collection of 120 photos, two copies and a skipped file, closed."""
    folder = tmp_path_factory.mktemp("flips")
    for seed in range(120):
        make_photo(folder / "photos" / f"{seed:03}.png", seed, (8, 6))
    for n in (5, 50):
        shutil.copy(folder / "photos" / f"{n:03}.png", folder / "photos" / f"copy{n}.png")
    (folder / "photos" / "bad.png").write_bytes(b"no photo")
    with opened(folder / "photos.lookalike") as collection:
        collection.add(folder / "photos")
        collection.remove(3)
    return folder / "photos.lookalike"


def opened(folder: Path) -> Collection:
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


def outcome_of(folder: Path, expected: list[tuple]) -> str:
    with opened(folder) as collection:

        def ask() -> str | None:
            results = collection.search_many(list(IDS), 5)
            if any(result.damaged for result in results):
                return "damaged items named"
            return "equal" if answers(collection, IDS) == expected else None

        return outcome_of_damage(collection, ask)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_bits_of_the_store(original, tmp_path, seed):
    dice = random.Random(seed)
    with opened(original) as collection:
        expected = answers(collection, IDS)
    size = (original / "store.sqlite").stat().st_size
    tally = Counter()
    folder = tmp_path / "photos.lookalike"
    for _ in range(150):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        # half of them where the structure is dense: the first bytes of a page
        page, inside = dice.randrange(size // 4096), dice.randrange(4096 if dice.random() < 0.5 else 64)
        if dice.random() < 0.1:
            page, inside = 0, dice.randrange(100)
        at, mask = page * 4096 + inside, 1 << dice.randrange(8)
        flip(folder / "store.sqlite", at, mask)
        what = outcome_of(folder, expected)
        assert what not in ("silent", "called a failing disk"), (what, at, mask)
        tally[what] += 1
    assert tally["equal"] > 10
    assert sum(tally.values()) - tally["equal"] > 10


@pytest.mark.slow
def test_bits_of_the_store_repaired(original, tmp_path):
    """Whatever can be opened and repaired ends sound, with the ids it had."""
    dice = random.Random(9)
    with opened(original) as collection:
        expected = answers(collection, IDS)
    size = (original / "store.sqlite").stat().st_size
    folder = tmp_path / "photos.lookalike"
    repaired = 0
    for _ in range(80):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        at, mask = dice.randrange(4096, size), 1 << dice.randrange(8)  # behind the page of the schema
        flip(folder / "store.sqlite", at, mask)
        with opened(folder) as collection:
            try:
                sound = collection.verify().sound
            except CollectionError:
                sound = False
            if sound:
                continue
            report = collection.verify(repair=True)
            collection.add(original.parent / "photos")
            assert all(each.what.startswith("item ") for each in report.damage), (at, mask, report.damage)
            assert report.sound or report.damage[0].uri not in {str(p) for p in original.parent.rglob("*")}
            repaired += 1
            if report.sound and collection.info().items == 121:
                found = [{hit[1] for hit in hits} for hits in answers(collection, IDS)]
                assert found == [{hit[1] for hit in hits} for hits in expected], (at, mask)
    assert repaired > 20


@pytest.mark.slow
def test_bits_of_the_index_file(tmp_path, make_photo, monkeypatch):
    monkeypatch.setattr("lookalike.indexing.live.EXACT_UP_TO", 50)
    for seed in range(400):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed, (8, 6))
    folder = tmp_path / "photos.lookalike"
    with opened(folder) as collection:
        collection.add(tmp_path / "photos")
    (file,) = (folder / "index").glob("*.ivf")
    with opened(folder) as collection, monkeypatch.context() as patch:
        patch.setattr("lookalike.indexing.live.EXACT_UP_TO", 1000)
        exact = answers(collection, IDS)
    dice = random.Random(4)
    for _ in range(40):
        at, mask = dice.randrange(file.stat().st_size), 1 << dice.randrange(8)
        flip(file, at, mask)
        with opened(folder) as collection, monkeypatch.context() as patch:
            (named,) = collection.verify().damage
            assert named.what == "index/fake.ivf"
            patch.setattr(IndexKeeper, "_build", lambda *_: None)
            assert answers(collection, IDS) == exact, (at, mask)
        flip(file, at, mask)
    with opened(folder) as collection:
        assert collection.verify().sound
