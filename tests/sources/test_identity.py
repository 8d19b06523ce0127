"""One file is one item, whatever leads to it: links, mounts, other spellings; and inodes tell nothing."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from pathlib import Path

import pytest

from helpers import numbers
from lookalike.sources import identity
from lookalike.sources.identity import Identities
from lookalike.sources.spelling import spelled
from lookalike.sources.uris import is_gone
from lookalike.sources.walk import Walk

pytest_plugins = ["store_fixtures"]


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def walked(*paths: Path) -> list[str]:
    return [each.uri.removeprefix(f"{paths[0]}/") for each in Walk(list(paths)).files()]


class SameInode:
    """Facts of a file as file systems give them that have no inodes of their own."""

    def __init__(self, facts: os.stat_result) -> None:
        self._facts = facts
        self.st_ino, self.st_dev = 0, 7

    def __getattr__(self, name: str) -> object:
        return getattr(self._facts, name)


@pytest.fixture
def equal_inodes(monkeypatch):
    true_stat, true_lstat = os.stat, os.lstat
    monkeypatch.setattr(os, "stat", lambda *given, **how: SameInode(true_stat(*given, **how)))
    monkeypatch.setattr(os, "lstat", lambda *given, **how: SameInode(true_lstat(*given, **how)))


def test_folders_of_equal_inode_are_all_walked(tmp_path, equal_inodes):
    for name in ("a/1.jpg", "b/2.jpg", "b/c/3.jpg", "d/4.jpg"):
        put(tmp_path / name)
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert walked(tmp_path) == ["a/1.jpg", "b/2.jpg", "b/c/3.jpg", "d/4.jpg"]


def test_a_collection_in_a_folder_of_equal_inodes_is_left_out_alone(tmp_path, watched, make_photo):
    for n in range(3):
        make_photo(tmp_path / f"sub{n}" / f"{n}.png", n)
    with pytest.MonkeyPatch.context() as patch:
        true_stat = os.stat
        patch.setattr(os, "stat", lambda *given, **how: SameInode(true_stat(*given, **how)))
        assert watched.add(tmp_path).added == 3


@pytest.mark.parametrize("link", ["0 first", "zz last", "real/inside"])
def test_the_real_folder_wins_over_any_link_to_it(tmp_path, link):
    put(tmp_path / "real" / "a.jpg")
    put(tmp_path / "real" / "sub" / "b.jpg")
    (tmp_path / link).symlink_to(tmp_path / "real")
    walk = Walk([tmp_path])
    assert [each.uri for each in walk.files()] == [
        str(tmp_path / "real" / name) for name in ("a.jpg", "sub/b.jpg")
    ]
    assert walk.excluded == {"links": 1}


def test_a_link_to_a_part_of_what_is_walked_and_one_from_outside_lead_nowhere_twice(tmp_path):
    root = tmp_path / "root"
    put(root / "m" / "n" / "a.jpg")
    put(tmp_path / "outside" / "o.jpg")
    (root / "a").symlink_to(root / "m" / "n")
    (root / "b").symlink_to(tmp_path / "outside")
    (root / "c").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "back").symlink_to(root)
    (tmp_path / "outside" / "up").symlink_to("..")
    assert walked(root) == ["m/n/a.jpg", "b/o.jpg"]


def test_chains_of_links_and_links_that_were_named_come_last(tmp_path):
    put(tmp_path / "real" / "a.jpg")
    (tmp_path / "one").symlink_to("real")
    (tmp_path / "two").symlink_to("one")
    assert walked(tmp_path / "two", tmp_path / "real") == [str(tmp_path / "real" / "a.jpg")]
    assert walked(tmp_path / "two") == ["a.jpg"]
    assert walked(tmp_path / "two", tmp_path / "one") == ["a.jpg"]


def test_a_file_that_only_links_lead_to_is_found_once(tmp_path):
    target = put(tmp_path / "objects" / "4f")
    for name in ("album/a.jpg", "album/b.jpg", "other/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
    assert walked(tmp_path / "album", tmp_path / "other") == ["a.jpg"]


def test_a_link_to_a_hidden_file_or_into_a_closed_folder_is_still_a_way(tmp_path, monkeypatch):
    put(tmp_path / "in" / ".hidden.jpg")
    put(tmp_path / "in" / "closed" / "x.jpg")
    (tmp_path / "in" / "a.jpg").symlink_to(".hidden.jpg")
    (tmp_path / "in" / "b.jpg").symlink_to("closed/x.jpg")
    true_scandir = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return true_scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = {Path(each.uri).name: each.problem is None for each in Walk([tmp_path / "in"]).files()}
    assert found == {"closed": False, "a.jpg": True, "b.jpg": True}


def test_a_file_named_through_a_link_and_by_itself_counts_once(photos, watched, tmp_path):
    (tmp_path / "way").symlink_to(photos)
    report = watched.add(tmp_path / "way" / "1.png", photos / "1.png")
    assert numbers(report) == {"added": 1}
    assert report.excluded == {"links": 1}
    assert watched.collection.items()[0].uri == str(photos / "1.png")


def test_items_follow_their_files_from_a_link_to_the_real_folder_and_back(photos, watched, tmp_path):
    (tmp_path / "way").symlink_to(photos)
    assert numbers(watched.add(tmp_path / "way")) == {"added": 6}
    ids = watched.ids()
    assert numbers(watched.add(photos)) == {"moved": 6}
    assert numbers(watched.add(tmp_path / "way", photos)) == {"unchanged": 6}
    assert watched.ids() == ids
    assert {Path(item.uri).parent for item in watched.collection.items()} == {photos}
    assert numbers(watched.add(tmp_path / "way")) == {"moved": 6}
    assert watched.ids() == ids


def test_a_folder_that_was_renamed_with_a_link_left_behind_moves_its_items(photos, watched, tmp_path):
    watched.add(tmp_path / "photos")
    ids = watched.ids()
    photos.rename(tmp_path / "renamed")
    photos.symlink_to(tmp_path / "renamed")
    assert numbers(watched.add(tmp_path)) == {"moved": 6}
    assert watched.ids() == ids
    assert numbers(watched.add(tmp_path, prune=True)) == {"unchanged": 6}


def test_doubles_of_an_earlier_version_are_told_and_pruned(photos, watched, tmp_path, monkeypatch):
    (tmp_path / "a link").symlink_to(photos)
    monkeypatch.setattr(Identities, "are_same", lambda *_: False)
    watched.collection._opened.store  # noqa: B018
    assert watched.add(tmp_path / "a link").added == 6
    assert watched.add(photos).added == 6
    monkeypatch.undo()
    assert numbers(watched.add(tmp_path)) == {"unchanged": 6, "vanished": 6}
    assert numbers(watched.add(tmp_path, prune=True)) == {"unchanged": 6, "vanished": 6, "pruned": 6}
    assert numbers(watched.add(tmp_path)) == {"unchanged": 6}
    assert {Path(item.uri).parent for item in watched.collection.items()} == {photos}


def test_two_equal_files_are_still_two_items(photos, watched):
    (photos / "copy.png").write_bytes((photos / "1.png").read_bytes())
    os.link(photos / "1.png", photos / "hard.png")
    assert numbers(watched.add(photos)) == {"added": 8}
    assert numbers(watched.add(photos)) == {"unchanged": 8}


# Mounts -----------------------------------------------------------------------------------------------


@pytest.fixture
def bind(tmp_path):
    """Mount a folder at a second place."""
    places = []

    def mount(folder: Path, place: Path) -> Path:
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "--bind", folder, place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("folders cannot be mounted here")
        places.append(place)
        return place

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize("place", ["0 first", "zz last", "real/inside it"])
def test_a_folder_mounted_twice_is_walked_once_where_it_is_at_home(tmp_path, bind, place):
    put(tmp_path / "real" / "a.jpg")
    put(tmp_path / "real" / "sub" / "b.jpg")
    bind(tmp_path / "real", tmp_path / place)
    walk = Walk([tmp_path])
    assert [each.uri for each in walk.files()] == [
        str(tmp_path / "real" / name) for name in ("a.jpg", "sub/b.jpg")
    ]
    assert walk.excluded == {"links": 1}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts")
def test_items_follow_their_files_between_mounts(photos, watched, tmp_path, bind):
    place = bind(photos, tmp_path / "mounted at")
    assert numbers(watched.add(place)) == {"added": 6}
    assert numbers(watched.add(photos)) == {"moved": 6}
    assert len(watched.ids()) == 6


TABLE = rb"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:2 / /data rw - ext4 /dev/sdb1 rw
31 22 8:2 /photos /mnt/my\040photos rw - ext4 /dev/sdb1 rw
32 22 0:40 / /mnt/usb rw - vfat /dev/sdc1 rw
33 22 8:1 /srv /hidden/below rw - ext4 /dev/sda1 rw
34 22 0:50 / /hidden rw - tmpfs tmpfs rw
"""


