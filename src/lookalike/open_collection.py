"""The parts of a collection while it is open: made when they are needed, shared by all threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.decode.pool import DecodePool
from lookalike.durable import remove_file
from lookalike.embedders import COMPANION, CompanionEmbedder, PairedEmbedder
from lookalike.embedders.known import KnownShares, all_known, known_shares
from lookalike.embedders.loaded import AnyEmbedder, LoadedEmbedders
from lookalike.engine.local import LocalEngine
from lookalike.engine.protocol import Engine, EngineItems, EngineVectors
from lookalike.engine.writing import ItemStore
from lookalike.errors import LookalikeError, ModelMismatchError, NotFoundError, UsageError
from lookalike.indexing.indexer import Indexer
from lookalike.models import CHOICES, DEFAULT_MODEL, DEFAULT_TEXT_MODEL
from lookalike.places import Place, open_place
from lookalike.records import Kind, OnStep, Space
from lookalike.search.background import Background
from lookalike.store.discard import discard_empty
from lookalike.store.store import STORE_FILE, check_model


@dataclass(frozen=True, slots=True)
class OpenSpace:
    """One space of an open collection, for who reads its items, vectors and index: evaluation."""

    engine: Engine
    space: Space

    @property
    def items(self) -> EngineItems:
        """The items."""
        return self.engine.items

    @property
    def vectors(self) -> EngineVectors:
        """The vectors."""
        return self.engine.vectors(self.space)

    @property
    def indexer(self) -> Indexer:
        """What opens and builds the index; raises `UsageError` where the engine keeps that to itself."""
        if not isinstance(self.engine, LocalEngine):
            raise UsageError("other indexes are tried on collections in folders only; Milvus has its own")
        return self.engine.indexer(self.space)


class OpenCollection:
    """Engine, decoder, embedders and backgrounds of the collection at `path`.

    After `release` everything is opened anew on the next use, and so it is in a forked process.
    """

    def __init__(
        self,
        path: Place,
        model: str | None,
        embedder: AnyEmbedder | None,
        decoder: DecodePool | None,
        device: str = "auto",
    ) -> None:
        self.path = path
        self.decoder = decoder or DecodePool()
        self.embedders = LoadedEmbedders(embedder, device, model)
        self._model = model
        self._device = device
        self._engine: Engine | None = None
        self._store: ItemStore | None = None
        self._backgrounds: dict[tuple[int, str], Background] = {}
        self._filled: dict[tuple[int, str], tuple[int, bool]] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._left_behind: list[object] = []

    def engine(self, *, create: bool = False) -> Engine:
        """Return the open engine; raises what `Store` raises, or for Milvus what `MilvusEngine` does."""
        if self._process != os.getpid():
            self._start_over()
        with self._lock:
            if self._engine is None:
                self._engine, self._store = open_place(self.path, create=create)
            return self._engine

    def store(self, *, create: bool = False) -> ItemStore:
        """Return what takes items and vectors."""
        self.engine(create=create)
        assert self._store is not None  # it came with the engine
        return self._store

    def local_engine(self, what: str, instead: str) -> LocalEngine:
        """Return the engine of a collection in a folder, for what only that can do.

        Raises `UsageError` for another, which says `instead` what to do.
        """
        engine = self.engine()
        if not isinstance(engine, LocalEngine):
            raise UsageError(f"{what} is for collections in folders; {instead}")
        return engine

    @property
    def folder(self) -> Path:
        """The folder of a collection in one; raises `UsageError` for any other."""
        if not isinstance(self.path, Path):
            raise UsageError(
                f"{self.path} is not in a folder; back it up and check it with Milvus' own tools"
            )
        return self.path

    def release(self, *, wait: bool = True) -> None:
        """Let go of the files, after a build under way; without `wait` that ends for want of them."""
        if wait and self._engine is not None:
            self._engine.wait()
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._engine, self._store, self._backgrounds = None, None, {}

    def wait_for_indexes(self) -> list[BaseException]:
        """Return when no index is being built; and what ended builds, if anything."""
        return [] if self._engine is None else self._engine.wait()

    @property
    def is_building(self) -> bool:
        """Whether an index is being built in the background."""
        return self._engine is not None and self._engine.is_building

    def forget_indexes(self) -> None:
        """Drop every index, in memory and on disk, also where the store cannot be opened."""
        if isinstance(self._engine, LocalEngine):
            self._engine.forget_indexes()
        for file in (self.folder / "index").glob("*.ivf"):
            remove_file(file)

    def check_writable(self) -> None:
        """Raise `StorageError` where the store is open and nothing can be written to it."""
        if isinstance(self._engine, LocalEngine):
            self._engine.store.database.check_writable()

    def exists(self) -> bool:
        """Whether something lies where the collection is to be."""
        return isinstance(self.path, Path) and self.path.exists()

    def discard(self, *, with_folder: bool) -> None:
        """Take back a collection that was just made and has stayed empty."""
        if not isinstance(self.path, Path):
            self.store().discard()
            self.release()
            return
        self.release()
        discard_empty(self.path, with_folder=with_folder)

    def kind(self) -> Kind | None:
        """Return what the collection holds; None while there is none or nothing was added."""
        space = self._default_space()
        return space.kind if space else None

    @property
    def given_kind(self) -> Kind | None:
        """What the embedder that was handed in embeds; None where none was."""
        return self.embedders.given.spec.kind if self.embedders.given is not None else None

    def main_embedder(self, kind: Kind, on_step: OnStep | None = None) -> AnyEmbedder:
        """Return what embeds the items that are added: of the default space, or for a new collection.

        Raises `ModelMismatchError` where another model is wanted than the collection has, `UsageError` for an
        unknown model or one of the other kind. Nothing is made.
        """
        space = self._default_space()
        if self.embedders.given is not None:
            wanted: str | None = self.embedders.given.spec.name
            embedder = self.embedders.given
        elif space is None or self._model is not None:
            default = DEFAULT_TEXT_MODEL if kind == "text" else DEFAULT_MODEL
            wanted = self._model or (space.reference if space else default)
            embedder = self.embedders.load(wanted, on_step)
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
        if isinstance(self.path, Path):
            file = self.path / STORE_FILE
            if self._engine is None and not (file.exists() and file.stat().st_size):
                return None
        try:
            return self.store().default_space()
        except NotFoundError:
            if isinstance(self.path, Path):
                raise
            return None

    def space(self, name: str | None = None, *, words: bool = False) -> Space:
        """Return the space of a name or choice, or the default one; for words, the one that takes them.

        That is one of a model that reads photos and words, where all items are in it, rather than the one
        that is filled beside the default. Raises `NotFoundError`, `UsageError` where no space takes words.
        """
        engine = self.engine()
        spaces = {space.name: space for space in engine.spaces()}
        default = next((space for space in spaces.values() if space.is_default), None)
        if default is None or engine.items.is_empty():
            raise NotFoundError(f"{self.path} is empty; bring photos in with: lookalike add FOLDER")
        asked, name = name, name if name in spaces else CHOICES.get(name or "", name)
        if name is not None and name not in spaces:
            raise NotFoundError(f"no space named {asked!r}; there are {', '.join(spaces)}")
        if name is not None and words:
            return self._taking_words(spaces[name], spaces.values())
        if name is not None or not words:
            return spaces[name] if name is not None else default
        taking = [space for space in (default, *spaces.values()) if self.embedders.take_words(space)]
        if not taking:
            for space in spaces.values():
                self.embedders.check_trusted(space)
            raise UsageError(
                f"no model of {self.path} takes words; run lookalike add once to fill in the space for them, "
                "or bring one in: lookalike models"
            )
        own = (each for each in taking if not each.reference.startswith(COMPANION) and self._is_filled(each))
        return next(own, next((each for each in taking if each.reference.startswith(COMPANION)), taking[0]))

    def _is_filled(self, space: Space) -> bool:
        """Whether all items have their vector in a space; counted once after each change."""
        engine = self.engine()
        vectors = engine.vectors(space)
        key, seq = (space.id, space.model_id), vectors.seq()
        if self._filled.get(key, (-1, False))[0] != seq:
            self._filled[key] = seq, space.is_default or vectors.count() >= engine.items.count()
        return self._filled[key][1]

    def _taking_words(self, space: Space, spaces: Iterable[Space]) -> Space:
        """Return a space, or the one that its model fills beside it for words, where only that takes them."""
        if self.embedders.take_words(space):
            return space
        beside = (each for each in spaces if each.reference == COMPANION + space.reference)
        found = next((each for each in beside if self.embedders.take_words(each)), None)
        if found is None and space.reference:
            self.embedders.check_trusted(space)
            raise UsageError(
                f"the model {space.name} takes no words; without --space, a model that does answers"
            )
        return found or space

    def open_space(self, name: str | None = None) -> OpenSpace:
        """Return the space of a name, or the default one, opened; raises what `space` raises."""
        engine, space = self.engine(), self.space(name)
        return OpenSpace(engine, space)

    def companion_of(self, store: ItemStore, embedder: AnyEmbedder, *, create: bool = False) -> Space | None:
        """Return the second space that a `PairedEmbedder` fills, making it where asked to."""
        if not isinstance(embedder, PairedEmbedder):
            return None
        return (self.ensure_space if create else self.find_space)(store, embedder.companion)

    def ensure_space(self, store: ItemStore, embedder: AnyEmbedder | CompanionEmbedder) -> Space:
        """Return the space of an embedder, making it where it is missing."""
        spec = embedder.spec
        return store.ensure_space(
            spec.name, spec.model_id, spec.dim, kind=spec.kind, reference=spec.reference
        )

    def find_space(self, store: ItemStore, embedder: AnyEmbedder | CompanionEmbedder) -> Space | None:
        """Return the space of an embedder if there is one."""
        return next((space for space in store.spaces() if space.name == embedder.spec.name), None)

    def embedder_of(self, space: Space) -> AnyEmbedder:
        """Return what runs the model of a space.

        Raises `UntrustedModelError` where the user has not agreed to it, `ModelMismatchError` if that is
        another one now.
        """
        embedder = self.embedders.of(space)
        if embedder is None:
            raise UsageError(
                f"the vectors of {space.name} were imported without their model: search by items, or import "
                "them again with --model"
            )
        check_model(self.path, space, embedder.spec.model_id, embedder.spec.dim)
        return embedder

    def knowing(self, space: Space) -> KnownShares:
        """Return what tells which share of texts a space's model knows: all, where it cannot be asked."""

        def shares(texts: Sequence[str]) -> list[float]:
            try:
                return known_shares(self.embedder_of(space), texts)
            except LookalikeError:  # imported without its model, or that is gone
                return all_known(texts)

        return shares

    def background(self, space: Space) -> Background:
        """Return the background of a space."""
        engine = self.engine()
        with self._lock:
            background = Background(engine.vectors(space))
            if self._engine is not engine:  # it was closed meanwhile
                return background
            return self._backgrounds.setdefault((space.id, space.model_id), background)

    def drop_space(self, space: Space) -> None:
        """Forget a space with its vectors, its index and its background."""
        self.engine().drop_space(space)
        with self._lock:
            self._backgrounds.pop((space.id, space.model_id), None)

    def _start_over(self) -> None:
        """Open everything anew in a forked process: threads and connections stayed with its parent.

        What the parent uses is kept untouched; to close it here could disturb it there.
        """
        self._left_behind += [self._engine, self.embedders]
        self._engine, self._store, self._backgrounds = None, None, {}
        self.embedders = LoadedEmbedders(self.embedders.given, self._device, self._model)
        self._lock = threading.RLock()
        self._process = os.getpid()
