"""What is left out of a walk, and that all of it is counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from helpers import numbers
from lookalike.errors import UsageError
from lookalike.sources.everywhere import kind_of
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.kinds import aside_of
from lookalike.sources.walk import Walk

pytest_plugins = ["store_fixtures"]


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def walk_of(root: Path, *patterns: str) -> tuple[list[str], dict[str, int]]:
    walk = Walk([root], rules=Exclusions.of(patterns))
    found = [each.uri.removeprefix(f"{root}/") for each in walk.files() if not each.is_left_out]
    return found, dict(walk.excluded)


SYSTEM = [
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "sub/@eaDir/b.jpg",
    "#recycle/c.jpg",
    "#snapshot/GMT-2019/d.jpg",
    "$RECYCLE.BIN/S-1-5/e.jpg",
    "$Recycle.Bin/e2.jpg",
    "System Volume Information/f.jpg",
    "lost+found/g.jpg",
    "Catalog Previews.lrdata/0/1/h.jpg",
    "Catalog Smart Previews.LRDATA/i.jpg",
    "Photos.photoslibrary/resources/derivatives/j.jpg",
    "Photos.photoslibrary/private/k.jpg",
    "iPhoto Library.photolibrary/Thumbnails/l.jpg",
    "Aperture.aplibrary/Previews/m.jpg",
    "__MACOSX/n.jpg",
    "Viewer.app/Contents/o.jpg",
]


@pytest.mark.parametrize("name", SYSTEM)
def test_what_no_one_means_as_a_photo_is_left_out_and_counted(tmp_path, name):
    put(tmp_path, name, "a.jpg")
    assert walk_of(tmp_path) == (["a.jpg"], {"defaults": 1})


def test_originals_in_a_library_are_photos(tmp_path):
    names = ["My.photoslibrary/originals/0/A.jpg", "Old.photolibrary/Masters/2012/b.jpg"]
    put(tmp_path, *names, "My.photoslibrary/database/c.jpg")
    assert walk_of(tmp_path) == (names, {"defaults": 1})
    assert walk_of(tmp_path / "My.photoslibrary") == (["originals/0/A.jpg"], {"defaults": 1})


def test_names_that_only_resemble_them_are_photos(tmp_path):
    names = ["#1/a.jpg", "@home/b.jpg", "lrdata/c.jpg", "resources/derivatives/d.jpg", "recycle/e.jpg"]
    put(tmp_path, *names)
    assert walk_of(tmp_path) == (sorted(names), {})


def test_a_folder_that_is_named_is_walked_whatever_it_is_called(tmp_path):
    put(tmp_path, "#recycle/a.jpg", "quiet/.nomedia", "quiet/b.jpg", "quiet/in/.nomedia", "quiet/in/c.jpg")
    assert walk_of(tmp_path / "#recycle") == (["a.jpg"], {})
    assert walk_of(tmp_path / "quiet") == (["b.jpg"], {".nomedia": 1})
    assert walk_of(tmp_path) == ([], {"defaults": 1, ".nomedia": 1})


PATTERNS = [
    (["*.png"], ["a.jpg", "sub/b.jpg", "sub/deep/e.jpg"], 2),
    (["sub/"], ["a.jpg", "c.png"], 1),
    (["/c.png"], ["a.jpg", "sub/b.jpg", "sub/d.png", "sub/deep/e.jpg"], 1),
    (["sub/*", "!sub/d.png"], ["a.jpg", "c.png", "sub/d.png"], 2),
    (["**/deep/*.jpg"], ["a.jpg", "c.png", "sub/b.jpg", "sub/d.png"], 1),
    (["[ab].jpg"], ["c.png", "sub/d.png", "sub/deep/e.jpg"], 2),
    (["# a comment", "", "deep"], ["a.jpg", "c.png", "sub/b.jpg", "sub/d.png"], 1),
]


@pytest.fixture
def tree(tmp_path):
    put(tmp_path, "a.jpg", "c.png", "sub/b.jpg", "sub/d.png", "sub/deep/e.jpg")
    return tmp_path


@pytest.mark.parametrize(("patterns", "found", "left_out"), PATTERNS)
def test_patterns_and_ignore_files_mean_what_git_means(tree, patterns, found, left_out):
    assert walk_of(tree, *patterns) == (found, {"patterns": left_out})
    (tree / ".lookalikeignore").write_text("\n".join(patterns))
    assert walk_of(tree) == (found, {"patterns": left_out})


@pytest.mark.skipif(shutil.which("git") is None, reason="no git to compare with")
@pytest.mark.parametrize("patterns", [each[0] for each in PATTERNS])
def test_git_agrees(tree, patterns):
    import subprocess

    (tree / ".gitignore").write_text("\n".join(patterns))
    subprocess.run(["git", "init", "-q", tree], check=True)
    listed = ["git", "-C", tree, "ls-files", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(walk_of(tree, *patterns)[0]) == sorted(set(names) - {".gitignore"})


def test_an_ignore_file_holds_below_its_folder_and_the_nearest_decides(tree):
    (tree / ".lookalikeignore").write_text("*.png\n")
    (tree / "sub" / ".lookalikeignore").write_text("!*.png\n/b.jpg\n")
    assert walk_of(tree) == (["a.jpg", "sub/d.png", "sub/deep/e.jpg"], {"patterns": 2})
    assert walk_of(tree, "d.png", "!b.jpg") == (["a.jpg", "sub/b.jpg", "sub/deep/e.jpg"], {"patterns": 2})


def test_what_is_left_out_by_default_can_be_taken_in(tmp_path):
    put(tmp_path, "@eaDir/a.jpg", ".hidden/b.jpg")
    assert walk_of(tmp_path, "!@eaDir/") == (["@eaDir/a.jpg"], {"hidden": 1})
    (tmp_path / ".lookalikeignore").write_text("!.hidden/")
    assert walk_of(tmp_path) == ([".hidden/b.jpg"], {"defaults": 1})


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_a_pattern_that_is_none_is_refused_or_told(tree, pattern):
    with pytest.raises(UsageError, match="gitignore"):
        Exclusions.of([pattern])
    (tree / "sub" / ".lookalikeignore").write_text(f"*.png\n{pattern}\n")
    walk = Walk([tree])
    found = {each.uri.removeprefix(f"{tree}/"): each.problem for each in walk.files()}
    assert found.pop("sub").startswith("a folder that cannot be looked into: its ignore file has a pattern")
    assert set(found) == {"a.jpg", "c.png"}
    assert walk.closed == [str(tree / "sub")]  # nothing of it has vanished


def test_odd_ignore_files_do_no_harm(tree):
    (tree / ".lookalikeignore").write_bytes(b"\xff\xfe\x00*.png\r\n*.png\r\n" + b"x" * 5000)
    (tree / "sub" / ".lookalikeignore").mkdir()
    found, _ = walk_of(tree)
    assert found == ["a.jpg", "sub"]  # told: a folder is no file


def test_hidden_files_collections_and_links_are_counted(tmp_path, photos, watched):
    put(tmp_path, "photos/.DS_Store", "photos/.thumbnails/a.jpg", "photos/x.lookalike/store.sqlite")
    (photos / "again").symlink_to(photos)
    report = watched.add(photos)
    assert report.excluded == {"hidden": 2, "collections": 1, "links": 1}
    assert numbers(report) == {"added": 6}


# Kinds of other files ---------------------------------------------------------------------------------


def test_files_that_never_claimed_to_be_photos_are_counted_by_kind(photos, watched):
    put(photos, "a.MP4", "b.mov", "1.xmp", "1.aae", "readme.txt", "Thumbs.db", "x.zip", "setup.exe", "m.mp3")
    put(photos, "strange.xyz", "noname", "broken.jpg", "raw.cr2")
    report = watched.add(photos)
    assert report.aside == {
        "video": 2, "sidecar": 2, "document": 1, "database": 1, "archive": 1, "program": 1, "recording": 1
    }  # fmt: skip
    assert sorted(watched.skipped()) == ["broken.jpg", "noname", "raw.cr2", "strange.xyz"]
    assert numbers(report) == {"added": 6, "skipped": 4}


@pytest.mark.parametrize("name", ["1.mp4", "photo.txt", "1.xmp", "x.db", "noname", "old.jpg_original"])
def test_a_photo_is_read_whatever_its_name_claims(photos, watched, name):
    shutil.copy(photos / "1.png", photos / name)
    report = watched.add(photos)
    assert (numbers(report), report.aside) == ({"added": 7}, {})


def test_a_file_that_is_named_is_always_read(photos, watched, tmp_path):
    put(tmp_path, "photos/film.mp4", "photos/#recycle/notes.txt")
    shutil.copy(photos / "1.png", photos / "#recycle" / "p.png")
    named = [photos / "film.mp4", photos / "#recycle" / "notes.txt", photos / "#recycle" / "p.png"]
    report = watched.add(photos, *named, exclude=["*.png", "*.mp4"])
    assert sorted(watched.skipped()) == ["film.mp4", "notes.txt"]
    assert list(watched.ids()) == ["p.png"]
    assert report.excluded == {"patterns": 7, "defaults": 1}


def test_what_was_skipped_by_an_earlier_version_leaves_the_list(photos, watched):
    put(photos, "film.mp4")
    watched.add(photos, photos / "film.mp4")
    assert list(watched.skipped()) == ["film.mp4"]
    assert watched.add(photos).aside == {"video": 1}
    assert watched.skipped() == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("A.MOV", "video"), ("a.jpg.json", "sidecar"), ("a.jpg", None), ("mp4", None), ("", None)],
)
def test_names_tell_kinds(name, kind):
    assert aside_of(name) == kind


# Items that are left out now --------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["--exclude", "ignore file", ".nomedia", "defaults"])
def test_items_that_are_left_out_now_stay_until_they_are_pruned(photos, watched, make_photo, by):
    for n in range(2):
        make_photo(photos / "sub" / f"x{n}.png", 20 + n)
    make_photo(photos / "sub" / "deep" / "y.png", 30)
    watched.add(photos)
    how = {}
    if by == "--exclude":
        how = {"exclude": ["sub/"]}
    elif by == "ignore file":
        (photos / ".lookalikeignore").write_text("x*.png\n/sub/deep\n")
    elif by == ".nomedia":
        (photos / "sub" / ".nomedia").touch()
    else:
        (photos / "sub").rename(photos / "#recycle")
        assert numbers(watched.add(photos / "#recycle")) == {"moved": 3}
    assert numbers(watched.add(photos, **how)) == {"unchanged": 6}
    assert len(watched.ids()) == 9
    report = watched.add(photos, prune=True, **how)
    assert numbers(report) == {"unchanged": 6, "vanished": 3, "pruned": 3}
    assert len(watched.ids()) == 6


def test_a_named_file_in_a_folder_that_is_left_out_is_not_pruned_while_it_is_named(
    photos, watched, make_photo
):
    named = make_photo(photos / "#recycle" / "x.png", 20)
    watched.add(photos, named)
    assert numbers(watched.add(photos, named, prune=True)) == {"unchanged": 7}
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 6, "vanished": 1, "pruned": 1}


def test_hidden_items_that_were_named_once_are_not_pruned(photos, watched, make_photo):
    named = make_photo(photos / ".hidden.png", 20)
    watched.add(photos, named)
    assert numbers(watched.add(photos, prune=True)) == {"unchanged": 6}
    assert len(watched.ids()) == 7


# Photos or texts --------------------------------------------------------------------------------------


def test_captions_before_photos_do_not_make_a_collection_of_texts(tmp_path):
    folder = tmp_path / "captions"
    put(folder, *(f"a{n:04}.txt" for n in range(1500)), "z/photo.jpg")
    assert kind_of([folder]) == "photo"
    (folder / "z" / "photo.jpg").unlink()
    assert kind_of([folder]) == "text"
    put(folder, "#recycle/photo.jpg", "png/x.png")
    assert kind_of([folder], Exclusions.of(["*.png"])) == "text"
    assert kind_of([folder]) == "photo"


def test_reports_tell_of_all_that_in_json_and_words(photos, watched):
    from lookalike.faces.contract import report_json
    from lookalike.faces.text import named_counts

    put(photos, "a.mp4", "b.mp4", "1.xmp", ".hidden")
    report = watched.add(photos)
    shown = json.loads(json.dumps(report_json(report)))
    assert (shown["excluded"], shown["aside"]) == ({"hidden": 1}, {"video": 2, "sidecar": 1})
    assert named_counts(report.aside) == "2 videos, 1 sidecar"
    assert named_counts(report.excluded) == "1 hidden"
