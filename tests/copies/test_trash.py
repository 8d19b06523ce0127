"""The trash of the freedesktop.org specification: the right one for each disk, its notes, and back again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from copies_helpers import contents, group_of, item_of, write

from lookalike.copies import trash as trash_module
from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.planning import ToTrash, all_but_best, plan_removal
from lookalike.copies.trash import home_trash, trash_for
from lookalike.copies.undoing import undo
from lookalike.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has another trash")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The user's own trash, on the disk of `tmp_path`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash"


def trashed(folder: Path, journal: Path, copies: list[Path]):
    best = item_of(write(folder / "best.jpg", b"best"), 1)
    group = group_of(best, *(item_of(path, number) for number, path in enumerate(copies, 2)))
    plan = plan_removal([all_but_best(group)], ToTrash())
    assert [each.target for each in plan.moves] == [None] * len(copies)
    return carry_out(plan, journal, lambda _: None)


def note(path: Path) -> dict[str, str]:
    first, *lines = path.read_text().splitlines()
    assert first == "[Trash Info]"
    return dict(line.split("=", 1) for line in lines)


def test_files_go_to_the_trash_at_home_with_notes_and_come_back(home, tmp_path):
    copies = [write(tmp_path / "photos" / name / "été 100%.jpg", name.encode()) for name in "ab"]
    before = contents(tmp_path / "photos")
    report = trashed(tmp_path / "photos", tmp_path / JOURNAL_FILE, copies)
    assert [each.target for each in report.moved] == [
        home / "files" / "été 100%.jpg",
        home / "files" / "été 100% (2).jpg",
    ]
    assert contents(home / "files") == {"été 100%.jpg": b"a", "été 100% (2).jpg": b"b"}
    notes = {path.name: note(path) for path in (home / "info").iterdir()}
    assert set(notes) == {"été 100%.jpg.trashinfo", "été 100% (2).jpg.trashinfo"}
    written = notes["été 100%.jpg.trashinfo"]
    assert unquote(written["Path"]) == str(copies[0]) and "%20100%25" in written["Path"]
    assert len(written["DeletionDate"]) == len("2026-12-05T12:00:00")
    assert home.stat().st_mode & 0o777 == 0o700

    assert len(undo(tmp_path / JOURNAL_FILE, lambda _: None).restored) == 2
    assert {**before, "best.jpg": b"best"} == contents(tmp_path / "photos")
    assert contents(home) == {}


def test_a_name_that_the_trash_has_is_left_alone(home, tmp_path):
    write(home / "info" / "a.jpg.trashinfo", b"of another file, which is gone")
    write(home / "files" / "a (2).jpg", b"a file without a note")
    copy = write(tmp_path / "photos/a.jpg", b"copy")
    report = trashed(tmp_path / "photos", tmp_path / JOURNAL_FILE, [copy])
    assert report.moved[0].target == home / "files" / "a (3).jpg"
    undo(tmp_path / JOURNAL_FILE, lambda _: None)
    assert contents(home) == {
        "info/a.jpg.trashinfo": b"of another file, which is gone",
        "files/a (2).jpg": b"a file without a note",
    }


@pytest.fixture
def top(other_disk, monkeypatch) -> Path:
    """A folder on another disk that is taken for the uppermost one of its disk."""
    is_mount = os.path.ismount
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == other_disk or is_mount(path))
    return other_disk


def test_another_disk_has_a_trash_of_its_own(home, tmp_path, top):
    copy = write(top / "photos/a.jpg", b"copy")
    report = trashed(top / "photos", tmp_path / JOURNAL_FILE, [copy])
    own = top / f".Trash-{os.getuid()}"
    assert report.moved[0].target == own / "files" / "a.jpg"
    assert note(own / "info" / "a.jpg.trashinfo")["Path"] == "photos/a.jpg"
    assert own.stat().st_mode & 0o777 == 0o700
    assert not home.exists()
    undo(tmp_path / JOURNAL_FILE, lambda _: None)
    assert copy.read_bytes() == b"copy" and contents(own) == {}


def test_a_trash_for_all_is_used_if_it_is_a_safe_one(home, top):
    copy, shared, user = write(top / "a.jpg", b"copy"), top / ".Trash", str(os.getuid())
    shared.mkdir()
    shared.chmod(0o777)
    assert trash_for(copy).folder == top / f".Trash-{user}"  # others could rename what is in there
    shared.chmod(0o1777)
    assert trash_for(copy).folder == shared / user
    shared.joinpath(user, "files").rmdir()
    shared.joinpath(user, "info").rmdir()
    shared.joinpath(user).rmdir()
    shared.rename(top / "elsewhere")
    shared.symlink_to(top / "elsewhere")
    assert trash_for(copy).folder == top / f".Trash-{user}"


def test_where_a_disk_lets_no_trash_be_made_it_is_the_one_at_home(home, tmp_path, top):
    copy = write(top / "photos/a.jpg", b"copy")
    (top / f".Trash-{os.getuid()}").symlink_to(tmp_path)
    report = trashed(top / "photos", tmp_path / JOURNAL_FILE, [copy])
    assert report.moved[0].target == home / "files" / "a.jpg"
    assert note(home / "info" / "a.jpg.trashinfo")["Path"] == str(copy)
    undo(tmp_path / JOURNAL_FILE, lambda _: None)
    assert copy.read_bytes() == b"copy" and contents(home) == {}


def test_links_on_the_way_to_a_file_do_not_mislead(home, tmp_path, top):
    write(top / "photos/a.jpg", b"copy")
    (tmp_path / "way").symlink_to(top / "photos")
    assert trash_for(tmp_path / "way" / "a.jpg").top == top


def test_a_user_without_a_home_is_told(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")

    def no_home(_):
        raise UsageError("there is no such home folder")

    monkeypatch.setattr(trash_module, "expanded", no_home)
    with pytest.raises(UsageError, match="no such home folder"):
        home_trash()


@pytest.fixture
def other_system(tmp_path, monkeypatch) -> Path:
    """A system whose trash is sent to by a package, which fails for one name; returns where it puts files."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()

    def send(path: str) -> None:
        if path.endswith("locked.jpg"):
            raise PermissionError(13, "Permission denied")
        Path(path).rename(bin_folder / Path(path).name)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "send2trash", SimpleNamespace(send2trash=send))
    return bin_folder


