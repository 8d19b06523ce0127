"""What a journal says when lines of it are damaged, cut short, or tell of what nobody saw end."""

from __future__ import annotations

from pathlib import Path

import pytest
from copies_helpers import contents, group_of, item_of, write

from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE, Journal, read_history
from lookalike.copies.planning import ToFolder, all_but_best, plan_removal
from lookalike.copies.undoing import runs, undo
from lookalike.errors import StorageError


@pytest.fixture
def moved(tmp_path):
    """Two copies that a run has moved; the folder that all of it is in."""
    items = [item_of(write(tmp_path / f"photos/{n}.jpg", b"x" * n), n) for n in (1, 2, 3)]
    plan = plan_removal([all_but_best(group_of(*items))], ToFolder(tmp_path / "out"))
    assert len(carry_out(plan, tmp_path / JOURNAL_FILE, lambda _: None).moved) == 2
    return tmp_path


def lines(folder: Path) -> list[bytes]:
    return (folder / JOURNAL_FILE).read_bytes().splitlines(keepends=True)


def put(folder: Path, given: list[bytes]) -> None:
    (folder / JOURNAL_FILE).write_bytes(b"".join(given))


def heard(folder: Path, **which):
    told: list[int] = []
    return undo(folder / JOURNAL_FILE, lambda each: told.append(each.item_id), **which), told


def test_it_tells_what_was_moved(moved):
    history = read_history(moved / JOURNAL_FILE)
    (run,) = history.runs
    assert [(move.item_id, move.source) for move in history.moved(run)] == [
        (2, moved / "photos/2.jpg"),
        (3, moved / "photos/3.jpg"),
    ]
    assert history.pending() == [] and history.damaged == 0
    assert [(each.id, each.moved) for each in runs(moved / JOURNAL_FILE)] == [(run, 2)]


@pytest.mark.parametrize("which", range(5))
def test_a_damaged_line_is_counted_and_costs_no_more_than_itself(moved, which):
    given = lines(moved)
    assert len(given) == 5  # the run, and two lines for each move
    given[which] = given[which].replace(b'"', b"'", 1)
    put(moved, given)
    assert read_history(moved / JOURNAL_FILE).damaged == 1
    if which == 0:
        return
    report, told = heard(moved)
    lost = {1: 2, 3: 3}.get(which)  # the intent is lost, and with it the way back
    assert {each.item_id for each in report.restored} == {2, 3} - {lost}
    assert "1 lines of" in report.notes[0]
    assert told == ([] if which in (1, 3) else [{2: 2, 4: 3}[which]])
    back = contents(moved / "photos")
    assert back == {f"{n}.jpg": b"x" * n for n in (1, 2, 3) if n != lost}


@pytest.mark.parametrize("change", [b"7", b"\xff", b"\n"])
def test_any_changed_byte_is_seen(moved, change):
    whole = (moved / JOURNAL_FILE).read_bytes()
    for at in range(0, len(whole) - 1, 7):
        if whole[at : at + 1] != change:
            (moved / JOURNAL_FILE).write_bytes(whole[:at] + change + whole[at + 1 :])
            assert read_history(moved / JOURNAL_FILE).damaged >= 1


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_was_cut_short_is_none_and_the_next_one_begins_anew(moved, cut):
    given = lines(moved)
    put(moved, [*given[:-1], given[-1][:-cut]])
    history = read_history(moved / JOURNAL_FILE)
    if cut > 1:  # only the end of the line is missing
        assert [move.item_id for move in history.pending()] == [3] and history.damaged == 0
    report, told = heard(moved)
    assert {each.item_id for each in report.restored} == {2, 3}
    assert told == ([3] if cut > 1 else [])
    again = read_history(moved / JOURNAL_FILE)
    assert again.pending() == [] and again.moved(report.run) == []


def test_what_is_in_neither_place_stays_open_until_it_is_found(moved):
    put(moved, lines(moved)[:-1])
    (moved / "out").rename(moved / "unplugged")
    report, told = heard_of_nothing(moved)
    assert told == [] and any("3.jpg is neither there nor at" in each for each in report.notes)
    (moved / "unplugged").rename(moved / "out")
    report, told = heard(moved)
    assert told == [3] and {each.item_id for each in report.restored} == {2, 3}


def heard_of_nothing(folder: Path):
    told: list[int] = []
    plan = plan_removal([], ToFolder(folder / "out"))
    return carry_out(plan, folder / JOURNAL_FILE, lambda each: told.append(each.item_id)), told


def test_a_file_of_another_that_took_the_place_is_not_removed(moved):
    """A move that has not ended, whose file stayed, and whose target somebody has filled since."""
    put(moved, lines(moved)[:-1])
    target = next(moved.joinpath("out").rglob("3.jpg"))
    (moved / "photos/3.jpg").write_bytes(b"xxx")  # a copy of the user's own
    report, told = heard_of_nothing(moved)
    assert target.read_bytes() == b"xxx" and (moved / "photos/3.jpg").read_bytes() == b"xxx"
    assert told == [] and report.notes == ()


def test_a_reserved_name_goes_when_the_file_itself_is_gone(moved):
    put(moved, lines(moved)[:-1])
    target = next(moved.joinpath("out").rglob("3.jpg"))
    target.write_bytes(b"")
    report, told = heard_of_nothing(moved)
    assert told == [] and not target.exists()
    assert "is neither there nor at" in report.notes[0]


def test_numbers_are_not_given_twice_after_damage(moved):
    given = lines(moved)
    given[3] = b"damaged\n"  # an intent, whose outcome is there
    put(moved, given)
    with Journal(moved / JOURNAL_FILE) as book:
        assert book.next_number() == 3


def test_what_is_no_journal_is_refused(tmp_path):
    (tmp_path / JOURNAL_FILE).mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        read_history(tmp_path / JOURNAL_FILE)
    with pytest.raises(StorageError, match="cannot use"):
        Journal(tmp_path / JOURNAL_FILE)
    with pytest.raises(StorageError, match="cannot use"):
        Journal(tmp_path / "none" / JOURNAL_FILE)
    assert runs(tmp_path / "none" / JOURNAL_FILE) == []
