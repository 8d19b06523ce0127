"""Copies moved away and back: only files with the recorded content, never over others, never the last one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from copies_helpers import contents, group_of, item_of, write

from lookalike.copies import moving
from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE, Journal
from lookalike.copies.planning import ToFolder, all_but_best, plan_removal
from lookalike.copies.undoing import runs, undo
from lookalike.errors import BusyError, NotFoundError, StorageError


class Bench:
    """A group of a best photo and three copies, moved to `out`, which may be on another disk."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out, self.journal = folder, out, folder / JOURNAL_FILE
        self.items = [item_of(write(folder / f"photos/{n}.jpg", bytes([n]) * 40_000), n) for n in range(1, 5)]
        self.paths = [Path(each.uri) for each in self.items]
        self.told: list[int] = []

    def plan(self):
        return plan_removal([all_but_best(group_of(*self.items))], ToFolder(self.out))

    def go(self, plan=None):
        return carry_out(plan or self.plan(), self.journal, self.hear)

    def back(self, **which):
        return undo(self.journal, self.hear, **which)

    def hear(self, moved) -> None:
        self.told.append(moved.item_id)

    def target(self, number: int) -> Path:
        return self.out / self.paths[number - 1].relative_to("/")

    def photos(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "photos").iterdir())


@pytest.fixture(params=["one disk", "two disks"])
def bench(request, tmp_path):
    if request.param == "one disk":
        yield Bench(tmp_path, tmp_path / "out")
        return
    yield Bench(tmp_path, request.getfixturevalue("other_disk") / "out")


def reasons(report):
    return {each.item.id: each.reason for each in report.refused}


def test_copies_go_and_come_back(bench):
    os.utime(bench.paths[1], ns=(10**18, 10**18))
    bench.paths[1].chmod(0o640)
    before = contents(bench.folder / "photos")
    report = bench.go()
    assert [each.item_id for each in report.moved] == bench.told == [2, 3, 4]
    assert (report.refused, report.bytes_won, report.notes) == ((), 120_000, ())
    assert bench.photos() == ["1.jpg"]
    assert [each.target for each in report.moved] == [bench.target(n) for n in (2, 3, 4)]
    assert sorted(contents(bench.out).values()) == sorted(before[f"{n}.jpg"] for n in (2, 3, 4))
    assert bench.target(2).stat().st_mtime_ns == 10**18
    assert bench.target(2).stat().st_mode & 0o777 == 0o640
    assert [(each.id, each.moved) for each in runs(bench.journal)] == [(report.run, 3)]

    undone = bench.back()
    assert [each.item_id for each in undone.restored] == [4, 3, 2]
    assert (undone.run, undone.refused) == (report.run, ())
    assert "come in with the next lookalike add" in undone.notes[-1]
    assert contents(bench.folder / "photos") == before
    assert contents(bench.out) == {}
    assert bench.paths[1].stat().st_mtime_ns == 10**18
    with pytest.raises(NotFoundError, match="there is nothing to undo"):
        bench.back()


