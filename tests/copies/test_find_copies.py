"""Copies of a collection, found whole: levels, groups without chains, decisions, and what is done once."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime

import pytest
from PIL import Image, ImageOps

from lookalike import Collection
from lookalike.decisions import Decision
from lookalike.errors import NotFoundError, UsageError
from lookalike.matching import opencv

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def sources(shared_data):
    return sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:10]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sources):
    """Ten photos; of the first one five copies, of the second one both halves, of the third the same file."""
    folder = tmp_path_factory.mktemp("photos")
    for at, source in enumerate(sources):
        shutil.copy(source, folder / f"{at}.jpg")
    with Image.open(sources[0]) as photo:
        width, height = photo.size
        photo.save(folder / "0-poor.jpg", quality=30)
        photo.resize((width // 2, height // 2)).save(folder / "0-small.jpg", quality=90)
        ImageOps.mirror(photo).save(folder / "0-mirrored.jpg", quality=90)
        photo.rotate(-90, expand=True).save(folder / "0-turned.jpg", quality=90)
        photo.crop((width // 10, 0, width, height * 9 // 10)).save(folder / "0-cropped.jpg", quality=90)
        ImageOps.expand(photo, 40, "white").save(folder / "0-framed.jpg", quality=90)
    with Image.open(sources[1]) as photo:
        width, height = photo.size
        photo.crop((0, 0, width * 45 // 100, height)).save(folder / "1-left.jpg", quality=92)
        photo.crop((width * 55 // 100, 0, width, height)).save(folder / "1-right.jpg", quality=92)
    (folder / "again").mkdir()
    shutil.copy(sources[2], folder / "again" / "2.jpg")
    return folder


@pytest.fixture(scope="module")
def looked_at(folder, tmp_path_factory):
    """A collection of the folder that was compared closely."""
    path = tmp_path_factory.mktemp("looked") / "c.lookalike"
    with Collection(path) as collection:
        collection.add(folder)
        collection.copies()
    return path


@pytest.fixture
def collection(looked_at, tmp_path):
    shutil.copytree(looked_at, tmp_path / "c.lookalike")
    with Collection(tmp_path / "c.lookalike") as collection:
        yield collection


def names(group):
    return [item.uri.rsplit("/", 1)[1] for item in group.items]


def group_of(report, name):
    return next(group for group in report.groups if name in names(group))


def test_a_photo_and_its_copies_are_one_group_and_say_how(collection):
    report = collection.copies()
    group = group_of(report, "0-poor.jpg")
    assert group.level == "photo"
    assert group.best.uri.endswith("/0.jpg")
    told = {copy.item.uri.rsplit("/", 1)[1]: copy.how for copy in group.copies}
    assert told == {
        "0-poor.jpg": ("saved anew",),
        "0-small.jpg": ("smaller",),
        "0-mirrored.jpg": ("mirrored",),
        "0-turned.jpg": ("turned 90°",),
        "0-cropped.jpg": ("cropped",),
        "0-framed.jpg": ("framed",),
    }
    assert report.looked_at == report.photos == 18
    assert not report.skipped


def test_a_map_says_where_a_copy_lies_in_the_best_one(collection):
    group = group_of(collection.copies(), "0-cropped.jpg")
    (cropped,) = (copy for copy in group.copies if copy.item.uri.endswith("0-cropped.jpg"))
    a, b, c, d, e, f = cropped.mapping
    assert (a, d) == pytest.approx((0.9, 0.9), abs=0.02)
    assert (b, c, f) == pytest.approx((0, 0, 0), abs=0.02)
    assert e == pytest.approx(0.1, abs=0.02)


def test_both_halves_of_a_photo_are_in_no_group_together(collection):
    report = collection.copies()
    left, right = group_of(report, "1-left.jpg"), group_of(report, "1-right.jpg")
    assert names(left) == ["1.jpg", "1-left.jpg"]
    assert names(right) == ["1.jpg", "1-right.jpg"]


def test_the_same_file_is_told_at_each_level(collection):
    for level in ("file", "photo", "scene"):
        group = group_of(collection.copies(level), "2.jpg")
        assert (group.level, names(group)) == ("file", ["2.jpg", "2.jpg"])
        assert [copy.how for copy in group.copies] == [("same file",)]
    assert len(collection.copies("file").groups) == 1


def test_other_photos_are_in_no_group(collection):
    grouped = {name for group in collection.copies().groups for name in names(group)}
    assert not grouped & {f"{at}.jpg" for at in range(3, 10)}


def test_what_was_compared_is_not_compared_again(collection):
    steps = []
    again = collection.copies(on_step=lambda name, done, total: steps.append((name, done)))
    assert not [step for step in steps if step[0] in ("looking closely", "comparing")]
    assert again == collection.copies(look=False)


def test_only_what_is_new_is_looked_at(collection, sources, tmp_path):
    with Image.open(sources[4]) as photo:
        photo.crop((0, 0, photo.width * 8 // 10, photo.height * 8 // 10)).save(tmp_path / "4-part.jpg")
    collection.add(tmp_path / "4-part.jpg")
    totals = {}
    report = collection.copies(on_step=lambda name, _, total: totals.setdefault(name, total))
    assert totals["looking closely"] == totals["comparing"] == 1
    assert names(group_of(report, "4-part.jpg")) == ["4.jpg", "4-part.jpg"]


def test_a_look_that_was_ended_goes_on(folder, tmp_path):
    class EndedError(BaseException):
        pass

    def end(name, _done, _total):
        if name == "comparing":
            raise EndedError

    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(folder)
        with pytest.raises(EndedError):
            collection.copies(on_step=end)
        steps = []
        report = collection.copies(on_step=lambda name, *_: steps.append(name))
        assert "looking closely" not in steps
        assert len(group_of(report, "0-poor.jpg").copies) == 6


def test_without_a_look_hashes_tell_what_they_can(folder, tmp_path):
    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(folder)
        report = collection.copies(look=False)
    assert report.looked_at == 0
    found = {copy.item.uri.rsplit("/", 1)[1]: copy.how for copy in group_of(report, "0-poor.jpg").copies}
    whole = {"0-poor.jpg", "0-small.jpg", "0-mirrored.jpg", "0-turned.jpg"}
    assert set(found) | {names(group_of(report, "0-poor.jpg"))[0]} >= whole
    assert all(how[-1] == "by its hash" for how in found.values())


def test_without_opencv_it_is_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(opencv, "find_spec", lambda name: None)
    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(folder)
        assert collection.copies() == collection.copies(look=False)


def decided(collection, verdict, one, other):
    items = {item.uri.rsplit("/", 1)[1]: item for item in collection}
    pair = items[one].content_hash, items[other].content_hash
    if pair[0] > pair[1]:
        pair = pair[::-1]
        verdict = {"first is best": "second is best"}.get(verdict, verdict)
    collection.decide([Decision(*pair, verdict, datetime.now(UTC).isoformat())])


def test_what_is_decided_to_be_different_is_apart(collection):
    decided(collection, "different", "0.jpg", "0-poor.jpg")
    groups = [names(group) for group in collection.copies().groups]
    assert not [group for group in groups if {"0.jpg", "0-poor.jpg"} <= set(group)]
    assert any("0-mirrored.jpg" in group for group in groups)


def test_who_was_chosen_is_the_best(collection):
    decided(collection, "first is best", "0-small.jpg", "0.jpg")
    group = group_of(collection.copies(), "0.jpg")
    assert names(group)[0] == "0-small.jpg"
    assert group.why_best == ("chosen by you",)


def test_a_decided_pair_is_a_decided_group(collection):
    assert not group_of(collection.copies(), "1-left.jpg").is_decided
    decided(collection, "keep both", "1.jpg", "1-left.jpg")
    report = collection.copies()
    assert group_of(report, "1-left.jpg").is_decided
    assert not group_of(report, "1-right.jpg").is_decided


def test_against_a_folder_its_photo_is_the_best(collection, folder):
    report = collection.copies(against=[folder / "0-small.jpg", folder / "9.jpg"])
    (group,) = report.groups
    assert names(group)[0] == "0-small.jpg"
    assert len(group.copies) == 6


def test_paths_and_conditions_say_among_which(collection, folder):
    among = [folder / "0.jpg", folder / "0-poor.jpg", folder / "1.jpg"]
    report = collection.copies(paths=among)
    assert [sorted(names(group)) for group in report.groups] == [["0-poor.jpg", "0.jpg"]]
    assert report.photos == 3
    narrow = collection.copies(where="width<=400")
    assert all(item.metadata["width"] <= 400 for group in narrow.groups for item in group.items)
    with pytest.raises(NotFoundError):
        collection.copies(paths=[folder / "none"])
    with pytest.raises(UsageError, match="file, photo, scene"):
        collection.copies("some")


def test_a_photo_that_is_gone_is_told_and_the_others_are_compared(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "photos")
    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(tmp_path / "photos")
        (tmp_path / "photos" / "0-turned.jpg").unlink()
        (tmp_path / "photos" / "0-small.jpg").write_bytes(b"something else")
        report = collection.copies()
    told = {each.uri.rsplit("/", 1)[1]: each.reason for each in report.skipped}
    assert set(told) == {"0-turned.jpg", "0-small.jpg"}
    assert "changed" in told["0-small.jpg"]
    assert report.looked_at == report.photos - 2
    assert "0-cropped.jpg" in names(group_of(report, "0-poor.jpg"))


def test_damaged_notes_are_made_anew(collection):
    before = collection.copies()
    collection.close()
    notes = collection.path / "copies.sqlite"
    size = notes.stat().st_size
    with notes.open("r+b") as file:
        file.seek(0)
        file.write(b"damaged!" * 512)
    assert notes.stat().st_size == size
    assert collection.copies() == before


def test_a_flipped_bit_of_what_was_found_is_found_again(collection):
    before = collection.copies()
    collection.close()
    with sqlite3.connect(collection.path / "copies.sqlite") as connection:
        connection.execute("UPDATE pairs SET found = replace(found, 'photo', 'scene')")
    connection.close()
    assert collection.copies() == before


def test_texts_have_no_copies(tmp_path):
    (tmp_path / "texts.txt").write_text("one\n\ntwo\n")
    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(tmp_path / "texts.txt", kind="text")
        with pytest.raises(UsageError, match="among photos"):
            collection.copies()


def test_damaged_features_are_made_again(collection):
    before = collection.copies()
    collection.close()
    with sqlite3.connect(collection.path / "copies.sqlite") as connection:
        connection.execute("UPDATE photos SET features = zeroblob(40000) WHERE n <= 8")
        connection.execute("DELETE FROM compared")
        connection.execute("DELETE FROM pairs")
    connection.close()
    assert collection.copies().looked_at < before.looked_at  # what was read is told from what was not
    assert collection.copies() == before
