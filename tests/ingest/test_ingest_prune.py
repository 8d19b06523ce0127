"""Photos that are gone: what is counted, what is removed, and what never is. Awkward names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from helpers import Watched, numbers, rows_of
from lookalike.errors import NotFoundError
from lookalike.sources.uris import is_gone, path_of
from lookalike.store.database import Database

pytest_plugins = ["store_fixtures"]


def close_off(monkeypatch, folder: Path) -> None:
    """Make a folder one that cannot be listed, as for a user without the right to."""
    scandir = os.scandir

    def refuse(path):
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_vanished_is_counted_and_removed_only_with_prune(photos, watched):
    watched.add(photos)
    ids = watched.ids()
    (photos / "2.png").unlink()
    assert numbers(watched.add(photos)) == {"unchanged": 5, "vanished": 1}
    assert watched.ids() == ids
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 5, "vanished": 1, "pruned": 1}
    assert watched.ids() == {name: n for name, n in ids.items() if name != "2.png"}
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 5}
    with pytest.raises(NotFoundError):
        watched.collection.item(ids["2.png"])


def test_ids_are_never_given_twice(photos, watched, make_photo):
    watched.add(photos)
    last = max(watched.ids().values())
    watched.collection.remove(last)
    make_photo(photos / "new.png", 70)
    watched.add(photos / "new.png")
    assert watched.ids()["new.png"] == last + 1


def test_an_absent_folder_loses_nothing(photos, watched, tmp_path):
    watched.add(photos)
    ids = watched.ids()
    photos.rename(tmp_path / "away")
    with pytest.raises(NotFoundError, match="photos"):
        watched.add(photos, prune=True)
    assert watched.ids() == ids


def test_an_empty_folder_loses_nothing_and_is_named(photos, watched, tmp_path, make_photo):
    watched.add(photos)
    ids = watched.ids()
    photos.rename(tmp_path / "away")
    photos.mkdir()
    (photos / ".hidden").touch()
    (photos / "subfolder").mkdir()
    make_photo(tmp_path / "other" / "new.png", 71)
    report = watched.add(photos, tmp_path / "other", prune=True)
    assert numbers(report) == {"added": 1}
    assert report.absent == (photos,)
    assert watched.ids().items() >= ids.items()


def test_an_absent_path_beside_a_present_one_is_named(photos, watched, tmp_path):
    report = watched.add(photos, tmp_path / "nowhere")
    assert numbers(report) == {"added": 6}
    assert report.absent == (tmp_path / "nowhere",)


def test_an_empty_folder_within_another_that_is_named_too_loses_nothing(photos, watched, make_photo):
    make_photo(photos / "disk" / "a.png", 72)
    watched.add(photos)
    ids = watched.ids()
    (photos / "disk" / "a.png").unlink()
    report = watched.add(photos, photos / "disk", prune=True)
    assert numbers(report) == {"unchanged": 6}
    assert report.absent == (photos / "disk",)
    assert watched.ids() == ids


def test_an_emptied_folder_below_the_one_given_loses_nothing(photos, watched, make_photo, tmp_path):
    """A disk that was mounted below it and is not there today."""
    disk = photos / "disk"
    for seed in (80, 81):
        make_photo(disk / "album" / f"{seed}.png", seed)
    watched.add(photos)
    ids = watched.ids()
    shutil.copytree(disk, tmp_path / "copy")
    shutil.rmtree(disk / "album")
    for options in ({}, {"prune": True}):
        report = watched.add(photos, **options)
        assert numbers(report) == {"unchanged": 6}
        assert report.absent == (disk,)
    assert numbers(watched.add(tmp_path / "copy")) == {"added": 2}  # not moved: they may come back
    assert watched.ids().items() >= {name: n for name, n in ids.items() if n <= 6}.items()
    assert len(rows_of(watched.collection)) == 10
    shutil.copytree(tmp_path / "copy" / "album", disk / "album")
    assert numbers(watched.add(photos)) == {"unchanged": 8}


def test_a_deleted_album_is_vanished_and_a_renamed_one_moved(photos, watched, make_photo):
    for seed in (82, 83):
        make_photo(photos / "a" / f"{seed}.png", seed)
        make_photo(photos / "b" / f"{seed + 10}.png", seed + 10)
    watched.add(photos)
    shutil.rmtree(photos / "a")
    (photos / "b").rename(photos / "c")
    report = watched.add(photos, prune=True)
    assert numbers(report) == {"unchanged": 6, "moved": 2, "vanished": 2, "pruned": 2}
    assert report.absent == ()


def test_a_list_of_files_costs_no_queries_and_transactions_of_each(photos, watched, monkeypatch):
    def statements(*paths: Path) -> int:
        count = 0

        def tick(sql: str) -> None:
            nonlocal count
            count += 1

        connect = Database._connect

        def traced(database):
            connection = connect(database)
            connection.set_trace_callback(tick)
            return connection

        with monkeypatch.context() as patched:
            patched.setattr(Database, "_connect", traced)
            other = Watched(watched.collection.path)
            other.add(*paths)
            other.collection.close()
        return count

    watched.add(photos)
    files = sorted(photos.iterdir())
    assert statements(*files) - statements(files[0]) == 5 * 1  # noting each file that was found


def test_a_skip_of_a_file_given_by_name_is_forgotten_when_it_is_an_item_again(photos, watched):
    watched.add(photos)
    good = (photos / "1.png").read_bytes()
    facts = (photos / "1.png").stat()
    (photos / "1.png").write_bytes(b"no photo")
    watched.add(photos / "1.png")
    assert list(watched.skipped()) == ["1.png"]
    (photos / "1.png").write_bytes(good)
    os.utime(photos / "1.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert numbers(watched.add(photos / "1.png")) == {"unchanged": 1}
    assert watched.skipped() == {}


def test_nothing_is_removed_below_a_folder_that_cannot_be_listed(photos, watched, make_photo, monkeypatch):
    for name in ("a.png", os.fsdecode(b"\xff.png")):
        make_photo(photos / "secret" / name, len(name))
    (photos / "secret" / "bad.png").write_bytes(b"no photo")
    make_photo(photos / "secrets.png", 73)
    watched.add(photos)
    ids = watched.ids()
    (photos / "secret" / "a.png").unlink()
    (photos / "secret" / os.fsdecode(b"\xff.png")).unlink()
    (photos / "secrets.png").unlink()
    close_off(monkeypatch, photos / "secret")
    report = watched.add(photos, prune=True)
    assert numbers(report) == {"unchanged": 6, "skipped": 1, "vanished": 1, "pruned": 1}
    assert watched.ids() == {name: n for name, n in ids.items() if name != "secrets.png"}
    assert sorted(watched.skipped()) == ["bad.png", "secret"]  # the one still, the other now
    monkeypatch.undo()
    assert numbers(watched.add(photos, prune=True)) == {
        "unchanged": 6, "skipped": 1, "vanished": 2, "pruned": 2
    }  # fmt: skip


def test_a_sibling_with_the_folder_as_prefix_is_not_below_it(photos, watched, tmp_path, make_photo):
    make_photo(tmp_path / "photos-2" / "x.png", 74)
    watched.add(photos, tmp_path / "photos-2")
    shutil.rmtree(tmp_path / "photos-2")
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 6}
    assert "x.png" in watched.ids()


def test_a_file_that_is_there_but_not_walked_is_not_vanished(photos, watched, make_photo):
    make_photo(photos / ".hidden.png", 75)
    watched.add(photos, photos / ".hidden.png")
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 6}
    assert ".hidden.png" in watched.ids()


def test_a_skipped_file_that_is_gone_leaves_the_list(photos, watched):
    (photos / "bad.png").write_bytes(b"no photo")
    watched.add(photos)
    (photos / "bad.png").unlink()
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.skipped() == {}


def test_prune_spares_a_file_that_came_back_during_the_run(photos, watched):
    watched.add(photos)
    (photos / "1.png").rename(photos.parent / "aside.png")

    def back(name, done, total):
        if name == "looking":
            (photos.parent / "aside.png").rename(photos / "1.png")

    assert numbers(watched.add(photos, prune=True, on_step=back)) == {"unchanged": 5}
    assert "1.png" in watched.ids()


NAMES = [
    "line\nbreak.png",
    "tab\tand \x1b[31mcolour.png",
    os.fsdecode(b"latin-1 \xe9t\xe9.png"),
    "ünïcödé 写真.png",
    "e\u0301 decomposed.png",
    "percent %41 #?&.png",
    "'quoted' \"twice\" `thrice`.png",
    "-dash.png",
    " space .png",
    "back\\slash.png",
    "x" * 251 + ".png",
]


def test_awkward_names_come_back_as_the_real_file(tmp_path, watched, make_photo):
    folder = tmp_path / "names"
    paths = []
    for seed, name in enumerate(NAMES):
        make_photo(tmp_path / "plain.png", seed)
        folder.mkdir(exist_ok=True)
        paths.append(Path(shutil.copy(tmp_path / "plain.png", folder / name)))
    assert numbers(watched.add(folder)) == {"added": len(NAMES)}
    for path in paths:
        (hit,) = watched.collection.search(path, 1)
        assert path_of(hit.uri) == str(path)
        assert Path(path_of(hit.uri)).read_bytes() == path.read_bytes()
        assert hit.score == pytest.approx(1.0, abs=1e-5)
        hit.uri.encode()  # fit for JSON and terminals
    assert numbers(watched.add(folder)) == {"unchanged": len(NAMES)}
    assert watched.collection.verify().sound


def test_names_that_are_not_utf_8_are_pruned_and_removed_like_others(tmp_path, watched, make_photo):
    folder = tmp_path / "names"
    make_photo(folder / "good.png", 1)
    for seed in (2, 3):
        make_photo(folder / os.fsdecode(b"\xff%d.png" % seed), seed)
    watched.add(folder)
    (folder / os.fsdecode(b"\xff2.png")).unlink()
    assert numbers(watched.add(folder, prune=True)) == {"unchanged": 2, "vanished": 1, "pruned": 1}
    assert watched.collection.remove(folder) == 2
    assert rows_of(watched.collection) == []


def test_a_folder_whose_own_name_is_not_utf_8(tmp_path, watched, make_photo):
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    make_photo(folder / "1.png", 1)
    make_photo(folder / "2.png", 2)
    assert numbers(watched.add(folder)) == {"added": 2}
    (folder / "2.png").unlink()
    assert numbers(watched.add(folder, prune=True)) == {"unchanged": 1, "vanished": 1, "pruned": 1}
    assert watched.collection.remove(folder) == 1


def test_gone_means_that_the_folder_is_there_and_not_empty(tmp_path, make_photo, monkeypatch):
    make_photo(tmp_path / "album" / "there.png", 1)
    assert not is_gone(str(tmp_path / "album" / "there.png"))
    assert is_gone(str(tmp_path / "album" / "x.png"))
    assert is_gone(str(tmp_path / "other" / "deeper" / "x.png"))
    assert is_gone(str(tmp_path / "album" / "there.png" / "x.png"))  # a file in the place of a folder
    (tmp_path / "empty").mkdir()
    assert not is_gone(str(tmp_path / "empty" / "x.png"))
    assert not is_gone(str(tmp_path / "empty" / "deeper" / "x.png"))
    close_off(monkeypatch, tmp_path / "album")
    assert not is_gone(str(tmp_path / "album" / "x.png"))
