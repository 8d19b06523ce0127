"""One index in use: opened once, kept in step, rebuilt in the background when it must be."""

from __future__ import annotations

import threading

from lookalike.indexing.indexer import Indexer
from lookalike.indexing.live import LiveIndex


class IndexKeeper:
    """Holds the live index of a space for all threads of a process."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer
        self._live: LiveIndex | None = None
        self._opened = False
        self._builder: threading.Thread | None = None
        self._problem: Exception | None = None
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    @property
    def is_building(self) -> bool:
        """Whether a build is under way in the background."""
        builder = self._builder
        return builder is not None and builder.is_alive()

    def live(self) -> LiveIndex | None:
        """Return the index, caught up with the store; None while one that takes long is being built."""
        with self._lock:
            if not self._opened:
                self._live, self._opened = self._indexer.open(), True
            live = self._live
            needed = live is None or live.needs_rebuild or live.needs_measuring
            if needed and self._builder is None and self._problem is None:
                self._builder = threading.Thread(target=self._build, args=(live,), name="build index")
                self._builder.start()
        if live is not None:
            live.catch_up(self._indexer.vectors)
        return live

    def refresh(self) -> None:
        """Bring the index up to date before returning."""
        with self._refreshing:  # two threads that have added need not build twice
            self.wait()
            with self._lock:
                live = self._live
            fresh = self._indexer.refresh(live or self._indexer.open())
            with self._lock:
                self._live, self._opened = fresh, True

    def wait(self) -> Exception | None:
        """Return when no build is under way: what went wrong with the last one, or None."""
        builder = self._builder
        if builder is not None:
            builder.join()
        return self._problem

    def _build(self, live: LiveIndex | None) -> None:
        built = None
        try:
            is_worn = live is None or live.needs_rebuild
            built = self._indexer.build() if is_worn else self._indexer.refresh(live)
        except Exception as error:  # a full disk, say: answers stay exact, and the next process tries again
            self._problem = error
        with self._lock:
            self._live, self._builder = built or self._live, None
