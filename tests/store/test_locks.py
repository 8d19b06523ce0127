"""Two openings of one collection in one process must not cost it the locks that other processes respect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers import numbers
from lookalike import Collection
from lookalike.embed.fake import FakeEmbedder
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
    import threading

    watched.add(photos)
    database = watched.collection._store.database
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
