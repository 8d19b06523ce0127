"""Which copies go: all but the best, less what was decided to stay; and where that is noted."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from copies_helpers import contents, group_of, item_of, write

from lookalike.copies.groups import CopyGroup
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.removal import choose, journal_of, trash_copies
from lookalike.copies.undoing import undo
from lookalike.decisions import Decision, Verdict, in_order
from lookalike.engine.milvus.address import parse_address
from lookalike.errors import NotFoundError, StorageError, UsageError
from lookalike.records import FileStamp, Item

AT = "2027-01-05T09:30:00+00:00"


def item(number: int, content: str) -> Item:
    return Item(number, f"/photos/{number}.jpg", sha256(content), FileStamp(1, 0), {})


def sha256(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()


def decided(one: str, verdict: Verdict | None, other: str) -> Decision:
    return in_order(Decision(sha256(one), sha256(other), verdict, AT))


def going(found: CopyGroup, *decisions: Decision, spared=frozenset()):
    chosen = choose([found], decisions, spared)
    return [sorted(each.going) for each in chosen.choices], [each.id for each in chosen.kept]


def test_all_but_the_best_go():
    group = group_of(item(1, "a"), item(2, "b"), item(3, "c"))
    assert going(group) == ([[2, 3]], [])
    assert going(group, decided("a", "first is best", "b")) == ([[2, 3]], [])
    assert going(group, decided("b", "keep both", "elsewhere")) == ([[2, 3]], [])


def test_what_is_to_be_kept_beside_another_stays():
    group = group_of(item(1, "a"), item(2, "b"), item(3, "c"), item(4, "d"))
    assert going(group, decided("a", "keep both", "c")) == ([[2, 4]], [3])
    assert going(group, decided("c", "keep both", "d")) == ([[2]], [3, 4])
    every = [decided("a", "keep both", other) for other in "bcd"]
    assert going(group, *every) == ([], [2, 3, 4])


def test_who_keeps_both_contents_keeps_all_files_of_them():
    group = group_of(item(1, "a"), item(2, "a"), item(3, "b"))
    assert going(group, decided("a", "keep both", "b")) == ([], [2, 3])
    assert going(group_of(item(1, "a"), item(2, "a")), decided("a", "keep both", "b")) == ([[2]], [])


def test_spared_items_stay_and_were_not_decided():
    group = group_of(item(1, "a"), item(2, "b"), item(3, "c"))
    assert going(group, spared={2}) == ([[3]], [])
    assert going(group, spared={2, 3}) == ([], [])


def test_what_goes_is_told_once_and_not_where_it_stays_in_another_group():
    one, two, three, four = (item(number, str(number)) for number in range(1, 5))
    chosen = choose([group_of(one, two, three), group_of(two, three, four)], [])
    assert [each.id for each in chosen.going] == [3, 4]
    assert choose([], []).going == ()


def test_the_journal_lies_in_the_collection_or_for_milvus_in_the_users_folder(tmp_path, monkeypatch):
    assert journal_of(tmp_path) == tmp_path / JOURNAL_FILE
    monkeypatch.setattr("lookalike.copies.removal.user_data_folder", lambda _: tmp_path / "data")
    places = ["milvus://one/a", "milvus://one:19531/a", "milvus://one/b", "milvus://[::1]:19530/a"]
    journals = [journal_of(parse_address(place)) for place in places]
    assert len(set(journals)) == len(places)
    assert {each.parent for each in journals} == {tmp_path / "data" / "copies"}
    assert all(each.parent.is_dir() and ":" not in each.name and "[" not in each.name for each in journals)
    assert journal_of(parse_address("milvus://one:19530/a")) == journals[0]


def test_without_a_home_or_a_place_for_the_journal_it_says_so(tmp_path, monkeypatch):
    def homeless(instead: str) -> Path:
        raise UsageError(f"this user has no home folder, where {instead}")

    place = parse_address("milvus://one/a")
    monkeypatch.setattr("lookalike.copies.removal.user_data_folder", homeless)
    with pytest.raises(UsageError, match="no home folder, where it is noted which copies were moved"):
        journal_of(place)
    write(tmp_path / "file", b"")
    monkeypatch.setattr("lookalike.copies.removal.user_data_folder", lambda _: tmp_path / "file")
    with pytest.raises(StorageError, match="cannot make"):
        journal_of(place)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has another trash")
def test_copies_of_a_group_go_to_the_trash_and_out_of_the_collection(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    photos, journal = tmp_path / "photos", tmp_path / JOURNAL_FILE
    files = [write(photos / f"{name}.jpg", name.encode()) for name in "abcd"]
    best, *copies = [item_of(path, number) for number, path in enumerate(files, 1)]
    files[2].write_bytes(b"C")
    removed = []

    def remove(item_id: int) -> None:
        removed.append(item_id)
        raise NotFoundError("another process has removed it")

    stayed = trash_copies(group_of(best, *copies), {2, 3}, journal, remove)
    assert list(stayed) == [3] and "its content is not the one that was added" in stayed[3]
    assert removed == [2]
    assert contents(photos) == {"a.jpg": b"a", "c.jpg": b"C", "d.jpg": b"d"}
    assert [each.item_id for each in undo(journal, print).restored] == [2]
    assert contents(photos)["b.jpg"] == b"b"
    assert trash_copies(group_of(best), {1}, journal, remove) == {1: "nothing of its group would be left"}
    with pytest.raises(UsageError, match="item 9 is not in the group"):
        trash_copies(group_of(best, *copies), {9}, journal, remove)
