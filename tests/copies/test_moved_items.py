"""Copies that are moved away leave their collection, come back with the next `add`, and stay decided."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from copies_helpers import group_of

from helpers import Watched
from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.planning import ToFolder, all_but_best, plan_removal
from lookalike.copies.undoing import undo
from lookalike.decisions import Decision
from lookalike.errors import NotFoundError

pytest_plugins = ["store_fixtures"]


@pytest.fixture
def watched(tmp_path, make_photo) -> Watched:
    for seed in range(6):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    watched = Watched(tmp_path / "photos.lookalike")
    watched.add(tmp_path / "photos")
    yield watched
    watched.collection.close()


def test_items_go_with_their_files_and_come_back(watched, tmp_path):
    collection, journal = watched.collection, watched.collection.path / JOURNAL_FILE
    best, *copies = collection.items()[:3]
    given = Decision(
        *sorted((best.content_hash, copies[0].content_hash)), "keep both", "2027-01-05T09:30:00+00:00"
    )
    collection.decide([given])

    def forget(moved):
        with suppress(NotFoundError):
            collection.remove(moved.item_id)

    plan = plan_removal([all_but_best(group_of(best, *copies))], ToFolder(tmp_path / "out"))
    report = carry_out(plan, journal, forget)
    assert [each.item_id for each in report.moved] == [each.id for each in copies]
    assert {item.id for item in collection} == {item.id for item in collection.items()} == {1, 4, 5, 6}
    assert collection.verify(files=True).sound
    assert undo(journal, forget).refused == ()
    assert watched.add(tmp_path / "photos").added == 2
    assert {item.content_hash for item in collection} >= {each.content_hash for each in copies}
    assert collection.decisions() == [given]
    assert Path(copies[0].uri).exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has another trash")
def test_a_collection_trashes_members_of_a_group(watched, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    collection = watched.collection
    best, *copies = collection.items()[:3]
    Path(copies[1].uri).unlink()
    stayed = collection.trash_copies(group_of(best, *copies), {each.id for each in copies})
    assert stayed == {copies[1].id: "its file is gone"}
    assert [item.id for item in collection.items()] == [1, 3, 4, 5, 6]
    assert not Path(copies[0].uri).exists() and Path(best.uri).exists()
    report = undo(collection.path / JOURNAL_FILE, lambda _: None)
    assert [each.uri for each in report.restored] == [copies[0].uri]
    assert Path(copies[0].uri).exists()
