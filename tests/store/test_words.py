"""Exact words are found in any script: inside runs that write no spaces, as signs, as words with signs."""

from __future__ import annotations

import pytest

from helpers import execute, select
from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from text_helpers import write_csv

TEXTS = [
    "我今天去北京大学上课",  # 0
    "東京タワーの写真を撮りました",
    "ฉันรักประเทศไทยมาก",  # 2
    "오늘 날씨가 좋아요",
    "I love pizza 🍕 and beer",  # 4
    "pure joy 😀😀",
    "written in c++ and C#",  # 6
    "written in c",
    "the quick brown fox, naïve café",  # 8
    "北海道の雪",
    "the co-op's 100% well-known shop",  # 10
]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    with Collection(folder / "c.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(write_csv(folder / "t.csv", TEXTS))
        yield collection


FOUND = {
    "北京": {0}, "京大": {0}, "北京大学": {0}, "北": {0, 9}, "学": {0}, "课": {0},
    "京北": set(), "京都": set(),
    "タワー": {1}, "写真": {1}, "東京": {1}, "ﾀﾜｰ": {1},
    "ประเทศ": {2}, "รัก": {2}, "날씨": {3}, "날": {3}, "좋아요": {3},
    "🍕": {4}, "😀": {5}, "🍺": set(), "pizza": {4}, "pizza 🍕": {4},
    "c++": {6}, "C#": {6}, "c#": {6}, "f#": set(),
    "quick": {8}, "NAIVE": {8}, "cafe": {8}, "café": {8},
    "well-known": {10}, "well known": {10}, "co-op": {10},
    '"': set(), "*": set(), "北京 OR": {0}, "NEAR(北京": {0},
}  # fmt: skip


@pytest.mark.parametrize("words", FOUND)
def test_words_are_found_where_they_stand_and_nowhere_else(texts, words):
    found = texts.engine.having_words(words, 20)
    wanted = [item_id - 1 for item_id in found]
    if len(words.split()) > 1:
        wanted = wanted[:1] if FOUND[words] else wanted
    assert set(wanted) == FOUND[words]


def test_the_index_of_words_is_in_step_after_changes(tmp_path):
    table = write_csv(tmp_path / "t.csv", TEXTS)
    with Collection(tmp_path / "c.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(table)
        collection.remove(1)
        write_csv(table, [*TEXTS[1:], "新しい北京"])
        collection.add(table)
        assert collection.verify().sound
        (found,) = collection.engine.having_words("北京", 9)
        assert collection.item(found).text == "新しい北京"


@pytest.mark.parametrize("name", ["v3-texts", "v4-texts"])
def test_older_collections_find_them_too(name, tmp_path):
    import shutil
    from pathlib import Path

    shutil.copytree(Path(__file__).parent / "golden" / name, tmp_path / "c")
    with Collection(tmp_path / "c", embedder=FakeTextEmbedder(dim=8)) as collection:
        assert collection.verify().sound
        assert collection.engine.having_words("plage", 5) == [3]
    assert select(tmp_path / "c", "PRAGMA user_version") == [(6,)]


def test_a_broken_index_of_words_is_made_anew(texts):
    folder = texts.path
    before = texts.engine.having_words("北京", 9)
    execute(folder, "DELETE FROM text_words_data")
    assert texts.engine.having_words("北京", 9) == before
    assert texts.verify().sound
