"""The parts of a collection while it is open: made when they are needed, shared by all threads."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from lookalike.background import Background
from lookalike.decode.pool import DecodePool
from lookalike.embed import Embedder, WordsEmbedder
from lookalike.errors import ModelMismatchError, NotFoundError
from lookalike.index_keeper import IndexKeeper
from lookalike.indexing import Indexer
from lookalike.models import DEFAULT_MODEL, load_bundled
from lookalike.records import Space
from lookalike.store import Store
from lookalike.store.store import check_model


class Wiring:
    """Store, decoder, embedders, indexes and backgrounds of the collection at `path`.

    After `release` everything is opened anew on the next use, and so it is in a forked process.
    """

    def __init__(
        self, path: Path, model: str | None, embedder: Embedder | None, decoder: DecodePool | None
    ) -> None:
        self.path = path
        self.decoder = decoder or DecodePool()
        self._model = model
        self._embedder_given = embedder
        self._embedders: dict[str, Embedder] = {}
        self._store: Store | None = None
        self._keepers: dict[int, IndexKeeper] = {}
        self._backgrounds: dict[int, Background] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._left_behind: list[object] = []

    def store(self, *, create: bool = False) -> Store:
        """Return the open store; raises what `Store` raises."""
        if self._process != os.getpid():
            self._start_over()
        with self._lock:
            if self._store is None:
                self._store = Store(self.path, create=create)
            return self._store

    def release(self, *, wait: bool = True) -> None:
        """Let go of the files, after a build under way; without `wait` that ends for want of them."""
        for keeper in self.keepers() if wait else ():
            keeper.wait()
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store, self._keepers, self._backgrounds = None, {}, {}

    def check_writable(self) -> None:
        """Raise `StorageError` where the store is open and nothing can be written to it."""
        if self._store is not None:
            self._store.database.check_writable()

    def check_model_name(self) -> None:
        """Refuse an unknown model before anything is made."""
        if self._model is not None:
            load_bundled(self._model)

    def space_name(self, store: Store) -> str:
        """Return the name of the space that photos are added to; raises `ModelMismatchError`."""
        space = store.default_space()
        wanted = self._embedder_given.spec.name if self._embedder_given else self._model
        if space is not None and wanted not in (None, space.name):
            raise ModelMismatchError(f"{self.path} was made with the model {space.name}, not {wanted}")
        return space.name if space else wanted or DEFAULT_MODEL

    def space(self, store: Store, name: str | None = None) -> Space:
        """Return the space of a name, or the default one; raises `NotFoundError`."""
        default = store.default_space()
        if default is None or store.items.is_empty():
            raise NotFoundError(f"{self.path} is empty; bring photos in with: lookalike add FOLDER")
        if name is None:
            return default
        spaces = {space.name: space for space in store.spaces()}
        if name not in spaces:
            raise NotFoundError(f"no space named {name!r}; there are {', '.join(spaces)}")
        return spaces[name]

    def embedder(self, name: str) -> Embedder:
        """Return what runs the model of a name."""
        if self._embedder_given is not None:
            return self._embedder_given
        with self._lock:
            if name not in self._embedders:
                from lookalike.decode.processes import cpu_count
                from lookalike.embed.onnx import OnnxEmbedder  # ONNX Runtime is slow to import

                self._embedders[name] = OnnxEmbedder(load_bundled(name), threads=cpu_count())
            return self._embedders[name]

    def embedder_of(self, space: Space) -> Embedder:
        """Return what runs the model of a space; raises `ModelMismatchError` if that is another now."""
        embedder = self.embedder(space.name)
        check_model(self.path, space, embedder.spec.model_id, embedder.spec.dim)
        return embedder

    def takes_words(self, _: Space) -> bool:
        """Whether a space can be searched by words."""
        return isinstance(self._embedder_given, WordsEmbedder)

    def keepers(self) -> list[IndexKeeper]:
        """Return the indexes in use."""
        return list(self._keepers.values())

    def index_keeper(self, store: Store, space: Space) -> IndexKeeper:
        """Return the index of a space."""
        with self._lock:
            if space.id in self._keepers and self._store is store:
                return self._keepers[space.id]
            keeper = IndexKeeper(Indexer(self.path, space, store.vectors(space)))
            if self._store is store:  # else it was closed meanwhile, and its keeper must not outlive it
                self._keepers[space.id] = keeper
            return keeper

    def background(self, store: Store, space: Space) -> Background:
        """Return the background of a space."""
        with self._lock:
            if self._store is not store:
                return Background(store.vectors(space))
            return self._backgrounds.setdefault(space.id, Background(store.vectors(space)))

    def refresh_index(self) -> None:
        """Bring the index of the default space up to date, building it where needed."""
        store = self.store()
        self.index_keeper(store, self.space(store)).refresh()

    def forget_indexes(self) -> None:
        """Drop every index, in memory and on disk: they are caches of what is about to be repaired."""
        for file in (self.path / "index").glob("*.ivf"):
            file.unlink(missing_ok=True)
        with self._lock:
            self._keepers = {}

    def _start_over(self) -> None:
        """Open everything anew in a forked process: threads and connections stayed with its parent.

        What the parent uses is kept untouched; to close it here could disturb it there.
        """
        self._left_behind += [self._store, self._keepers, self._embedders]
        self._store, self._keepers, self._backgrounds, self._embedders = None, {}, {}, {}
        self._lock = threading.RLock()
        self._process = os.getpid()
