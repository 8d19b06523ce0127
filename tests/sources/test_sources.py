"""The walk over a user's files, whatever lies there and whatever it is called."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import NotFoundError
from lookalike.records import FileStamp, FoundFile
from lookalike.sources.paths import read_list, require_some, split_present
from lookalike.sources.uris import is_gone, path_of, uri_of
from lookalike.sources.walk import Walk, examine

NAMES = st.binary(min_size=1, max_size=60).map(lambda name: name.replace(b"\0", b"0"))


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def walked(*paths: Path) -> list[str]:
    """What a walk finds, relative to the first path where it lies below."""
    return [each.uri.removeprefix(f"{paths[0]}/") for each in Walk(list(paths)).files()]


def problem(path: Path) -> str | None:
    found = examine(str(path))
    assert (found.stamp is None) == (found.problem is not None)
    return found.problem


def test_a_folder_is_walked_with_all_below_in_order(tmp_path):
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", "c/d/e/f.jpg", "b.jpg", "empty/"):
        (tmp_path / name).mkdir() if name.endswith("/") else put(tmp_path / name)
    assert walked(tmp_path) == ["a.jpg", "b.jpg", "b/1.jpg", "b/2.jpg", "c/d/e/f.jpg"]


def test_a_file_comes_with_its_stamp(tmp_path, monkeypatch):
    path = put(tmp_path / "a.jpg", b"12345")
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    changed = path.stat().st_ctime_ns
    assert list(Walk([path]).files()) == [FoundFile(str(path), FileStamp(5, changed))]
    os.utime(path, ns=(1, later := changed + 10**12))
    assert list(Walk([path]).files()) == [FoundFile(str(path), FileStamp(5, later))]
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    monkeypatch.setattr("lookalike.files.HAS_CHANGE_TIME", False)
    assert list(Walk([path]).files()) == [FoundFile(str(path), FileStamp(5, 1_234_567_890_123_456_789))]


def test_hidden_ones_are_left_out_unless_named(tmp_path):
    hidden_file, in_hidden = put(tmp_path / ".hidden.jpg"), put(tmp_path / ".folder" / "a.jpg")
    put(tmp_path / "seen.jpg")
    assert walked(tmp_path) == ["seen.jpg"]
    assert walked(tmp_path, hidden_file) == ["seen.jpg", ".hidden.jpg"]
    assert walked(in_hidden.parent) == ["a.jpg"]


def test_collections_are_left_out_unless_named(tmp_path, fake_collection, make_photo):
    photo = make_photo(tmp_path / "a.png", 1)
    fake_collection.add(tmp_path)
    assert walked(tmp_path) == ["a.png"]
    assert "store.sqlite" in walked(fake_collection.path)
    assert fake_collection.add(tmp_path).found == 1
    assert [item.uri for item in [fake_collection.item(1)]] == [str(photo)]


def test_a_folder_that_only_sounds_like_a_collection_is_walked(tmp_path):
    put(tmp_path / "trip.lookalike" / "a.jpg")
    assert walked(tmp_path) == ["trip.lookalike/a.jpg"]


def test_links_to_folders_are_followed_once(tmp_path):
    put(tmp_path / "outside" / "x.jpg")
    root = tmp_path / "root"
    put(root / "real" / "a.jpg")
    (root / "again").symlink_to(root / "real")
    (root / "real" / "loop").symlink_to(root)
    (root / "z").symlink_to(tmp_path / "outside")
    assert walked(root) == ["real/a.jpg", "z/x.jpg"]


def test_a_folder_named_twice_or_through_a_link_is_walked_once(tmp_path):
    put(tmp_path / "root" / "sub" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    root = tmp_path / "root"
    assert walked(root, root, root / "sub", tmp_path / "link") == ["sub/a.jpg"]


def test_a_link_to_a_file_is_a_file_where_nothing_else_leads_to_it(tmp_path):
    put(tmp_path / "aside" / "a.jpg", b"123")
    put(tmp_path / "in" / "c.jpg", b"4567")
    for link, target in {"b.jpg": "../aside/a.jpg", "bb.jpg": "../aside/a.jpg", "a.jpg": "c.jpg"}.items():
        (tmp_path / "in" / link).symlink_to(target)
    walk = Walk([tmp_path / "in"])
    assert [(Path(each.uri).name, each.stamp.size) for each in walk.files()] == [("c.jpg", 4), ("b.jpg", 3)]
    assert walk.excluded == {"links": 2}


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    (tmp_path / "broken").symlink_to("nothing")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path must be short
        listener.bind("socket")
        os.chdir(here)
        found = {Path(each.uri).name: each.problem for each in Walk([tmp_path]).files()}
    assert found == {
        "broken": "a link to nothing",
        "circle": "a link that leads in circles",
        "pipe": "not a regular file (a pipe)",
        "socket": "not a regular file (a socket)",
    }


def test_named_paths_that_are_no_files_are_explained(tmp_path):
    assert problem(tmp_path / "absent") == "no such file"
    assert problem(tmp_path) == "not a regular file (a folder)"
    assert problem(Path("/dev/null")) == "not a regular file (a device)"
    assert problem(put(tmp_path / "a.jpg") / "below") == "cannot be read: Not a directory"
    assert problem(tmp_path / ("n" * 300)) == "cannot be read: File name too long"


def test_a_folder_that_cannot_be_listed_is_noted_and_the_rest_is_walked(tmp_path, monkeypatch):
    put(tmp_path / "locked" / "a.jpg")
    put(tmp_path / "open" / "b.jpg")
    scandir = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("locked"):
            raise OSError(errno.EIO, "Input/output error", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    walk = Walk([tmp_path])
    found = {each.uri: each.problem for each in walk.files()}
    told = "a folder that cannot be looked into: Input/output error"
    assert found == {str(tmp_path / "open" / "b.jpg"): None, str(tmp_path / "locked"): told}
    assert walk.closed == [str(tmp_path / "locked")]


@pytest.fixture
def as_nobody():
    """A folder of somebody without privileges, who this process is meanwhile."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    closed = folder / "closed"
    put(closed / "a.jpg")
    closed.chmod(0o700)
    (folder / "link").symlink_to(closed / "a.jpg")
    (folder / "link to folder").symlink_to(closed)
    put(folder / "b.jpg").chmod(0)
    os.seteuid(65534)
    yield folder
    os.seteuid(0)
    shutil.rmtree(folder)


