"""A caller with little time waits no longer for others, whoever holds it up, and nothing is left waiting."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

from lookalike.errors import BusyError
from lookalike.store import Store
from lookalike.store.busy import waiting_at_most

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(fake_collection, make_photo, tmp_path):
    make_photo(tmp_path / "photos" / "a.png", 1)
    fake_collection.add(tmp_path / "photos")
    store = Store(fake_collection.path)
    yield store
    store.close()


@contextmanager
def another_process(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()
        process.wait()


@contextmanager
def another_connection(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def another_thread(path, store):
    """Another thread of this process, in the middle of a write over the connection that all share."""
    begun, go_on = threading.Event(), threading.Event()

    def write():
        with store.database.writing():
            begun.set()
            go_on.wait()

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


@pytest.mark.parametrize("holder", ["process", "connection", "thread"])
def test_a_write_that_cannot_be_had_in_time_is_refused_and_had_afterwards(store, holder):
    path = store.database.path
    holding = {
        "process": lambda: another_process(path),
        "connection": lambda: another_connection(path),
        "thread": lambda: another_thread(path, store),
    }
    with holding[holder]():
        for seconds in (0, 0.3):
            with waiting_at_most(seconds), pytest.raises(BusyError, match="try again"):
                store.items.remove([1])
        assert store.items.count() == 1  # reading needs nobody's leave
    with waiting_at_most(0.3):
        assert store.items.remove([1]) == 1


def test_the_limit_holds_for_its_block_and_thread_only(store):
    outcomes = []
    with another_connection(store.database.path):
        with waiting_at_most(0), pytest.raises(BusyError):
            store.items.remove([1])
        patient = threading.Thread(target=lambda: outcomes.append(store.items.remove([1])))
        with waiting_at_most(0):
            patient.start()
            patient.join(0.5)
        assert patient.is_alive()
    patient.join(30)
    assert outcomes == [1]
