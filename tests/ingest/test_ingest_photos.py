"""Reading photos in: what becomes of each file, and that nothing is read or embedded twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import Watched, numbers, rows_of
from lookalike.decode.worker import Refused
from lookalike.ingest.batches import BATCH
from lookalike.store.database import Database

pytest_plugins = ["store_fixtures"]


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))


def test_photos_become_items_once(photos, watched):
    assert numbers(watched.add(photos)) == {"added": 6}
    assert watched.embedder.embedded == 6
    assert sorted(watched.ids()) == [f"{n}.png" for n in range(6)]
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == []
    assert watched.embedder.embedded == 0


def test_a_file_named_twice_counts_once(photos, watched):
    report = watched.add(photos, photos / "1.png", photos / "." / "1.png")
    assert numbers(report) == {"added": 6}


def test_same_size_and_time_are_taken_as_unchanged_without_reading(photos, watched, monkeypatch):
    """Where the system keeps no time of change."""
    monkeypatch.setattr("lookalike.files.HAS_CHANGE_TIME", False)
    watched.add(photos)
    target = photos / "2.png"
    facts = target.stat()
    target.write_bytes(bytes(facts.st_size))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == []


def test_touched_with_the_same_content_is_unchanged_and_not_decoded(photos, watched):
    watched.add(photos)
    before = watched.vector("3.png")
    touch(photos / "3.png")
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert (watched.decoder.read, watched.decoder.decoded) == (["3.png"], [])
    assert watched.vector("3.png") == before
    watched.add(photos)
    assert watched.decoder.read == []  # the new time is on record


def test_renamed_is_moved_with_its_id_and_vector(photos, watched):
    watched.add(photos)
    item_id, vector = watched.ids()["4.png"], watched.vector("4.png")
    (photos / "4.png").rename(photos / "renamed.png")
    assert numbers(watched.add(photos)) == {"moved": 1, "unchanged": 5}
    assert watched.outcomes == {"renamed.png": "moved"}
    assert watched.ids()["renamed.png"] == item_id
    assert "4.png" not in watched.ids()
    assert watched.vector("renamed.png") == vector
    assert watched.decoder.decoded == []
    assert watched.collection.item(item_id).metadata["width"] == 96


def test_a_moved_folder_keeps_all_ids(photos, watched, tmp_path):
    watched.add(photos)
    before = watched.ids()
    photos.rename(tmp_path / "elsewhere")
    assert numbers(watched.add(tmp_path / "elsewhere")) == {"moved": 6}
    assert watched.ids() == before
    assert {Path(uri).parent for _, uri in rows_of(watched.collection)} == {tmp_path / "elsewhere"}
    assert watched.embedder.embedded == 0


def test_a_copy_is_added_with_the_same_vector_and_not_embedded(photos, watched):
    watched.add(photos)
    shutil.copy(photos / "5.png", photos / "copy.png")
    assert numbers(watched.add(photos)) == {"added": 1, "unchanged": 6}
    assert watched.embedder.embedded == 0
    assert watched.vector("copy.png") == watched.vector("5.png")
    assert watched.ids()["copy.png"] != watched.ids()["5.png"]
    assert watched.collection.item(watched.ids()["copy.png"]).metadata["format"] == "PNG"


def test_copies_in_one_run_have_equal_vectors(photos, watched):
    for n in range(2 * BATCH):  # so that they come in different batches
        shutil.copy(photos / "5.png", photos / f"copy{n}.png")
    assert numbers(watched.add(photos)) == {"added": 6 + 2 * BATCH}
    assert {watched.vector(f"copy{n}.png") for n in range(2 * BATCH)} == {watched.vector("5.png")}


def test_changed_content_is_updated_with_the_same_id(photos, watched, make_photo):
    watched.add(photos)
    item_id, vector = watched.ids()["0.png"], watched.vector("0.png")
    make_photo(photos / "0.png", seed=100, size=(40, 30))
    touch(photos / "0.png")
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert watched.ids()["0.png"] == item_id
    assert watched.vector("0.png") != vector
    facts = watched.collection.item(item_id).metadata
    assert (facts["width"], facts["height"], facts["format"]) == (40, 30, "PNG")
    make_photo(photos.parent / "query.png", seed=100, size=(40, 30))
    assert watched.collection.search(photos.parent / "query.png", 1)[0].id == item_id


def test_two_photos_that_swap_names_are_both_updated(photos, watched):
    watched.add(photos)
    one, two = watched.vector("1.png"), watched.vector("2.png")
    (photos / "1.png").rename(photos / "x")
    (photos / "2.png").rename(photos / "1.png")
    (photos / "x").rename(photos / "2.png")
    assert numbers(watched.add(photos)) == {"updated": 2, "unchanged": 4}
    assert (watched.vector("1.png"), watched.vector("2.png")) == (two, one)
    assert watched.skipped() == {}


def test_a_series_renumbered_by_one_is_complete_after_one_run(tmp_path, watched, make_photo):
    folder = tmp_path / "series"
    count = 3 * BATCH
    for n in range(count):
        make_photo(folder / f"{n:03}.png", n, (12, 8))
    watched.add(folder)
    before = {n: watched.vector(f"{n:03}.png") for n in range(count)}
    for n in reversed(range(count)):
        (folder / f"{n:03}.png").rename(folder / f"{n + 1:03}.png")
    report = watched.add(folder)
    assert report.found == count
    assert report.skipped == 0
    after = {n: np.frombuffer(watched.vector(f"{n + 1:03}.png"), "<f4") for n in range(count)}
    for n in range(count):
        np.testing.assert_allclose(after[n], np.frombuffer(before[n], "<f4"), atol=1e-6)
    assert watched.skipped() == {}
    assert watched.collection.verify().sound
    assert numbers(watched.add(folder, prune=True)) == {"unchanged": count, "vanished": 1, "pruned": 1}


def test_a_photo_overwritten_by_garbage_stays_an_item_and_counts_as_vanished(photos, watched, make_photo):
    """A sync client may have truncated the file: until `prune` is asked for, nothing is lost."""
    watched.add(photos)
    ids, vector = watched.ids(), watched.vector("1.png")
    (photos / "1.png").write_bytes(b"not a photo")
    for read in (["1.png"], []):  # the second run knows it from its record
        assert numbers(watched.add(photos)) == {"skipped": 1, "unchanged": 5, "vanished": 1}
        assert watched.decoder.read == read
        assert (watched.ids(), watched.vector("1.png")) == (ids, vector)
        assert watched.skipped() == {"1.png": "not a photo in a format that is read"}
    make_photo(photos / "1.png", 1)  # what it was
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert (watched.ids(), watched.vector("1.png")) == (ids, vector)
    assert watched.skipped() == {}


def test_a_truncated_photo_given_by_its_own_path_is_kept(photos, watched):
    watched.add(photos)
    ids = watched.ids()
    (photos / "1.png").write_bytes((photos / "1.png").read_bytes()[:40])
    assert numbers(watched.add(photos / "1.png", prune=True)) == {"skipped": 1}
    assert watched.ids() == ids


@pytest.mark.parametrize("known_before", [False, True])
def test_prune_removes_items_whose_file_holds_no_photo_any_more(photos, watched, known_before):
    watched.add(photos)
    (photos / "1.png").write_bytes(b"not a photo")
    if known_before:
        watched.add(photos)
    report = watched.add(photos, prune=True)
    assert numbers(report) == {"skipped": 1, "unchanged": 5, "vanished": 1, "pruned": 1}
    assert sorted(watched.ids()) == ["0.png", "2.png", "3.png", "4.png", "5.png"]
    assert watched.skipped() == {"1.png": "not a photo in a format that is read"}
    assert numbers(watched.add(photos, prune=True)) == {"skipped": 1, "unchanged": 5}


def test_prune_spares_a_photo_that_came_back_whole_during_the_run(photos, watched, make_photo):
    watched.add(photos)
    (photos / "1.png").write_bytes(b"not a photo")

    def restore(each):
        make_photo(photos / "1.png", 1)

    report = watched.add(photos, prune=True, on_commit=restore)
    assert report.pruned == 0
    assert "1.png" in watched.ids()


def test_a_photo_that_cannot_be_read_this_time_is_not_vanished(photos, watched, monkeypatch):
    watched.add(photos)
    touch(photos / "1.png")
    monkeypatch.setattr(
        "helpers.read_photos", lambda requests: [Refused("out of memory", lasting=False) for _ in requests]
    )
    assert numbers(watched.add(photos, prune=True)) == {"skipped": 1, "unchanged": 5}
    assert len(watched.ids()) == 6


def steps_of_adding(folder: Path, count: int, monkeypatch) -> float:
    """How much SQLite does per file when so many identical ones are added, renamed and added again."""
    steps = 0

    def tick() -> int:
        nonlocal steps
        steps += 1
        return 0

    connect = Database._connect

    def counting(database):
        connection = connect(database)
        connection.set_progress_handler(tick, 10)
        return connection

    (folder / "photos").mkdir(parents=True)
    for n in range(count):
        shutil.copy(folder.parent / "one.png", folder / "photos" / f"{n:05}.png")
    watched = Watched(folder / "c.lookalike")
    with monkeypatch.context() as patched:
        patched.setattr(Database, "_connect", counting)
        assert watched.add(folder / "photos").added == count
        (folder / "photos").rename(folder / "renamed")
        assert watched.add(folder / "renamed").moved == count
    watched.collection.close()
    return steps / count


@pytest.mark.slow
def test_identical_files_cost_no_more_each_when_there_are_many(tmp_path, make_photo, monkeypatch):
    make_photo(tmp_path / "one.png", 1, (8, 6))
    few, many = (steps_of_adding(tmp_path / str(n), n, monkeypatch) for n in (300, 3000))
    assert many < 1.3 * few


def test_a_repaired_file_becomes_an_item_and_leaves_the_list(photos, watched, make_photo):
    (photos / "bad.png").write_bytes(b"not a photo")
    assert numbers(watched.add(photos)) == {"added": 6, "skipped": 1}
    assert list(watched.skipped()) == ["bad.png"]
    make_photo(photos / "bad.png", seed=50)
    assert numbers(watched.add(photos)) == {"added": 1, "unchanged": 6}
    assert watched.skipped() == {}


def test_lasting_skips_are_not_read_again(photos, watched):
    (photos / "bad.png").write_bytes(b"not a photo")
    watched.add(photos)
    assert numbers(watched.add(photos)) == {"unchanged": 6, "skipped": 1}
    assert watched.decoder.read == []
    touch(photos / "bad.png")
    watched.add(photos)
    assert watched.decoder.read == ["bad.png"]


def test_another_reader_tries_lasting_skips_again(photos, watched, monkeypatch):
    (photos / "bad.png").write_bytes(b"not a photo")
    watched.add(photos)
    monkeypatch.setattr("lookalike.ingest.photos.reader_version", lambda: "pillow 99")
    assert numbers(watched.add(photos)) == {"unchanged": 6, "skipped": 1}
    assert watched.decoder.read == ["bad.png"]


def test_a_link_to_an_absent_photo_is_tried_again_and_leaves_the_list(photos, watched, tmp_path, make_photo):
    make_photo(tmp_path / "disk" / "far.png", seed=60)
    (photos / "link.png").symlink_to(tmp_path / "disk" / "far.png")
    watched.add(photos)
    item_id = watched.ids()["link.png"]
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    assert numbers(watched.add(photos)) == {"unchanged": 6, "skipped": 1}
    assert watched.skipped() == {"link.png": "a link to nothing"}
    assert watched.ids()["link.png"] == item_id  # its photo may come back
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    assert numbers(watched.add(photos)) == {"unchanged": 7}
    assert watched.skipped() == {}


def test_a_file_that_vanishes_before_it_is_read_is_skipped_then_forgotten(photos, watched):
    def vanish(name, done, total):
        if name == "looking":
            (photos / "5.png").unlink(missing_ok=True)

    assert numbers(watched.add(photos, on_step=vanish)) == {"added": 5, "skipped": 1}
    assert watched.skipped() == {"5.png": "no such file"}
    assert numbers(watched.add(photos)) == {"unchanged": 5}
    assert watched.skipped() == {}


def test_files_that_change_while_others_are_read(tmp_path, watched, make_photo):
    folder = tmp_path / "many"
    for n in range(2 * BATCH):
        make_photo(folder / f"{n:03}.png", n, (12, 8))

    def disturb(each):
        if each.uri.endswith("000.png"):  # the second batch is not read yet
            (folder / "040.png").unlink()
            (folder / "041.png").write_bytes(b"garbage")
            make_photo(folder / "042.png", seed=999, size=(30, 20))
            make_photo(folder / "000.png", seed=998, size=(30, 20))

    report = watched.add(folder, on_commit=disturb)
    assert numbers(report) == {"added": 2 * BATCH - 2, "skipped": 2}
    assert sorted(watched.skipped()) == ["040.png", "041.png"]
    assert watched.collection.item(watched.ids()["042.png"]).metadata["width"] == 30
    report = watched.add(folder)
    assert numbers(report) == {"unchanged": 2 * BATCH - 3, "updated": 1, "skipped": 1}
    assert watched.outcomes == {"000.png": "updated", "041.png": "skipped"}
    assert numbers(watched.add(folder)) == {"unchanged": 2 * BATCH - 2, "skipped": 1}
    assert watched.decoder.read == []


def test_the_only_copy_is_removed_between_reading_and_commit(photos, watched, tmp_path):
    """A photo known by its content when it is read must not be lost when that content's item goes away."""
    watched.add(photos)
    shutil.copy(photos / "5.png", photos / "copy.png")
    commit = watched.collection._opened.store().commit

    def remove_first(*arguments, **named):
        if "5.png" in watched.ids():
            watched.collection.remove(photos / "5.png")
        return commit(*arguments, **named)

    watched.collection._opened.store().commit = remove_first
    assert numbers(watched.add(photos / "copy.png")) == {"added": 1}
    assert watched.decoder.read == ["copy.png", "copy.png"]
    assert watched.collection.verify().sound


