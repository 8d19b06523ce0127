"""A collection of texts that is damaged: what is wrong is named, and restored from the files of texts."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from helpers import execute, flip, outcome_of_damage, select
from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.records import SearchOptions
from text_helpers import write_csv

TEXTS = [f"number {n} of the {('red', 'green', 'blue')[n % 3]} {('bus', 'boat')[n % 2]}" for n in range(150)]


def opened(folder: Path) -> Collection:
    return Collection(folder, embedder=FakeTextEmbedder(dim=16))


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A collection of 150 texts, two of them twice, one removed; closed."""
    folder = tmp_path_factory.mktemp("texts")
    table = write_csv(folder / "t.csv", [*TEXTS, TEXTS[5], TEXTS[50]])
    with opened(folder / "t.lookalike") as collection:
        collection.add(table, column="text")
        collection.remove(3)
    return folder / "t.lookalike"


@pytest.fixture
def copy(original, tmp_path) -> Path:
    shutil.copytree(original, tmp_path / "t.lookalike")
    return tmp_path / "t.lookalike"


def answers(collection: Collection) -> list[tuple]:
    """What some searches answer, in comparable form."""
    store = collection._opened.store()
    found = [
        (hit.id, hit.uri, hit.score, hit.text, hit.places)
        for result in collection.answer(range(4, 150, 20), SearchOptions(5, rerank=False))
        for hit in result
    ]
    return [*found, store.texts.match("red boat", 20), store.texts.match("number 77", 3)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE texts SET text = 'changed' WHERE item_id = 7",
        "DELETE FROM texts WHERE item_id BETWEEN 7 AND 20",
        "UPDATE vectors_1 SET vector = zeroblob(64) WHERE item_id = 7",
        "UPDATE items SET metadata = 'x' WHERE id = 7",
        "UPDATE places SET checksum = 1 WHERE item_id = 7",
        "DELETE FROM places WHERE item_id < 30",
        "DELETE FROM text_words_data WHERE id > 10",
        "DELETE FROM text_words_data",
        "DROP TABLE text_words",
        "UPDATE spaces SET is_default = 0",
    ],
)
def test_damage_is_named_and_repaired(copy, statement):
    with opened(copy) as collection:
        before = answers(collection)
    execute(copy, statement)
    with opened(copy) as collection:
        assert not collection.verify().sound
        report = collection.verify(repair=True)
        assert report.sound, report.damage
        assert report.repaired
        assert answers(collection) == before


@pytest.mark.parametrize(
    "table", ["texts", "places", "places_by_item", "text_words_data", "text_files", "items"]
)
def test_a_broken_page_is_rescued_around(copy, original, table):
    pages = select(copy, f"SELECT pageno FROM dbstat WHERE name = '{table}' AND pagetype = 'leaf'")
    with opened(copy) as collection:
        before = answers(collection)
    with (copy / "store.sqlite").open("r+b") as file:
        file.seek((pages[len(pages) // 2][0] - 1) * 4096)
        file.write(b"\xa5" * 4096)
    with opened(copy) as collection:
        report = collection.verify(repair=True)
        assert report.repaired
        collection.add(original.parent / "t.csv", column="text")
        assert collection.verify().sound
        if table != "items":  # those come back under new ids
            assert answers(collection) == before
        assert collection.info().items == 150  # the removed one is back


def outcome_of(folder: Path, expected: list[tuple]) -> str:
    with opened(folder) as collection:
        return outcome_of_damage(collection, lambda: "equal" if answers(collection) == expected else None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits(original, tmp_path, seed):
    dice = random.Random(seed)
    with opened(original) as collection:
        expected = answers(collection)
    size = (original / "store.sqlite").stat().st_size
    folder = tmp_path / "t.lookalike"
    tally: Counter[str] = Counter()
    for _ in range(200):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        page, inside = dice.randrange(size // 4096), dice.randrange(4096 if dice.random() < 0.5 else 64)
        at, mask = page * 4096 + inside, 1 << dice.randrange(8)
        flip(folder / "store.sqlite", at, mask)
        what = outcome_of(folder, expected)
        assert what not in ("silent", "called a failing disk"), (what, at, mask)
        tally[what] += 1
    assert tally["equal"] > 10
    assert sum(tally.values()) - tally["equal"] > 10
