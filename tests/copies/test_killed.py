"""Killed at every step: each file is in one place, whole; the journal says where; and all of it goes on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from copies_helpers import contents, group_of, item_of

from lookalike.copies import trash
from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE, read_history
from lookalike.copies.journaled import MovedFile
from lookalike.copies.planning import ToFolder, ToTrash, all_but_best, plan_removal
from lookalike.copies.undoing import runs, undo
from lookalike.errors import NotFoundError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="forks, and moves to the trash of Linux"),
]

DRIVER = Path(__file__).with_name("kill_driver.py")
COUNT = 3
PHOTOS = {f"{number}.jpg": bytes([number]) * 3_000 for number in range(1, COUNT + 2)}


@pytest.fixture(params=["one disk", "two disks"])
def disks(request, tmp_path):
    """Where the photos and the journal are, and the disk that copies go to."""
    other = request.getfixturevalue("other_disk") if request.param == "two disks" else tmp_path / "other"
    return tmp_path / "work", other


def killed_folders(disks, what):
    """Run the driver; yield the folders of both ends for each step at which it was killed."""
    work, other = disks
    run = subprocess.run(
        [sys.executable, str(DRIVER), str(work), str(other), what],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    steps = int(run.stdout.split()[-1])
    assert steps > COUNT * 6
    for step in range(1, steps + 1):
        yield work / str(step), other / str(step)


def whole_files(*folders: Path) -> Counter[bytes]:
    return Counter(content for folder in folders for content in contents(folder).values())


def check_one_place(work: Path, other: Path, across: bool) -> None:
    """Right after the kill nothing is lost, and what was not on its way across is there once."""
    found = whole_files(work / "photos", other)
    for content in PHOTOS.values():
        assert 1 <= found[content] <= 1 + across


def check_settled(work: Path, other: Path) -> None:
    """Each file is in one place, nothing half is left, and the journal has them where they are."""
    found = whole_files(work / "photos", other)
    assert all(found[content] == 1 for content in PHOTOS.values())
    left = {name: content for name, content in contents(other).items() if not name.endswith(".trashinfo")}
    assert all(content in PHOTOS.values() for content in left.values()), left
    history = read_history(work / JOURNAL_FILE)
    assert history.pending() == []
    away = {move.source: move.target for run in history.runs for move in history.moved(run)}
    assert all(target.read_bytes() == PHOTOS[source.name] for source, target in away.items())
    assert {path.name for path in (work / "photos").iterdir()} == set(PHOTOS) - {path.name for path in away}
    notes = sum(name.endswith(".trashinfo") for name in contents(other))
    assert notes in (0, len(away))


def told(work: Path) -> set[int]:
    path = work / "told"
    return {int(line) for line in path.read_text().split()} if path.exists() else set()


@pytest.mark.parametrize("what", ["folder", "trash"])
def test_moving_away(disks, what, monkeypatch):
    monkeypatch.setattr(trash, "_trashes_of", lambda _: [])
    for work, other in killed_folders(disks, what):
        monkeypatch.setenv("XDG_DATA_HOME", str(other / "data"))
        check_one_place(work, other, across=work.stat().st_dev != other.parent.stat().st_dev)
        where_to = ToTrash() if what == "trash" else ToFolder(other / "out")
        heard = told(work)
        settled = carry_out(plan_removal([], where_to), work / JOURNAL_FILE, lambda _: None).settled
        heard |= {each.item_id for each in settled}
        if (work / JOURNAL_FILE).exists():
            check_settled(work, other)
        gone = {number for number in range(1, COUNT + 2) if not (work / "photos" / f"{number}.jpg").exists()}
        assert heard == gone  # the items of all files that are away have left the collection

        items = [item_of(path, int(path.stem)) for path in sorted((work / "photos").iterdir())]
        plan = plan_removal([all_but_best(group_of(*items))], where_to)
        assert carry_out(plan, work / JOURNAL_FILE, lambda _: None).refused == ()
        check_settled(work, other)
        assert [path.name for path in (work / "photos").iterdir()] == ["1.jpg"]
        for run in [each.id for each in runs(work / JOURNAL_FILE) if each.moved]:
            assert undo(work / JOURNAL_FILE, lambda _: None, run=run).refused == ()
        assert contents(work / "photos") == PHOTOS
        assert contents(other) == {}


def test_moving_back(disks):
    for work, other in killed_folders(disks, "undo"):
        check_one_place(work, other, across=work.stat().st_dev != other.parent.stat().st_dev)
        assert told(work) == {2, 3, 4}
        again: list[MovedFile] = []
        with suppress(NotFoundError):  # it was killed after the last one
            assert undo(work / JOURNAL_FILE, again.append).refused == ()
        check_settled(work, other)
        assert again == []  # what comes back is told to nobody
        assert contents(work / "photos") == PHOTOS
        assert contents(other) == {}