def test_the_trash_of_another_system_takes_files_and_says_that_it_keeps_them(other_system, tmp_path):
    copies = [write(tmp_path / "photos" / name, name.encode()) for name in ("a.jpg", "locked.jpg")]
    report = trashed(tmp_path / "photos", tmp_path / JOURNAL_FILE, copies)
    assert [each.item_id for each in report.moved] == [2]
    assert [(each.item.id, each.reason) for each in report.refused] == [(3, "Permission denied")]
    assert "only there can they be put back" in report.notes[0]
    assert contents(other_system) == {"a.jpg": b"a.jpg"}
    undone = undo(tmp_path / JOURNAL_FILE, lambda _: None)
    assert undone.restored == ()
    assert undone.refused[0].reason == "it is in the trash of this system: put it back there"


@pytest.mark.parametrize("sent", [True, False])
def test_a_killed_sending_is_told_by_whether_the_file_is_there(other_system, tmp_path, sent):
    copy = write(tmp_path / "photos/a.jpg", b"copy")
    trashed(tmp_path / "photos", tmp_path / JOURNAL_FILE, [copy])
    lines = (tmp_path / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL_FILE).write_bytes(b"".join(lines[:-1]))
    if not sent:
        copy.write_bytes(b"copy")
    plan = plan_removal([], ToTrash())
    assert len(carry_out(plan, tmp_path / JOURNAL_FILE, lambda _: None).settled) == sent
