"""Rescues beside others: repairs at once, open servers and adds, files that were replaced under somebody."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers import CountingDecoder, execute, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError
from lookalike.store.lock import CollectionLock, rescue_lock

pytest_plugins = ["store_fixtures"]

REPAIR = """
import sys
sys.path.insert(0, sys.argv[2])
from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import LookalikeError

with Collection(sys.argv[1], embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
    try:
        print("sound", collection.verify(repair=True).sound)
    except LookalikeError as error:
        print(type(error).__name__, error)
"""
NEEDS_RESCUE = "INSERT INTO removals VALUES (1, 5)"


def opened(folder: Path) -> Collection:
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.fixture
def broken(photos, watched):
    """A collection of six photos that must be rescued."""
    watched.add(photos)
    watched.collection.close()
    execute(watched.collection.path, NEEDS_RESCUE)
    return watched.collection.path


@pytest.mark.parametrize("many", [2, 4])
def test_repairs_at_once_lose_nothing(broken, many):
    command = [sys.executable, "-c", REPAIR, str(broken), str(Path(__file__).parents[1])]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(many)]
    told = [each.communicate(timeout=120)[0].strip() for each in running]
    assert {each.returncode for each in running} == {0}
    assert all(
        each == "sound True" or "needs it for itself" in each or "being repaired" in each for each in told
    )
    with opened(broken) as collection:
        assert collection.verify(repair=True).sound
        assert len(rows_of(collection)) == 6
        assert len(collection.search(1, 5)) == 5


def test_a_rescue_is_refused_while_somebody_has_the_collection_open(broken, photos, make_photo):
    with opened(broken) as server:
        assert len(server.search(1, 5)) == 5
        with opened(broken) as other, pytest.raises(StorageError, match="needs it for itself"):
            other.verify(repair=True)
        make_photo(photos / "late.png", 77)
        assert server.add(photos).added == 1  # what it acknowledges
    with opened(broken) as collection:
        assert collection.verify(repair=True).sound
        assert len(rows_of(collection)) == 7  # is there afterwards


def test_what_needs_no_rescue_is_repaired_beside_others(photos, watched):
    watched.add(photos)
    execute(watched.collection.path, "UPDATE vectors_1 SET checksum = 0 WHERE item_id = 3")
    with opened(watched.collection.path) as other:
        assert other.verify(repair=True).sound
    assert len(watched.collection.search(1, 6)) == 5


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "removed"])
def test_whoever_holds_a_file_that_is_gone_acknowledges_nothing(photos, watched, make_photo, replaced):
    watched.add(photos)
    store = watched.collection.path / "store.sqlite"
    moved = store.rename(store.with_name("aside"))
    if replaced:
        shutil.copyfile(moved, store)
    make_photo(photos / "late.png", 77)
    for act in (
        lambda: watched.add(photos),
        lambda: watched.collection.vote("item:1", 2, 1),
        lambda: watched.collection.remove(1),
        lambda: watched.collection.search(1, 3),
    ):
        with pytest.raises(StorageError, match=r"was replaced|was removed"):
            act()


def test_a_lock_is_shared_until_somebody_needs_it_alone(tmp_path):
    one = CollectionLock(tmp_path)
    assert one.alone
    one.share()
    two = CollectionLock(tmp_path)
    assert not two.alone
    with pytest.raises(StorageError, match="needs it for itself"):
        rescue_lock(tmp_path)
    one.close()
    two.close()
    alone = rescue_lock(tmp_path)
    waited = threading.Timer(0.3, alone.close)
    waited.start()
    CollectionLock(tmp_path).close()  # waits for the rescue to end
    waited.join()


def test_opening_during_a_long_rescue_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("lookalike.store.lock._WAIT_SECONDS", 0.1)
    alone = rescue_lock(tmp_path)
    with pytest.raises(StorageError, match="being repaired by another process"):
        CollectionLock(tmp_path)
    alone.close()


def test_leftovers_of_killed_processes_are_cleared_by_who_comes_alone(photos, watched):
    watched.add(photos)
    folder = watched.collection.path
    left = [folder / name for name in ("store.sqlite.1-2.new", ".new-thing", "store.rescue.new")]
    left.append(folder / "index" / "fake.ivf.1-2.new")
    left[-1].parent.mkdir(exist_ok=True)
    for each in left:
        each.write_bytes(b"half")
    with opened(folder) as beside:  # somebody else may be writing them
        assert beside.info().items == 6
    assert all(each.exists() for each in left)
    watched.collection.close()
    with opened(folder) as alone:
        assert alone.info().items == 6
    assert not any(each.exists() for each in left)


def test_a_store_that_is_no_database_any_more_is_refused_and_kept(photos, watched):
    watched.add(photos)
    watched.collection.close()
    store = watched.collection.path / "store.sqlite"
    store.write_bytes(b"no database" * 1000)
    with opened(watched.collection.path) as collection, pytest.raises(Exception, match=r"store\.sqlite"):
        collection.verify(repair=True)
    assert store.read_bytes() == b"no database" * 1000
