"""One index for all threads: opened once, rebuilt in the background, a failed build costs no answer."""

import threading

import numpy as np
import pytest

from lookalike.errors import StorageError
from lookalike.index.exact import ExactIndex
from lookalike.indexing.keeper import IndexKeeper
from lookalike.indexing.live import LiveIndex


class FakeVectors:
    """A store whose clock stands still."""

    def seq(self):
        return 0


class FakeIndexer:
    """Counts what is asked of it; `build` waits until it is let go."""

    def __init__(self, live=None, problem=None):
        self.vectors = FakeVectors()
        self.opened = self.built = 0
        self.let_go = threading.Event()
        self._live, self._problem = live, problem

    def open(self):
        self.opened += 1
        return self._live

    def build(self):
        self.let_go.wait(10)
        self.built += 1
        if self._problem:
            raise self._problem
        return live()

    def refresh(self, live):
        return live or self.build()


def live(changed=0):
    index = ExactIndex(2)
    index.add(np.arange(3), np.eye(3, 2, dtype=np.float32))
    return LiveIndex(index, 0, 3, changed)


def test_what_is_ready_is_opened_once():
    indexer = FakeIndexer(live())
    keeper = IndexKeeper(indexer)
    assert keeper.live() is keeper.live()
    assert (indexer.opened, indexer.built, keeper.is_building) == (1, 0, False)


def test_what_is_missing_is_built_once_in_the_background():
    indexer = FakeIndexer()
    keeper = IndexKeeper(indexer)
    assert [keeper.live() for _ in range(5)] == [None] * 5
    assert keeper.is_building
    indexer.let_go.set()
    assert keeper.wait() is None
    assert isinstance(keeper.live(), LiveIndex)
    assert (indexer.built, keeper.is_building) == (1, False)


def test_a_build_that_fails_is_told_and_not_tried_again():
    indexer = FakeIndexer(problem=StorageError("the disk is full"))
    indexer.let_go.set()
    keeper = IndexKeeper(indexer)
    assert keeper.live() is None
    assert str(keeper.wait()) == "the disk is full"
    assert keeper.live() is None
    assert indexer.built == 1


def test_a_refresh_waits_for_the_build_under_way():
    indexer = FakeIndexer()
    keeper = IndexKeeper(indexer)
    keeper.live()
    threading.Timer(0.05, indexer.let_go.set).start()
    keeper.refresh()
    assert indexer.built == 1
    assert isinstance(keeper.live(), LiveIndex)


@pytest.mark.parametrize("threads", [8])
def test_many_threads_share_one_build(threads):
    indexer = FakeIndexer()
    keeper = IndexKeeper(indexer)
    workers = [threading.Thread(target=keeper.live) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    indexer.let_go.set()
    keeper.wait()
    assert (indexer.opened, indexer.built) == (1, 1)


def test_what_others_added_is_measured_in_the_background():
    class Worn(LiveIndex):
        needs_measuring = True

    index = ExactIndex(2)
    index.add(np.arange(3), np.eye(3, 2, dtype=np.float32))
    indexer = FakeIndexer(Worn(index, 0, 3))
    measured = live()
    refreshed = []
    indexer.refresh = lambda given: refreshed.append(given) or measured
    keeper = IndexKeeper(indexer)
    first = keeper.live()
    assert keeper.wait() is None
    assert refreshed == [first] and keeper.live() is measured
    assert indexer.built == 0