def test_a_table_of_mounts_tells_which_places_are_the_same(tmp_path, monkeypatch):
    table = put(tmp_path / "mountinfo", TABLE)
    monkeypatch.setattr(identity, "_MOUNTS", table)
    known = Identities()
    assert known.of_real("/data/photos/2019") == known.of_real("/mnt/my photos/2019")
    assert known.of_real("/data/photos") == known.of_real("/mnt/my photos")
    assert known.is_bound("/mnt/my photos") and not known.is_bound("/data")
    places = ["/", "/data", "/data/photos", "/photos", "/mnt/usb", "/mnt/usb/photos", "/srv", "/hidden/below"]
    assert len({known.of_real(place) for place in places}) == len(places)


def test_without_a_table_of_mounts_paths_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "none")
    assert Identities().of(str(tmp_path / "." / "a")) == os.path.normcase(tmp_path / "a")


# Spellings --------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@pytest.fixture
def ignoring_disk(tmp_path, monkeypatch):
    """Below this folder, all spellings of a name are the same, as on most disks of Windows and macOS."""
    base = tmp_path / "disk"
    base.mkdir()
    listdir = os.listdir

    def found(path):
        text = os.fspath(path)
        if not isinstance(text, str) or not text.startswith(f"{base}/"):
            return path
        at = str(base)
        for name in text.removeprefix(f"{base}/").split("/"):
            try:
                listed = listdir(at)
            except OSError:
                listed = []
            at += "/" + next((each for each in listed if folded(each) == folded(name)), name)
        return at

    def wrap(name):
        true = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path=".", *rest, **how: true(found(path), *rest, **how))

    for name in ("stat", "lstat", "scandir", "listdir", "open"):
        wrap(name)
    return base


