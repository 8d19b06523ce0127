"""Damage on disk: `verify` names it, `verify(repair=True)` restores what the photos' files can restore."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from helpers import Watched, answers, execute, flip, vectors_of
from lookalike import Collection
from lookalike.upkeep.verify import VerifyReport

pytest_plugins = ["store_fixtures"]

FLIPPED_VECTOR = (
    "UPDATE vectors_1 SET vector = CAST(x'00000080' || substr(vector, 5) AS BLOB) WHERE item_id = 3"
)
AS_TEXT = "UPDATE vectors_1 SET vector = CAST(vector AS TEXT) WHERE item_id = 3"


def damage(watched: Watched, *statements: str) -> Watched:
    """The same collection opened again after its store was changed."""
    folder = watched.collection.path
    watched.collection.close()
    execute(folder, *statements)
    return watched


def exact_answers(collection: Collection, ids: range, k: int = 5) -> list[list[int]]:
    """The ids of the true nearest, from the stored vectors alone."""
    stored = vectors_of(collection)
    every = np.array(list(stored))
    rows = np.array([np.frombuffer(row, "<f4") for row in stored.values()])
    ranked = (every[np.argsort(-(rows @ np.frombuffer(stored[n], "<f4")))] for n in ids)
    return [[int(other) for other in order if other != n][:k] for n, order in zip(ids, ranked, strict=True)]


def whats(report: VerifyReport) -> list[tuple]:
    return [(each.what, each.item_id, each.uri and Path(each.uri).name) for each in report.damage]


def assert_repaired(watched: Watched, ids: dict[str, int], answered: list[tuple], count: int = 1) -> None:
    """A repair puts right what was named, and everything is as it was before the damage."""
    report = watched.collection.verify(repair=True)
    assert report.sound, report.damage
    assert len(report.repaired) == count
    assert watched.collection.verify() == VerifyReport(len(ids), len(ids), ())
    assert watched.ids() == ids
    assert answers(watched.collection, ids.values()) == answered


@pytest.fixture
def ready(photos, watched) -> tuple[Watched, dict[str, int], list[tuple]]:
    watched.add(photos)
    ids = watched.ids()
    return watched, ids, answers(watched.collection, ids.values())


def test_a_sound_collection(ready):
    watched, *_ = ready
    assert watched.collection.verify() == VerifyReport(6, 6, ())
    assert watched.collection.verify(repair=True) == VerifyReport(6, 6, ())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (FLIPPED_VECTOR, "vector of item 3 in fake"),
        (AS_TEXT, "vector of item 3 in fake"),  # one bit of the row's header
        ("UPDATE items SET metadata = CAST(x'7bff7d' AS TEXT) WHERE id = 3", "item 3"),
        ("UPDATE vectors_1 SET vector = substr(vector, 2) WHERE item_id = 3", "vector of item 3 in fake"),
        ("UPDATE vectors_1 SET vector = 'text' WHERE item_id = 3", "vector of item 3 in fake"),
        ("UPDATE vectors_1 SET checksum = checksum + 1 WHERE item_id = 3", "vector of item 3 in fake"),
        ("DELETE FROM vectors_1 WHERE item_id = 3", "vector of item 3 in fake"),
        ("UPDATE items SET metadata = replace(metadata, '96', '97') WHERE id = 3", "item 3"),
        ("UPDATE items SET metadata = '{' WHERE id = 3", "item 3"),
        ("UPDATE items SET metadata = 17 WHERE id = 3", "item 3"),
        ("UPDATE items SET size = size + 1 WHERE id = 3", "item 3"),
        ("UPDATE items SET mtime_ns = mtime_ns + 1 WHERE id = 3", "item 3"),
        ("UPDATE items SET content_hash = zeroblob(32) WHERE id = 3", "item 3"),
        ("UPDATE items SET checksum = checksum + 1 WHERE id = 3", "item 3"),
    ],
)
def test_a_damaged_row_is_named_and_restored_with_its_id(ready, change, named):
    watched, ids, answered = ready
    damage(watched, change)
    report = watched.collection.verify()
    assert whats(report) == [(named, 3, "2.png")]
    assert not report.sound
    assert_repaired(watched, ids, answered)


def test_an_orphan_vector_is_named_and_dropped(ready):
    watched, ids, answered = ready
    damage(watched, "INSERT INTO vectors_1 SELECT 99, seq, checksum, vector FROM vectors_1 WHERE item_id = 1")
    assert whats(watched.collection.verify()) == [("vector of item 99 in fake", 99, None)]
    assert_repaired(watched, ids, answered)


def test_a_damaged_row_with_a_sound_copy_does_not_pass_its_damage_on(ready, photos):
    """The copy makes the content known; yet nothing may be taken over from the damaged row."""
    watched, *_ = ready
    shutil.copy(photos / "2.png", photos / "copy.png")
    watched.add(photos)
    ids = watched.ids()
    answered = answers(watched.collection, ids.values())
    damage(watched, "UPDATE items SET metadata = replace(metadata, '96', '97') WHERE id = 3")
    assert_repaired(watched, ids, answered)
    assert watched.collection.item(3).metadata["width"] == 96


def test_a_damaged_vector_is_not_copied_to_a_copy(ready, photos):
    watched, *_ = ready
    good = vectors_of(watched.collection)[3]
    damage(watched, FLIPPED_VECTOR)
    shutil.copy(photos / "2.png", photos / "copy.png")
    assert watched.add(photos).added == 1
    assert watched.vector("copy.png") == good
    assert whats(watched.collection.verify()) == [("vector of item 3 in fake", 3, "2.png")]


@pytest.mark.parametrize("change", [FLIPPED_VECTOR, "UPDATE items SET metadata = '{}' WHERE id = 3"])
def test_what_no_file_can_restore_is_kept_and_named(ready, photos, change):
    watched, ids, _ = ready
    damage(watched, change, "UPDATE items SET metadata = '{}' WHERE id = 5")
    (photos / "2.png").rename(photos.parent / "aside.png")
    report = watched.collection.verify(repair=True)
    assert [(each.item_id, each.uri) for each in report.damage] == [(3, str(photos / "2.png"))]
    assert [each.item_id for each in report.repaired] == [5]
    assert watched.ids() == ids
    (photos.parent / "aside.png").rename(photos / "2.png")
    assert watched.collection.verify(repair=True).sound
    assert watched.ids() == ids


@pytest.mark.parametrize("change", [FLIPPED_VECTOR, "UPDATE items SET metadata = '{}' WHERE id = 3"])
def test_what_a_file_that_is_no_photo_any_more_cannot_restore_is_kept_and_named(ready, photos, change):
    """Nothing is deleted, nothing is called repaired, and what was sound of the item stays."""
    watched, ids, _ = ready
    damage(watched, change, "UPDATE items SET metadata = '{}' WHERE id = 5")
    stored = vectors_of(watched.collection)
    good = (photos / "2.png").read_bytes()
    (photos / "2.png").write_bytes(good[:50])
    for repaired in ([5], []):
        report = watched.collection.verify(repair=True)
        assert [each.item_id for each in report.damage] == [3]
        assert [each.item_id for each in report.repaired] == repaired
        assert watched.ids() == ids
        assert vectors_of(watched.collection) == stored
    (photos / "2.png").write_bytes(good)
    assert [each.item_id for each in watched.collection.verify(repair=True).repaired] == [3]
    assert watched.ids() == ids


def test_repairing_adds_nothing_where_a_folder_is_in_the_place_of_a_photo(ready, photos, make_photo):
    watched, ids, _ = ready
    damage(watched, FLIPPED_VECTOR)
    (photos / "2.png").unlink()
    make_photo(photos / "2.png" / "other.png", 60)
    assert not watched.collection.verify(repair=True).sound
    assert watched.ids() == ids


def test_a_damaged_uri_is_put_right_by_the_next_add(ready, photos):
    watched, ids, answered = ready
    damage(watched, "UPDATE items SET uri = uri || 'x' WHERE id = 3")
    assert whats(watched.collection.verify(repair=True)) == [("item 3", 3, "2.pngx")]
    assert watched.add(photos).moved == 1
    assert watched.collection.verify().sound
    assert (watched.ids(), answers(watched.collection, ids.values())) == (ids, answered)


def test_a_damaged_item_can_be_removed(ready, photos):
    watched, *_ = ready
    damage(watched, "UPDATE items SET metadata = '{' WHERE id = 3")
    assert watched.collection.remove(photos / "2.png") == 1
    assert watched.collection.verify().sound


def test_a_damaged_vector_is_left_out_and_told_of(ready):
    watched, _, answered = ready
    damage(watched, FLIPPED_VECTOR)
    result = watched.collection.search(1, 5, rerank=False)
    assert [hit.id for hit in result] == [hit[0] for hit in answered[0] if hit[0] != 3]


def test_a_vector_damaged_while_the_index_is_in_memory_is_noticed(ready):
    watched, _, answered = ready
    watched.collection.search(1, 5)
    with closing(sqlite3.connect(watched.collection.path / "store.sqlite")) as connection:
        connection.execute(FLIPPED_VECTOR)
        connection.commit()
    result = watched.collection.search(1, 5, rerank=False)
    assert result.damaged == (3,)
    assert [hit.id for hit in result] == [hit[0] for hit in answered[0] if hit[0] != 3]


def test_the_item_asked_about_is_damaged(ready):
    watched, *_ = ready
    damage(watched, FLIPPED_VECTOR)
    with pytest.raises(Exception, match="lookalike verify --repair"):
        watched.collection.search(3, 5)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE spaces SET is_default = 0",
        "UPDATE spaces SET dim = 7",
        "DELETE FROM spaces",
        "UPDATE spaces_twin SET model_id = 'x'",
        "UPDATE clock SET seq = 0",
        "UPDATE clock SET commits = 'many'",
        "DELETE FROM clock",
        "INSERT INTO clock SELECT * FROM clock",
        "INSERT INTO removals VALUES (1, 3)",
        "DROP INDEX items_by_hash",
    ],
)
def test_damaged_books_are_named_and_put_right(ready, change):
    watched, ids, answered = ready
    damage(watched, change)
    if "DROP" in change:  # costs time, not truth
        assert answers(watched.collection, ids.values()) == answered
        return
    what = {each.what for each in watched.collection.verify().damage}
    assert what == {"store.sqlite" if "removals" in change else "clock" if "clock" in change else "spaces"}
    assert watched.collection.verify(repair=True).sound
    assert answers(watched.collection, ids.values()) == answered


def test_a_renamed_column_is_damage(ready):
    watched, *_ = ready
    damage(watched, "ALTER TABLE items RENAME COLUMN size TO sizf")
    (found,) = watched.collection.verify().damage
    assert (found.what, found.detail) == ("store.sqlite", "its list of tables is not what was written")
    assert watched.collection.verify(repair=True).sound


class TestIndexFile:
    """A collection large enough for an index file, which is damaged."""

    @pytest.fixture
    def indexed(self, tmp_path, make_photo, monkeypatch) -> Watched:
        monkeypatch.setattr("lookalike.indexing.live.EXACT_UP_TO", 100)
        for seed in range(400):
            make_photo(tmp_path / "photos" / f"{seed}.png", seed, (8, 6))
        watched = Watched(tmp_path / "photos.lookalike")
        watched.add(tmp_path / "photos")
        yield watched
        watched.collection.close()

    @pytest.mark.parametrize("used_before", [False, True])
    def test_it_is_named_and_built_anew(self, indexed, used_before):
        (file,) = (indexed.collection.path / "index").glob("*.ivf")
        answered = answers(indexed.collection, range(1, 30))
        if not used_before:
            indexed.collection.close()
        flip(file, file.stat().st_size // 2)
        (found,) = indexed.collection.verify().damage
        assert found.what == "index/fake.ivf"
        report = indexed.collection.verify(repair=True)
        assert report.sound
        assert [each.what for each in report.repaired] == ["index/fake.ivf"]
        assert answers(indexed.collection, range(1, 30)) == answered

    def test_answers_are_exact_and_from_the_store_meanwhile(self, indexed):
        (file,) = (indexed.collection.path / "index").glob("*.ivf")
        exact = exact_answers(indexed.collection, range(1, 30))
        for at in (0, 5, 20, 60, 300, file.stat().st_size - 1, None):
            indexed.collection.close()
            if at is None:
                file.write_bytes(file.read_bytes()[:1000])
            else:
                flip(file, at)
            found = answers(indexed.collection, range(1, 30))
            assert [[hit[0] for hit in hits] for hits in found] == exact, at