def test_a_file_whose_content_is_not_the_recorded_one_stays(bench):
    plan = bench.plan()
    stamp = bench.paths[1].stat()
    bench.paths[1].write_bytes(bytes([9]) * 40_000)
    os.utime(bench.paths[1], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    report = bench.go(plan)
    assert bench.told == [3, 4]
    assert "its content is not the one that was added" in reasons(report)[2]
    assert bench.photos() == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize("damage", ["changed", "gone", "a link to a copy", "a copy linked there"])
def test_nothing_goes_while_what_is_kept_is_not_sound(bench, damage):
    plan, best = bench.plan(), bench.paths[0]
    if damage == "changed":
        best.write_bytes(bytes([9]) * 40_000)
    else:
        best.unlink()
    if damage == "a link to a copy":
        best.symlink_to(bench.paths[1])
    if damage == "a copy linked there":
        os.link(bench.paths[1], best)
    report = bench.go(plan)
    assert report.moved == () and bench.told == []
    assert all("what is kept of its group cannot be relied on" in why for why in reasons(report).values())
    assert bench.photos()[-3:] == ["2.jpg", "3.jpg", "4.jpg"]


def test_what_is_kept_is_looked_at_again_when_it_changes_meanwhile(bench):
    def spoil(moved):
        bench.paths[0].write_bytes(bytes([9]) * 40_000)

    report = carry_out(bench.plan(), bench.journal, spoil)
    assert [each.item_id for each in report.moved] == [2]
    assert set(reasons(report)) == {3, 4}


def test_a_copy_that_became_another_name_of_what_is_kept_stays(bench):
    plan = bench.plan()
    content = bench.items[0].content_hash
    bench.paths[1].unlink()
    os.link(bench.paths[0], bench.paths[1])
    (first, *others) = plan.moves
    same = type(first.item)(2, first.item.uri, content, first.item.stamp, {})
    plan = type(plan)(
        plan.where_to, (type(first)(same, first.source, first.target, first.stays), *others), (), 0
    )
    report = bench.go(plan)
    assert reasons(report) == {2: f"it is the same file on disk as {bench.paths[0]}, which is kept"}


def test_nothing_is_overwritten_whoever_comes_first(bench, monkeypatch):
    """Another program takes the name after it was found to be free."""
    plan, target = bench.plan(), bench.target(2)
    made = moving._made

    def taken(path, text=""):
        if path == target and not target.exists():
            path.write_bytes(b"of another program")
        return made(path, text)

    monkeypatch.setattr(moving, "_made", taken)
    report = bench.go(plan)
    assert target.read_bytes() == b"of another program"
    assert report.moved[0].target == target.with_name("2 (2).jpg")
    assert len(report.moved) == 3
    assert len(bench.back().restored) == 3
    assert contents(bench.out) == {str(target.relative_to(bench.out)): b"of another program"}


def test_a_file_that_is_replaced_in_the_last_moment_is_put_back(bench, monkeypatch):
    replace = os.replace

    def swapped(source, target):
        if Path(source) == bench.paths[1]:
            bench.paths[1].unlink()
            bench.paths[1].write_bytes(b"new")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", swapped)
    report = bench.go()
    assert set(reasons(report)) == {2}
    assert bench.paths[1].read_bytes() == b"new"
    found = [content for name, content in contents(bench.out).items() if name.endswith("2.jpg")]
    assert found in ([], [bytes([2]) * 40_000])  # copied before, it is not lost


def test_what_cannot_be_moved_stays_and_the_others_go(bench, monkeypatch):
    replace = os.replace

    def failing(source, target):
        if bench.paths[2] == Path(source) or Path(target) == bench.target(3):
            raise OSError(errno.EIO, "Input/output error")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    report = bench.go()
    assert reasons(report) == {3: "Input/output error"}
    assert bench.photos() == ["1.jpg", "3.jpg"]
    assert len(contents(bench.out)) == 2


def test_a_failure_after_the_move_is_no_failure(bench, monkeypatch):
    monkeypatch.setattr(moving, "sync_folder", lambda _: (_ for _ in ()).throw(OSError(errno.EACCES, "no")))
    if bench.out.is_relative_to(bench.folder):
        report = bench.go()
        assert (len(report.moved), report.refused) == (3, ())
    else:  # the copy is not known to be on disk, so that the original stays
        report = bench.go()
        assert (len(report.moved), len(report.refused)) == (0, 3)
        assert contents(bench.out) == {}
        assert bench.photos() == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_who_hears_of_a_move_and_fails_is_told_again(bench):
    def fails(moved):
        raise BusyError("the collection is in use")

    with pytest.raises(BusyError):
        carry_out(bench.plan(), bench.journal, fails)
    report = bench.go()
    assert [each.item_id for each in report.settled] == [2]
    assert bench.told == [2, 3, 4]
    assert reasons(report) == {2: "its file is gone"}
    assert len(runs(bench.journal)) == 2


def test_undo_overwrites_nothing_and_takes_only_what_was_moved(bench):
    report = bench.go()
    bench.paths[1].write_bytes(b"a new one")
    bench.target(3).write_bytes(b"not what was moved")
    undone = bench.back()
    assert [each.item_id for each in undone.restored] == [4]
    assert {each.target.name: each.reason for each in undone.refused} == {
        "2.jpg": "something else lies there now",
        "3.jpg": "its content is not the one that was added; read it again with: lookalike add --afresh",
    }
    assert bench.paths[1].read_bytes() == b"a new one"
    bench.paths[1].unlink()
    assert [each.item_id for each in bench.back(run=report.run).restored] == [2]


def test_undo_names_its_runs(bench):
    with pytest.raises(NotFoundError, match="nothing was moved yet"):
        bench.back()
    assert not bench.journal.exists()
    first = bench.go().run
    other = item_of(write(bench.folder / "photos/5.jpg", b"five"), 5)
    plan = plan_removal([all_but_best(group_of(bench.items[0], other))], ToFolder(bench.out))
    second = bench.go(plan).run
    assert first != second
    with pytest.raises(NotFoundError, match=f"has no run 'x'; the last ones are {first}, {second}"):
        bench.back(run="x")
    assert [each.item_id for each in bench.back().restored] == [5]
    with pytest.raises(NotFoundError, match=f"of these runs there is something to undo: {first}"):
        bench.back()
    assert len(bench.back(run=first).restored) == 3


def test_an_undone_run_can_be_done_again(bench):
    before = contents(bench.folder / "photos")
    for _ in range(2):
        assert len(bench.go().moved) == 3
        assert len(bench.back().restored) == 3
    assert contents(bench.folder / "photos") == before
    assert contents(bench.out) == {}


def test_an_empty_plan_leaves_no_run(bench):
    plan = plan_removal([], ToFolder(bench.out))
    assert bench.go(plan).run is None
    assert not bench.journal.exists()


def test_a_journal_that_cannot_be_written_lets_nothing_be_moved(bench):
    bench.journal.mkdir()
    with pytest.raises(StorageError, match="cannot use"):
        bench.go()
    assert len(bench.photos()) == 4


def test_one_process_at_a_time(bench):
    with Journal(bench.journal), pytest.raises(BusyError, match="another process"):
        bench.go()
    assert len(bench.go().moved) == 3


def test_names_that_are_no_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/photos/\xff.jpg"
    write(tmp_path / "photos/1.jpg", b"best")
    try:
        with open(path, "wb") as file:  # noqa: PTH123  # no Path has such a name
            file.write(b"copy")
    except OSError:
        pytest.skip("this disk has no such names")
    from lookalike.sources.uris import uri_of

    best = item_of(tmp_path / "photos/1.jpg", 1)
    odd = item_of(Path(os.fsdecode(path)), 2)
    odd = type(odd)(2, uri_of(os.fsdecode(path)), odd.content_hash, odd.stamp, {})
    plan = plan_removal([all_but_best(group_of(best, odd))], ToFolder(tmp_path / "out"))
    journal = tmp_path / JOURNAL_FILE
    assert len(carry_out(plan, journal, lambda _: None).moved) == 1
    assert not os.path.lexists(path)
    assert len(undo(journal, lambda _: None).restored) == 1
    assert os.path.lexists(path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass


def test_a_full_target_takes_what_it_can_and_keeps_nothing_half(small_disk, tmp_path):
    bench = Bench(tmp_path, small_disk / "out")
    (small_disk / "ballast").write_bytes(bytes((1 << 20) - 80_000))
    report = bench.go()
    assert len(report.moved) == 1
    assert set(reasons(report).values()) == {"No space left on device"}
    assert contents(bench.out) == {str(bench.target(2).relative_to(bench.out)): bytes([2]) * 40_000}
    assert bench.photos() == ["1.jpg", "3.jpg", "4.jpg"]
    (small_disk / "ballast").unlink()
    again = plan_removal([all_but_best(group_of(bench.items[0], *bench.items[2:]))], ToFolder(bench.out))
    assert len(bench.go(again).moved) == 2


def test_a_full_disk_of_the_journal_stops_before_anything_is_moved(small_disk, tmp_path):
    bench = Bench(tmp_path, tmp_path / "out")
    bench.journal = small_disk / JOURNAL_FILE
    fill(small_disk / "ballast")
    with pytest.raises(StorageError, match=r"cannot write .*; nothing more was moved"):
        bench.go()
    assert len(bench.photos()) == 4 and bench.told == []
    (small_disk / "ballast").unlink()
    assert len(bench.go().moved) == 3
    assert len(bench.back().restored) == 3
