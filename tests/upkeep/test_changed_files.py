"""Files that changed but kept size and time, and photos that moved while an empty folder stayed behind."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from helpers import numbers
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import NotFoundError, UsageError
from lookalike.files import HAS_CHANGE_TIME
from lookalike.sources.uris import path_of
from text_helpers import write_csv

pytest_plugins = ["store_fixtures"]


def swap(one: Path, other: Path) -> None:
    """Give a photo the content of another, of equal size, and leave its time as it was."""
    facts = one.stat()
    content = other.read_bytes()
    one.write_bytes(content + b"\0" * (facts.st_size - len(content)))
    assert one.stat().st_size == facts.st_size
    os.utime(one, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def twins(photos):
    """Two photos of the same size in bytes."""
    a, b = photos / "0.png", photos / "1.png"
    size = max(a.stat().st_size, b.stat().st_size)
    for path in (a, b):
        path.write_bytes(path.read_bytes() + b"\0" * (size - path.stat().st_size))
    return a, b


def told(collection: Collection) -> dict[str, str]:
    report = collection.verify(files=True)
    assert report.sound
    return {Path(path_of(each.uri)).name: each.detail.partition(";")[0] for each in report.files}


@pytest.fixture
def no_change_time(monkeypatch):
    """A system that keeps no time of change, as Windows."""
    monkeypatch.setattr("lookalike.files.HAS_CHANGE_TIME", False)


@pytest.mark.skipif(not HAS_CHANGE_TIME, reason="the system keeps no time of change")
def test_a_change_that_keeps_size_and_time_is_seen_by_the_time_of_change(photos, twins, watched):
    watched.add(photos)
    swap(*twins)
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert watched.vector("0.png") == watched.vector("1.png")
    assert told(watched.collection) == {}
    twins[0].chmod(0o600)  # it is looked at again, and found the same
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == ["0.png"]
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == []


@pytest.mark.usefixtures("no_change_time")
def test_a_change_that_keeps_size_and_time_is_found_and_read_afresh(photos, twins, watched):
    watched.add(photos)
    assert told(watched.collection) == {}
    before = watched.vector("0.png")
    swap(*twins)
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert told(watched.collection) == {"0.png": "it is not what was read"}
    with pytest.raises(NotFoundError, match="lookalike add --afresh"):
        watched.collection.original(watched.collection.item(watched.ids()["0.png"]))
    assert numbers(watched.add(photos, afresh=True)) == {"updated": 1, "unchanged": 5}
    assert len(watched.decoder.read) == 6
    assert watched.vector("0.png") == watched.vector("1.png") != before
    assert told(watched.collection) == {}


def test_verifying_files_names_those_that_are_gone_or_cannot_be_read(photos, watched, tmp_path):
    shutil.copy(photos / "1.png", tmp_path / os.fsdecode(b"\xff.png"))
    watched.add(photos, tmp_path / os.fsdecode(b"\xff.png"))
    (photos / "2.png").unlink()
    (photos / "3.png").unlink()
    (photos / "3.png").mkdir()
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"other")
    found = told(watched.collection)
    assert found.pop("3.png").startswith("it cannot be read: ")
    assert found == {"2.png": "it is gone", os.fsdecode(b"\xff.png"): "it is not what was read"}


@pytest.fixture
def texts(tmp_path):
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as collection:
        yield collection


@pytest.mark.parametrize("change", ["a row", "order", "one more", "one less", "gone", "no table"])
def test_files_of_texts_are_held_against_all_their_texts(texts, tmp_path, change):
    folder = tmp_path / "in"
    folder.mkdir()
    rows = ["a cat", "a dog", "a bus", "a cat"]
    table = write_csv(folder / "t.csv", rows)
    (folder / "long.txt").write_text("\n\n".join(f"paragraph {n} " * 90 for n in range(9)))
    texts.add(folder)
    assert texts.verify(files=True).files == ()
    new = {
        "a row": ["a cat", "a dog", "a van", "a cat"],
        "order": ["a dog", "a cat", "a bus", "a cat"],
        "one more": [*rows, "a fox"],
        "one less": rows[:3],
    }
    if change == "gone":
        table.unlink()
    elif change == "no table":
        table.write_text("")
    else:
        write_csv(table, new[change])
    (damage,) = texts.verify(files=True).files
    assert damage.uri == str(table)


# Relocating -------------------------------------------------------------------------------------------


@pytest.fixture
def moved(photos, watched, tmp_path):
    """Photos that moved to another place, where an empty folder stayed behind."""
    (photos / "sub").mkdir()
    (photos / "5.png").rename(photos / "sub" / "5.png")
    watched.add(photos)
    photos.rename(tmp_path / "new")
    photos.mkdir()
    return tmp_path / "new"


def test_photos_are_followed_to_another_place(photos, moved, watched):
    ids = watched.ids()
    report = watched.collection.relocate(photos, moved)
    assert (report.moved, report.left) == (6, ())
    assert watched.ids() == ids
    assert numbers(watched.add(moved)) == {"unchanged": 6}
    assert watched.decoder.read == []
    assert watched.collection.verify(files=True).files == ()
    assert watched.collection.search(moved / "3.png", 1)[0].uri == str(moved / "3.png")


def test_what_is_not_there_or_another_stays_and_is_named(photos, moved, watched):
    swap(moved / "1.png", moved / "1.png")
    (moved / "2.png").unlink()
    (moved / "3.png").write_bytes(b"another")
    content = bytearray((moved / "4.png").read_bytes())
    content[-20] ^= 1
    (moved / "4.png").write_bytes(content)
    report = watched.collection.relocate(photos, moved)
    assert report.moved == 3
    assert {Path(uri).name: reason for uri, reason in report.left} == {
        "2.png": "no file is there",
        "3.png": "another file is there",
        "4.png": "another file is there",
    }
    assert watched.collection.verify().sound
    assert len(watched.ids()) == 6


def test_an_item_that_is_at_the_new_place_already_is_left_alone(photos, moved, watched):
    watched.add(moved / "1.png")
    ids = {item.id: item.uri for item in watched.collection.items()}
    report = watched.collection.relocate(photos, moved)
    assert report.moved == 5
    assert [reason for _, reason in report.left] == [
        "there is an item with that place, or it has just changed"
    ]
    assert {item.id for item in watched.collection.items()} == set(ids)


def test_a_single_photo_and_one_part_can_be_relocated(photos, moved, watched, tmp_path):
    assert watched.collection.relocate(photos / "1.png", moved / "1.png").moved == 1
    assert watched.collection.relocate(photos / "sub", moved / "sub").moved == 1
    assert watched.collection.relocate(f"{photos}/", moved).moved == 4
    with pytest.raises(NotFoundError, match="nothing in the collection"):
        watched.collection.relocate(photos, moved)
    again = watched.collection.relocate(moved, moved)
    assert (again.moved, {reason for _, reason in again.left}) == (0, {"it is there already"})


def test_a_folder_into_its_own_part_and_back(photos, watched, tmp_path):
    watched.add(photos)
    (tmp_path / "2019").mkdir()
    for path in list(photos.iterdir()):
        path.rename(tmp_path / "2019" / path.name)
    (tmp_path / "2019").rename(photos / "2019")
    assert watched.collection.relocate(photos, photos / "2019").moved == 6
    assert watched.collection.verify(files=True).files == ()


def test_names_of_any_kind_are_relocated(tmp_path, watched, make_photo):
    old, new = tmp_path / "été", tmp_path / "new"
    names = [os.fsdecode(b"\xe9.png"), "e\u0301.png", "été/ü.png", "line\nbreak.png"]
    for seed, name in enumerate(names):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        make_photo(tmp_path / "plain.png", seed).rename(old / name)
    watched.add(old)
    old.rename(new)
    old.mkdir()
    report = watched.collection.relocate(unicodedata.normalize("NFD", str(old)), new)
    assert (report.moved, report.left) == (4, ())
    assert watched.collection.verify(files=True).files == ()


def test_texts_are_refused_with_the_way_out(texts, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_csv(folder / "t.csv", ["a cat", "a dog"])
    texts.add(folder)
    with pytest.raises(UsageError, match="only photos can be relocated"):
        texts.relocate(folder, tmp_path / "new")
    folder.rename(tmp_path / "new")
    texts.add(tmp_path / "new", prune=True)  # as it says
    assert {Path(item.uri).parent.name for item in texts.items()} == {"new"}


def test_nothing_is_written_to_a_collection_that_is_not_there(tmp_path):
    with (
        Collection(tmp_path / "none.lookalike", embedder=FakeEmbedder()) as collection,
        pytest.raises(NotFoundError),
    ):
        collection.relocate(tmp_path, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
