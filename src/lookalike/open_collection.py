"""The parts of a collection while it is open: made when they are needed, shared by all threads."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lookalike.decode.pool import DecodePool
from lookalike.embed import (
    COMPANION,
    CompanionEmbedder,
    Embedder,
    PairedEmbedder,
    TextEmbedder,
    WordsEmbedder,
)
from lookalike.errors import LookalikeError, ModelMismatchError, NotFoundError, UsageError
from lookalike.indexing.indexer import Indexer
from lookalike.indexing.keeper import IndexKeeper
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL
from lookalike.records import Kind, OnStep, Space
from lookalike.search.background import Background
from lookalike.store import Store
from lookalike.store.store import STORE_FILE, check_model
from lookalike.store.vectors import SpaceVectors

AnyEmbedder = Embedder | TextEmbedder


@dataclass(frozen=True, slots=True)
class OpenSpace:
    """One space of an open collection, for who reads its vectors: evaluation, export."""

    store: Store
    space: Space
    vectors: SpaceVectors
    indexer: Indexer


_Key = tuple[int, str]


def _key(space: Space) -> _Key:
    """Tell a space from one that was dropped and left its number to it."""
    return space.id, space.model_id


class Wiring:
    """Store, decoder, embedders, indexes and backgrounds of the collection at `path`.

    After `release` everything is opened anew on the next use, and so it is in a forked process.
    """

    def __init__(
        self,
        path: Path,
        model: str | None,
        embedder: AnyEmbedder | None,
        decoder: DecodePool | None,
        device: str = "auto",
    ) -> None:
        self.path = path
        self.decoder = decoder or DecodePool()
        self._model = model
        self._device = device
        self._embedder_given = embedder
        self._embedders: dict[str, AnyEmbedder] = {}
        self._store: Store | None = None
        self._keepers: dict[_Key, IndexKeeper] = {}
        self._backgrounds: dict[_Key, Background] = {}
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

    def kind(self) -> Kind | None:
        """Return what the collection holds; None while there is none or nothing was added."""
        space = self._default_space()
        return space.kind if space else None

    @property
    def given_kind(self) -> Kind | None:
        """What the embedder that was handed in embeds; None where none was."""
        return self._embedder_given.spec.kind if self._embedder_given is not None else None

    def main_embedder(self, kind: Kind, on_step: OnStep | None = None) -> AnyEmbedder:
        """Return what embeds the items that are added: of the default space, or for a new collection.

        Raises `ModelMismatchError` where another model is wanted than the collection has, `UsageError` for an
        unknown model or one of the other kind. Nothing is made.
        """
        space = self._default_space()
        if self._embedder_given is not None:
            wanted: str | None = self._embedder_given.spec.name
            embedder = self._embedder_given
        elif space is None or self._model is not None:
            default = DEFAULT_TEXT_MODEL if kind == "text" else DEFAULT_MODEL
            wanted = self._model or (space.reference if space else default)
            embedder = self.loaded(wanted, on_step)
            wanted = embedder.spec.name
        else:
            return self.embedder_of(space)
        if embedder.spec.kind != kind:
            raise ModelMismatchError(f"the model {wanted} embeds {embedder.spec.kind}s, not {kind}s")
        if space is not None and wanted != space.name:
            raise ModelMismatchError(
                f"{self.path} was made with the model {space.name}, not {wanted}; to bring in a second one: "
                f"lookalike models add {wanted}"
            )
        return embedder

    def _default_space(self) -> Space | None:
        """Return the default space; None where there is no collection, or no more than its empty file."""
        file = self.path / STORE_FILE
        if self._store is None and not (file.exists() and file.stat().st_size):
            return None
        return self.store().default_space()

    def space(self, store: Store, name: str | None = None, *, words: bool = False) -> Space:
        """Return the space of a name, or the default one; for words, the first that takes them.

        Raises `NotFoundError`, `UsageError` where no space takes words.
        """
        default = store.default_space()
        if default is None or store.items.is_empty():
            raise NotFoundError(f"{self.path} is empty; bring photos in with: lookalike add FOLDER")
        spaces = {space.name: space for space in store.spaces()}
        if name is not None and name not in spaces:
            raise NotFoundError(f"no space named {name!r}; there are {', '.join(spaces)}")
        if name is not None or not words:
            return spaces[name] if name is not None else default
        taking = [space for space in (default, *spaces.values()) if self.takes_words(space)]
        if not taking:
            raise UsageError(
                f"no model of {self.path} takes words; run lookalike add once to fill in the space for them, "
                "or bring one in: lookalike models"
            )
        return taking[0]

    def open_space(self, name: str | None = None) -> OpenSpace:
        """Return the space of a name, or the default one, opened; raises what `space` raises."""
        store = self.store()
        space = self.space(store, name)
        vectors = store.vectors(space)
        return OpenSpace(store, space, vectors, Indexer(self.path, space, vectors))

    def companion_of(self, store: Store, embedder: AnyEmbedder, *, create: bool = False) -> Space | None:
        """Return the second space that a `PairedEmbedder` fills, making it where asked to."""
        if not isinstance(embedder, PairedEmbedder):
            return None
        return (self.ensure_space if create else self.find_space)(store, embedder.companion)

    def ensure_space(self, store: Store, embedder: AnyEmbedder | CompanionEmbedder) -> Space:
        """Return the space of an embedder, making it where it is missing."""
        spec = embedder.spec
        return store.ensure_space(
            spec.name, spec.model_id, spec.dim, kind=spec.kind, reference=spec.reference
        )

    def find_space(self, store: Store, embedder: AnyEmbedder | CompanionEmbedder) -> Space | None:
        """Return the space of an embedder if there is one."""
        return next((space for space in store.spaces() if space.name == embedder.spec.name), None)

    def loaded(self, reference: str, on_step: OnStep | None = None) -> AnyEmbedder:
        """Return what runs a model: a bundled name, a repository or a folder (see `records.Space`).

        `on_step("fetching the model", done, total)` hears of bytes where it is fetched.
        """
        with self._lock:
            if reference.startswith(COMPANION):
                photos = self.loaded(reference.removeprefix(COMPANION))
                assert isinstance(photos, PairedEmbedder)  # its reference says so
                return photos.companion
            if reference not in self._embedders:
                from lookalike.embed.load import load_embedder  # ONNX Runtime is slow to import

                heard = partial(on_step, "fetching the model") if on_step else None
                self._embedders[reference] = load_embedder(reference, self._device, on_progress=heard)
            return self._embedders[reference]

    def embedder_of(self, space: Space) -> AnyEmbedder:
        """Return what runs the model of a space; raises `ModelMismatchError` if that is another now."""
        embedder = self._given_for(space)
        if embedder is None and not space.reference:
            raise UsageError(
                f"the vectors of {space.name} were imported without their model: search by items, or import "
                "them again with --model"
            )
        embedder = embedder or self.loaded(space.reference)
        check_model(self.path, space, embedder.spec.model_id, embedder.spec.dim)
        return embedder

    def _given_for(self, space: Space) -> AnyEmbedder | None:
        given = self._embedder_given
        if given is not None and isinstance(given, PairedEmbedder) and space.reference.startswith(COMPANION):
            return given.companion
        if given is not None and (given.spec.name == space.name or not space.reference):
            return given
        return None

    def takes_words(self, space: Space) -> bool:
        """Whether a space can be searched by words."""
        given = self._given_for(space)
        if given is not None:
            return isinstance(given, WordsEmbedder)
        if not space.reference or space.kind == "text" or space.reference.startswith(COMPANION):
            return bool(space.reference)
        from lookalike.models.find import find_model

        try:
            record = find_model(space.reference, cached_only=True)
        except LookalikeError:  # its files are gone: searching says so
            return False
        return record.text is not None

    def keepers(self) -> list[IndexKeeper]:
        """Return the indexes in use."""
        return list(self._keepers.values())

    def index_keeper(self, store: Store, space: Space) -> IndexKeeper:
        """Return the index of a space."""
        with self._lock:
            if _key(space) in self._keepers and self._store is store:
                return self._keepers[_key(space)]
            keeper = IndexKeeper(Indexer(self.path, space, store.vectors(space)))
            if self._store is store:  # else it was closed meanwhile, and its keeper must not outlive it
                self._keepers[_key(space)] = keeper
            return keeper

    def background(self, store: Store, space: Space) -> Background:
        """Return the background of a space."""
        with self._lock:
            if self._store is not store:
                return Background(store.vectors(space))
            return self._backgrounds.setdefault(_key(space), Background(store.vectors(space)))

    def forget_space(self, space: Space) -> None:
        """Drop what was opened for a space that is no more, and its index."""
        with self._lock:
            self._keepers.pop(_key(space), None)
            self._backgrounds.pop(_key(space), None)
        Indexer(self.path, space, self.store().vectors(space)).path.unlink(missing_ok=True)

    def refresh_index(self) -> None:
        """Bring the indexes of all spaces up to date, building them where needed."""
        store = self.store()
        for space in store.spaces():
            self.index_keeper(store, space).refresh()

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
