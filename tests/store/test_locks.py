"""Two openings of one collection in one process must not cost it the locks that other processes respect."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers import numbers
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError
from lookalike.store import Store

pytest_plugins = ["store_fixtures"]

OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from lookalike.store import Store
store = Store(Path(sys.argv[1]))
print(store.items.count())
store.close()
"""


def other_process(folder: Path) -> int:
    command = [sys.executable, "-c", OPEN_AND_CLOSE, str(folder)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def test_opening_twice_keeps_the_log_in_place(photos, watched):
    """POSIX drops a process's locks on a file when it closes any handle of it."""
    watched.add(photos / "0.png")
    Store(watched.collection.path).close()
    second = Store(watched.collection.path)
    assert other_process(watched.collection.path) == 1
    assert (watched.collection.path / "store.sqlite-wal").exists()
    assert numbers(watched.add(photos)) == {"added": 5, "unchanged": 1}
    assert other_process(watched.collection.path) == 6
    assert second.items.count() == 6
    second.close()


def test_the_connections_of_ended_threads_are_closed(photos, watched):
    watched.add(photos)
    database = watched.collection._opened.store().database
    before = len(database._opened)
    for _ in range(20):
        thread = threading.Thread(target=watched.collection.search, args=(1,))
        thread.start()
        thread.join()
    assert len(database._opened) == before


def test_a_collection_can_be_used_again_after_close(photos, watched):
    watched.add(photos)
    watched.collection.close()
    assert len(watched.collection.search(1, 3)) == 3
    with Collection(watched.collection.path, embedder=FakeEmbedder()) as again:
        assert again.info().items == 6


@pytest.mark.parametrize("item_id", [2**63, -(2**63) - 1, 10**30])
def test_an_id_beyond_64_bits_is_not_found(photos, watched, item_id):
    from lookalike import errors

    watched.add(photos)
    for ask in (watched.collection.item, watched.collection.search, watched.collection.remove):
        with pytest.raises(errors.NotFoundError):
            ask(item_id)


CLOSE_WHILE_SEARCHING = """
import sys, threading, time
from pathlib import Path
import numpy as np
from lookalike.errors import StorageError
from lookalike.store import Store
from lookalike.store.filters import Filter

errors = []

def use(store, vectors, task):
    try:
        while True:
            for n in range(50):
                task(store, vectors)
    except StorageError as error:
        errors.append(str(error))

def write(store, vectors):
    store.items.remove([10**6])

def scan(store, vectors):
    with store.scan(store.default_space(), "r") as scan:
        scan.total()

tasks = [
    lambda store, vectors: vectors.fetch([1, 2, 3]),
    lambda store, vectors: vectors.seq(),
    lambda store, vectors: list(vectors.blocks()),
    lambda store, vectors: store.items.matching([Filter("camera", "!=", "é")]),
    write,
    scan,
]
for attempt in range(40):
    store = Store(Path(sys.argv[1]))
    vectors = store.vectors(store.default_space())
    threads = [threading.Thread(target=use, args=(store, vectors, task)) for task in tasks]
    for thread in threads:
        thread.start()
    time.sleep(0.005 + attempt % 7 / 300)
    store.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
assert len(errors) == 40 * len(tasks), len(errors)
assert all("was closed" in error for error in errors), set(errors)
print("done")
"""


def test_closing_while_other_threads_search_gives_them_a_clear_error(photos, watched):
    watched.add(photos)
    command = [sys.executable, "-X", "faulthandler", "-c", CLOSE_WHILE_SEARCHING]
    command.append(str(watched.collection.path))
    ran = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, b"done\n"), ran.stderr.decode()


def test_a_closed_store_says_so(photos, watched):
    watched.add(photos)
    store = Store(watched.collection.path)
    vectors = store.vectors(store.default_space())
    store.close()
    for use in (store.spaces, vectors.seq, vectors.count, lambda: store.items.remove([1])):
        with pytest.raises(StorageError, match="was closed"):
            use()


WRITE = """
import sys
from pathlib import Path
from lookalike.store import Store
store = Store(Path(sys.argv[1]))
print("waiting", flush=True)
store.items.remove([1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_the_wait_for_the_write_lock(photos, watched):
    watched.add(photos)
    store = Store(watched.collection.path)
    with store.database.writing():
        command = [sys.executable, "-c", WRITE, str(watched.collection.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"waiting\n"
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=5)
    assert b"KeyboardInterrupt" in errors
    store.close()


def test_the_wait_for_the_write_lock_ends_with_a_clear_error(photos, watched, monkeypatch):
    watched.add(photos)
    monkeypatch.setattr("lookalike.store.database.BUSY_SECONDS", 0.6)
    stores = [Store(watched.collection.path) for _ in range(2)]
    with stores[0].database.writing():
        began = time.monotonic()
        with pytest.raises(StorageError, match="kept locked by another process"):
            stores[1].items.remove([1])
        assert 0.5 < time.monotonic() - began < 10
    assert stores[1].items.remove([1]) == 1
    for store in stores:
        store.close()


def test_a_writer_that_waits_does_not_hold_up_closing(photos, watched):
    watched.add(photos)
    stores = [Store(watched.collection.path) for _ in range(2)]
    failures: list[Exception] = []

    def write() -> None:
        try:
            stores[1].items.remove([1])
        except StorageError as error:
            failures.append(error)

    with stores[0].database.writing():
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.1)
        stores[1].close()
        thread.join(5)
        assert not thread.is_alive()
    assert "was closed" in str(failures[0])
    stores[0].close()