@pytest.mark.slow
def test_odd_files_among_good_ones(shared_data, tmp_path, photos):
    """Every awkward file is an item or skipped with a reason; the second run embeds nothing."""
    from lookalike import Collection
    from lookalike.embedders.fake import FakeEmbedder

    folder = tmp_path / "mixed"
    shutil.copytree(shared_data / "odd", folder / "odd")
    shutil.copytree(photos, folder / "photos")
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    told = []
    embedder = FakeEmbedder()
    with Collection(tmp_path / "odd.lookalike", embedder=embedder) as collection:
        report = collection.add(folder, on_commit=told.append)
        items = {uri for _, uri in rows_of(collection)}
        skipped = {each.uri: each.reason for each in collection.skipped()}
        aside = {uri for uri in files if uri.endswith(".tar")}
        assert report.found + sum(report.aside.values()) == len(files)
        files -= aside
        assert items | skipped.keys() == files
        assert not items & skipped.keys()
        assert {each.uri for each in told} == files
        assert {str(path) for path in (folder / "photos").iterdir()} <= items
        assert all(reason and "\n" not in reason for reason in skipped.values())

        embedder.embed = None  # whoever calls it fails
        again = collection.add(folder)
        assert (again.added, again.updated, again.moved) == (0, 0, 0)
        assert again.unchanged == len(items)
        assert again.skipped == len(skipped)
