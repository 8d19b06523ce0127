"""What a plan says: what would go where, and what is refused for which reason; nothing is touched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from copies_helpers import contents, group_of, item_of, write

from lookalike.copies.planning import GroupChoice, ToFolder, ToTrash, all_but_best, plan_removal
from lookalike.errors import MissingExtraError, UsageError
from lookalike.records import FileStamp, Item


@pytest.fixture
def photos(tmp_path):
    """Items 1 to 4, of which each file has another content and another length."""
    return [item_of(write(tmp_path / f"photos/{n}.jpg", b"x" * n), n) for n in range(1, 5)]


def reasons(plan):
    return {each.item.id: each.reason for each in plan.refused}


def test_copies_go_below_the_folder_under_their_own_paths(photos, tmp_path):
    best, *copies = photos
    before = contents(tmp_path)
    plan = plan_removal([all_but_best(group_of(best, *copies))], ToFolder(tmp_path / "out"))
    assert [(each.item.id, each.target) for each in plan.moves] == [
        (each.id, tmp_path / "out" / Path(each.uri).relative_to("/")) for each in copies
    ]
    assert [each.stays for each in plan.moves] == [((best,),)] * 3
    assert (plan.refused, plan.bytes_won) == ((), 2 + 3 + 4)
    assert contents(tmp_path) == before and not (tmp_path / "out").exists()


def test_a_name_that_is_taken_gets_a_number(photos, tmp_path):
    best, copy, *_ = photos
    there = write(tmp_path / "out" / Path(copy.uri).relative_to("/"), b"another one")
    plan = plan_removal([all_but_best(group_of(best, copy))], ToFolder(tmp_path / "out"))
    assert plan.moves[0].target == there.with_name("2 (2).jpg")
    there.with_name("2 (2).jpg").symlink_to("nowhere")
    plan = plan_removal([all_but_best(group_of(best, copy))], ToFolder(tmp_path / "out"))
    assert plan.moves[0].target == there.with_name("2 (3).jpg")


def test_what_stays_in_one_group_goes_from_no_other(photos, tmp_path):
    one, two, three, _ = photos
    choices = [all_but_best(group_of(one, two)), GroupChoice(group_of(one, two, three), frozenset({1, 3}))]
    plan = plan_removal(choices, ToFolder(tmp_path / "out"))
    assert [each.item.id for each in plan.moves] == [3]
    assert reasons(plan) == {2: "it is kept in another group", 1: "it is kept in another group"}


def test_an_item_that_goes_from_two_groups_goes_once_and_needs_both_kept(photos, tmp_path):
    one, two, three, _ = photos
    choices = [all_but_best(group_of(one, two)), all_but_best(group_of(three, two))]
    plan = plan_removal(choices, ToFolder(tmp_path / "out"))
    assert [(each.item.id, each.stays) for each in plan.moves] == [(2, ((one,), (three,)))]
    Path(three.uri).unlink()
    assert "cannot be relied on" in reasons(plan_removal(choices, ToFolder(tmp_path / "out")))[2]


def test_a_group_of_which_nothing_would_be_left_stays_whole(photos, tmp_path):
    one, two, *_ = photos
    plan = plan_removal([GroupChoice(group_of(one, two), frozenset({1, 2}))], ToFolder(tmp_path / "out"))
    assert reasons(plan) == dict.fromkeys((1, 2), "nothing of its group would be left")


def away(uri: str) -> Item:
    return Item(9, uri, b"9" * 32, FileStamp(5, 1), {})


@pytest.mark.parametrize(
    "uri", ["s3://bucket/a.jpg", "https://example.org/a.jpg", "/shards/a.tar#b.jpg", "a.jpg"]
)
def test_what_is_no_file_of_its_own_neither_goes_nor_is_relied_on(photos, tmp_path, uri):
    one, two, *_ = photos
    plan = plan_removal([all_but_best(group_of(one, away(uri)))], ToFolder(tmp_path / "out"))
    assert reasons(plan) == {9: "it is no file of its own on this machine"}
    plan = plan_removal([all_but_best(group_of(away(uri), two))], ToFolder(tmp_path / "out"))
    assert reasons(plan)[2].startswith("what is kept of its group is no file of its own on this machine")


def test_links_and_other_names_of_what_stays_are_refused(photos, tmp_path):
    best, linked, hard, through = photos
    for each in (linked, hard, through):
        Path(each.uri).unlink()
    Path(linked.uri).symlink_to(best.uri)
    os.link(best.uri, hard.uri)
    (tmp_path / "way").symlink_to(tmp_path / "photos")
    through = item_of(tmp_path / "way" / "1.jpg", 4)
    plan = plan_removal([all_but_best(group_of(best, linked, hard, through))], ToFolder(tmp_path / "out"))
    same = f"it is the same file on disk as {best.uri}, which is kept"
    assert reasons(plan) == {2: "it is a link", 3: same, 4: same}


def test_what_stays_must_be_there_and_no_link(photos, tmp_path):
    best, copy, other, _ = photos
    choice = all_but_best(group_of(best, copy))
    Path(best.uri).unlink()
    refused = reasons(plan_removal([choice], ToFolder(tmp_path / "out")))
    assert refused[2] == f"what is kept of its group cannot be relied on: {best.uri}: its file is gone"
    Path(best.uri).symlink_to(other.uri)
    refused = reasons(plan_removal([choice], ToFolder(tmp_path / "out")))
    assert refused[2] == f"what is kept of its group cannot be relied on: {best.uri}: it is a link"


def test_what_is_gone_has_changed_is_no_file_or_is_there_already_is_refused(photos, tmp_path):
    best, gone, changed, folder = photos
    Path(gone.uri).unlink()
    write(Path(changed.uri), b"other")
    Path(folder.uri).unlink()
    Path(folder.uri).mkdir()
    moved = item_of(write(tmp_path / "out/old.jpg", b"old"), 5)
    plan = plan_removal(
        [all_but_best(group_of(best, gone, changed, folder, moved))], ToFolder(tmp_path / "out")
    )
    assert reasons(plan) == {
        2: "its file is gone",
        3: "it has changed since it was added; read it again with: lookalike add",
        4: "it is no file",
        5: f"it lies in {tmp_path / 'out'} already",
    }


def test_what_can_be_no_plan_is_refused(photos, tmp_path, monkeypatch):
    group = group_of(*photos[:2])
    with pytest.raises(UsageError, match="item 3 is not in the group"):
        plan_removal([GroupChoice(group, frozenset({3}))], ToFolder(tmp_path / "out"))
    with pytest.raises(UsageError, match="is no folder"):
        plan_removal([all_but_best(group)], ToFolder(write(tmp_path / "file", b"")))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "send2trash", None)
    with pytest.raises(MissingExtraError, match="the trash of this system needs an optional package"):
        plan_removal([all_but_best(group)], ToTrash())


def test_hard_links_that_go_together_win_once(photos, tmp_path):
    best, copy, other, _ = photos
    Path(other.uri).unlink()
    os.link(copy.uri, other.uri)
    plan = plan_removal(
        [all_but_best(group_of(best, copy, item_of(Path(other.uri), 3)))], ToFolder(tmp_path / "out")
    )
    assert (len(plan.moves), plan.bytes_won) == (2, 2)