def test_what_one_has_no_permission_for_is_named(as_nobody):
    walk = Walk([as_nobody])
    found = {Path(each.uri).name: each.problem for each in walk.files()}
    assert found == {  # opening b.jpg will tell
        "b.jpg": None,
        "link": "cannot be read: Permission denied",
        "closed": "a folder that cannot be looked into: Permission denied",
    }
    assert walk.closed == [str(as_nobody / "closed")]


def test_a_named_path_one_has_no_permission_for_is_named(as_nobody):
    walk = Walk([as_nobody / "closed", as_nobody / "link", as_nobody / "closed" / "a.jpg"])
    locked = "a folder that cannot be looked into: Permission denied"
    assert [each.problem for each in walk.files()] == [locked, *["cannot be read: Permission denied"] * 2]
    assert walk.closed == [str(as_nobody / "closed")]


@pytest.mark.parametrize(
    "name",
    [
        b"new\nline.jpg",
        b"\x1b[31mred\x1b[0m.jpg",
        b"\x01\x7f.jpg",
        b"caf\xe9.jpg",
        b"\xff\xfe",
        b"n" * 255,
        b" ",
        b"-k",
    ],
    ids=["newline", "escape", "control", "latin-1", "no text", "255 bytes", "space", "dash"],
)
def test_any_name_is_walked(name, tmp_path):
    path = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(b"x")
    (found,) = Walk([tmp_path]).files()
    assert found.stamp is not None and found.stamp.size == 1
    assert os.fsencode(path_of(found.uri)) == path
    found.uri.encode()  # it fits into a database
    assert not is_gone(found.uri)
    (tmp_path / "another.jpg").touch()  # an empty folder could be a disk that is not mounted
    Path(os.fsdecode(path)).unlink()
    assert is_gone(found.uri)


@given(
    st.lists(
        NAMES.filter(lambda name: b"/" not in name and name not in (b".", b"..")), min_size=1, max_size=3
    )
)
def test_uri_and_path_round_trip(names):
    path = "/" + "/".join(os.fsdecode(name) for name in names)
    uri = uri_of(path)
    uri.encode()
    assert path_of(uri) == path
    assert uri_of(path_of(uri)) == uri


@given(NAMES, NAMES)
def test_different_paths_have_different_uris(one, other):
    paths = [os.path.abspath(os.fsdecode(b"/" + name)) for name in (one, other)]  # noqa: PTH100
    assert (uri_of(paths[0]) == uri_of(paths[1])) == (paths[0] == paths[1])


def test_a_uri_is_absolute_and_has_no_dots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert uri_of("a.jpg") == str(tmp_path / "a.jpg")
    assert uri_of(Path("sub/../a.jpg")) == str(tmp_path / "a.jpg")
    assert uri_of("100%25.jpg") == str(tmp_path / "100%25.jpg")
    assert uri_of("file:/x") == str(tmp_path / "file:/x")


def test_a_broken_link_is_not_gone(tmp_path):
    (tmp_path / "broken").symlink_to("nothing")
    assert not is_gone(str(tmp_path / "broken"))


def test_an_address_is_not_gone_from_this_machine():
    assert not is_gone("http://example.org/cat.jpg")
    assert not is_gone("cat.jpg")


def test_a_list_names_one_path_per_line(tmp_path):
    lines = StringIO("a.jpg\n\n/abs/b.jpg\r\n  two  spaces \nlast")
    assert read_list(lines, tmp_path) == [
        tmp_path / "a.jpg",
        Path("/abs/b.jpg"),
        tmp_path / "  two  spaces ",
        tmp_path / "last",
    ]


def test_paths_are_split_into_present_and_absent(tmp_path):
    (tmp_path / "broken").symlink_to("nothing")
    asked = [tmp_path, tmp_path / "broken", tmp_path / "absent", tmp_path / "nul\0", tmp_path / ("n" * 300)]
    present, absent = split_present(asked)
    assert (present, absent) == (asked[:2], asked[2:])


def test_a_request_of_which_nothing_is_there_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match=r"no such file or folder: /a, /b$"):
        require_some([], [Path("/a"), Path("/b")])
    require_some([tmp_path], [Path("/a")])
    require_some([], [])