NFC, NFD = "caf\u00e9", "cafe\u0301"
RENAMES = [("IMG_1.PNG", "img_1.png"), (f"{NFD}.png", f"{NFC}.png"), ("Été/a.png", "été/a.png")]


@pytest.mark.parametrize(("old", "new"), RENAMES)
def test_a_rename_in_spelling_alone_moves_the_item(ignoring_disk, watched, make_photo, old, new):
    make_photo(ignoring_disk / "other.png", 1)
    path = make_photo(ignoring_disk / old, 2)
    assert numbers(watched.add(ignoring_disk)) == {"added": 2}
    ids = set(watched.ids().values())
    before, after = Path(old).parts[0], Path(new).parts[0]
    (ignoring_disk / before).rename(ignoring_disk / after)
    assert path.exists()  # by its old name, too
    assert is_gone(str(path))
    assert numbers(watched.add(ignoring_disk, prune=True)) == {"moved": 1, "unchanged": 1}
    assert set(watched.ids().values()) == ids
    assert str(ignoring_disk / new) in {item.uri for item in watched.collection.items()}


def test_a_folder_that_is_named_in_another_spelling_is_the_same(ignoring_disk, watched, make_photo):
    for n in range(3):
        make_photo(ignoring_disk / "Photos" / f"{n}.png", n)
    assert numbers(watched.add(ignoring_disk / "PHOTOS")) == {"added": 3}
    assert numbers(watched.add(ignoring_disk / "photos", ignoring_disk)) == {"unchanged": 3}
    assert watched.collection.items()[0].uri == str(ignoring_disk / "Photos" / "0.png")
    (ignoring_disk / "Photos" / "1.png").unlink()
    assert numbers(watched.add(ignoring_disk / "photos", prune=True)) == {
        "unchanged": 2, "vanished": 1, "pruned": 1
    }  # fmt: skip


def test_where_spellings_differ_both_files_are_there(photos, watched, make_photo):
    make_photo(photos / "IMG.png", 20)
    make_photo(photos / "img.png", 21)
    make_photo(photos / f"{NFC}.png", 22)
    make_photo(photos / f"{NFD}.png", 23)
    assert numbers(watched.add(photos)) == {"added": 10}
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 10}
    assert spelled(str(photos / "IMG.png")) == str(photos / "IMG.png")


def test_a_part_that_is_named_before_the_whole_is_no_second_way(tmp_path):
    put(tmp_path / "root" / "sub" / "a.jpg")
    put(tmp_path / "root" / "b.jpg")
    walk = Walk([tmp_path / "root" / "sub", tmp_path / "root"])
    assert [Path(each.uri).name for each in walk.files()] == ["a.jpg", "b.jpg"]
    assert walk.excluded == {}
    assert list(walk.roots) == [str(tmp_path / "root" / "sub"), str(tmp_path / "root")]


def test_texts_stand_at_the_place_without_links(tmp_path):
    from lookalike import Collection
    from lookalike.embedders.fake import FakeTextEmbedder

    put(tmp_path / "in" / "real" / "t.csv", b"text\na cat\na dog\n")
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as texts:
        (tmp_path / "in" / "a link").symlink_to("real")
        assert texts.add(tmp_path / "in").added == 2
        assert texts.add(tmp_path / "in", prune=True).unchanged == 2
        (tmp_path / "in" / "real").rename(tmp_path / "in" / "zz")
        (tmp_path / "in" / "a link").unlink()
        (tmp_path / "in" / "real").symlink_to("zz")
        texts.add(tmp_path / "in", prune=True)
        places = [texts.engine.items.get([item.id])[item.id] for item in texts.items()]
        assert {(Path(item.uri).parent.name, item.places) for item in places} == {("zz", 1)}
