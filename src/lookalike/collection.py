"""A collection: the one place where store, index, decoder and embedder are wired together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsIndex

from lookalike.asked import AnyPath, AnyQuery, Where, as_filters, as_path, as_query, as_target, as_wish
from lookalike.background import Background
from lookalike.decode.pool import DecodePool
from lookalike.decode.worker import MAX_PIXELS, ThumbnailRequest
from lookalike.embed import Embedder, WordsEmbedder
from lookalike.errors import DamagedError, ModelMismatchError, NotFoundError, StorageError, UsageError
from lookalike.index_keeper import IndexKeeper
from lookalike.indexing import Indexer
from lookalike.ingest import Ingest, ingest
from lookalike.models import DEFAULT_MODEL, load_bundled
from lookalike.queries import Asking, Query
from lookalike.records import (
    AddReport,
    Committed,
    Info,
    Item,
    SearchResult,
    Skipped,
    Space,
    SpaceInfo,
    Vote,
    Wish,
)
from lookalike.search import Search, search
from lookalike.sources import path_of, read_recorded, require_some, split_present, uri_of
from lookalike.store import Store
from lookalike.store.facets import Facets
from lookalike.store.filters import Filter
from lookalike.store.salvage import salvage
from lookalike.store.store import STORE_FILE, check_model
from lookalike.verify import Damage, VerifyReport, verify

_LONGEST_KEY = 10_000  # letters of `SearchResult.key`


class Collection:
    """The photos of one purpose, in one folder; safe to use from several threads and processes.

    `path` is the collection's folder, made by the first `add`. `model` names a bundled model for a new
    collection (an existing one keeps its own); `embedder` and `decoder` replace the built-in ones.
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        model: str | None = None,
        embedder: Embedder | None = None,
        decoder: DecodePool | None = None,
    ) -> None:
        self.path = as_path(path).absolute()
        self._model = model
        self._embedder_given = embedder
        self._embedders: dict[str, Embedder] = {}
        self._decoder = decoder or DecodePool()
        self._store: Store | None = None
        self._keepers: dict[int, IndexKeeper] = {}
        self._backgrounds: dict[int, Background] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._left_behind: list[object] = []

    def add(
        self,
        *paths: AnyPath,
        prune: bool = False,
        on_step: Callable[[str, int, int | None], None] | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> AddReport:
        """Bring files and folders in; what is in already and unchanged is not read again.

        With `prune`, items below these paths whose files are gone are removed. `on_step(name, done, total)`
        hears of progress, `on_commit` of every file once its outcome is on disk. Paths that do not exist are
        named in the report's `absent`; `NotFoundError` is raised when none does.
        """
        present, absent = split_present(as_path(path) for path in paths)
        require_some(present, absent)
        if self._model is not None:
            load_bundled(self._model)  # an unknown name must not leave an empty collection behind
        store = self._open(create=True)
        embedder = self._embedder(self._space_name(store))
        space = store.ensure_space(embedder.spec.name, embedder.spec.model_id, embedder.spec.dim)
        step, commit = on_step or _ignore, on_commit or _ignore
        parts = Ingest(store, space, self._decoder, embedder, step, commit)
        report = ingest(parts, present, prune=prune)
        step("indexing", 0, None)
        return replace(report, absent=(*absent, *report.absent), index_problem=self._try_refresh(store))

    def search(self, query: AnyQuery, k: int = 8, *, where: Where = ()) -> SearchResult:
        """Return the k items most similar to a query: a photo's path or bytes, or an item given by its id.

        Several weighted examples (`queries.Example`) make one query, too. `where` holds conditions that every
        hit meets, such as "camera=canon*" or "taken>=2019" (see `store.filters.Filter`). Raises `QueryError`
        for what is no photo, `NotFoundError` for an unknown item or an empty collection.
        """
        return self.search_many([query], k, where=where)[0]

    def search_many(
        self, queries: Iterable[AnyQuery], k: int = 8, *, where: Where = ()
    ) -> list[SearchResult]:
        """Answer several queries at once, in order; see `search`."""
        return self.answer(queries, Wish(k), where=where)

    def answer(
        self, queries: Iterable[AnyQuery], wish: Wish, *, where: Where = (), max_pixels: int = MAX_PIXELS
    ) -> list[SearchResult]:
        """Answer several queries at once with all that `wish` says; photos of more pixels are refused."""
        asked, wish, filters = [as_query(query) for query in queries], as_wish(wish), as_filters(where)
        store = self._open()
        space = self._space(store, wish.space)
        embedder = None
        if any(_needs_model(query) for query in asked):
            embedder = self._embedder(space.name)
            check_model(self.path, space, embedder.spec.model_id, embedder.spec.dim)
        live = self._index_keeper(store, space).live()
        asking = Asking(store, store.vectors(space), space.dim, self._decoder, embedder, max_pixels)
        return search(Search(asking, space, live, self._background(store, space)), asked, wish, filters)

    def remove(self, *targets: AnyPath | SupportsIndex) -> int:
        """Remove items by id or by path (a folder stands for all items below it); returns how many.

        The files themselves are not touched. Raises `NotFoundError` when a target matches nothing, and then
        removes nothing.
        """
        store = self._open()
        doomed: set[int] = set()
        for target in targets:
            found = self._targeted(store, target)
            if not found:
                raise NotFoundError(f"nothing in the collection matches {target}")
            doomed.update(found)
        return store.items.remove(sorted(doomed))

    def item(self, item_id: int) -> Item:
        """Return an item; raises `NotFoundError`."""
        items = self._open().items
        found = items.get([item_id])
        if item_id in found:
            return found[item_id]
        if items.damaged([item_id]):
            raise DamagedError(f"item {item_id} is damaged; run: lookalike verify --repair")
        raise NotFoundError(f"item {item_id} is not in this collection")

    def items(self, *, where: Where = (), limit: int = 100, after: int = 0) -> list[Item]:
        """Return up to `limit` items that meet the conditions, by ascending id, beyond the id `after`."""
        items = self._open().items
        ids = items.matching(as_filters(where), after=after, limit=limit)
        found = items.get(ids.tolist())
        return [found[item_id] for item_id in sorted(found)]

    def random_items(self, count: int = 1, *, where: Where = ()) -> list[Item]:
        """Return up to `count` different items that meet the conditions, by chance."""
        items = self._open().items
        return list(items.get(items.random(as_filters(where), count)).values())

    def facets(self) -> Facets:
        """Return what the items can be filtered by: cameras, folders, first and last moment."""
        return self._open().items.facets()

    def thumbnail(
        self, query: AnyPath | SupportsIndex | bytes, longest: int = 256, *, max_pixels: int = MAX_PIXELS
    ) -> bytes | None:
        """Return the picture of an item or a photo, upright, as JPEG bytes; None if it cannot be read.

        No side is longer than `longest` pixels. A file that has changed since its item was added cannot be
        read. Raises `NotFoundError` for an unknown item.
        """
        if isinstance(query, bytes):
            request = ThumbnailRequest("", longest, content=query, max_pixels=max_pixels)
        elif isinstance(wanted := as_target(query), int):
            item = self.item(wanted)
            request = ThumbnailRequest(path_of(item.uri), longest, content_hash=item.content_hash)
        else:
            request = ThumbnailRequest(str(wanted), longest)
        made = self._decoder.thumbnail(request)
        return None if isinstance(made, Skipped) else made

    def vote(self, query: str, item_id: int, value: int, *, space: str | None = None) -> None:
        """Keep what someone thinks of a hit of a query, named by `SearchResult.key`: 1, −1, or 0 to withdraw.

        Raises `NotFoundError` for an unknown item or space.
        """
        if value not in (1, 0, -1) or not query or len(query) > _LONGEST_KEY:
            raise UsageError(f"a vote is 1, -1 or 0 on a hit of a query; got {value!r} for {query[:80]!r}")
        store = self._open()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        store.votes.put(query, item_id, value, self._space(store, space).name, at)

    def votes(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order given, beyond the id `after`; only of `query` if given."""
        return self._open().votes.list(query=query, after=after, limit=limit)

    def original(self, item: Item) -> bytes:
        """Return the bytes of an item's file; `NotFoundError` unless they are those that were added."""
        return read_recorded(item.uri, item.content_hash)

    def skipped(self) -> list[Skipped]:
        """Return the inputs that could not become items, with the reasons."""
        return list(self._open().items.skipped())

    def info(self) -> Info:
        """Return the facts of the collection."""
        store = self._open()
        spaces = tuple(self._space_info(store, space) for space in store.spaces())
        size = sum(map(_size_of, self.path.glob("store.sqlite*")))
        return Info(self.path, store.items.count(), store.items.count_skipped(), size, spaces)

    @property
    def is_building(self) -> bool:
        """Whether an index is being built in the background; answers are exact but slow meanwhile."""
        return any(keeper.is_building for keeper in list(self._keepers.values()))

    def wait_for_index(self) -> None:
        """Return when no index is being built in the background; raises what ended the build, if anything."""
        for problem in [keeper.wait() for keeper in list(self._keepers.values())]:
            if problem is not None:
                raise problem

    def refresh_index(self) -> None:
        """Bring the index up to date now, building it where it is missing, damaged or worn."""
        store = self._open()
        self._index_keeper(store, self._space(store)).refresh()

    def verify(self, *, repair: bool = False) -> VerifyReport:
        """Check every item, vector and index file, and name what is damaged.

        With `repair`, what the photos' own files can restore is read again, a broken store file is rescued
        row by row (the broken one is kept beside it), and damaged indexes are built anew.
        """
        try:
            report = verify(self._open(), self.path / "index")
        except DamagedError as error:
            if not repair:
                raise
            report = VerifyReport(0, 0, (Damage(STORE_FILE, str(error)),))
        if not repair or report.sound:
            return report
        if self._store is not None:
            self._store.database.check_writable()
        if any(each.item_id is None for each in report.damage):  # a file is broken, not only rows
            self._forget_indexes()
        if any(each.what == STORE_FILE for each in report.damage):
            self._release()
            salvage(self.path / STORE_FILE)
            report = replace(
                report, damage=(*report.damage, *verify(self._open(), self.path / "index").damage)
            )
        self._restore(report)
        after = verify(self._open(), self.path / "index")
        left = {(each.what, each.item_id) for each in after.damage}
        repaired = tuple(each for each in report.damage if (each.what, each.item_id) not in left)
        return replace(after, repaired=repaired)

    def close(self) -> None:
        """Stop the workers and close the files, after a build under way; the next use opens them again."""
        self._release()
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, *, create: bool = False) -> Store:
        if self._process != os.getpid():
            self._start_over()
        with self._lock:
            if self._store is None:
                self._store = Store(self.path, create=create)
            return self._store

    def _release(self) -> None:
        """Let go of the files; the next use opens them again."""
        for keeper in list(self._keepers.values()):
            keeper.wait()
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store, self._keepers, self._backgrounds = None, {}, {}

    def _start_over(self) -> None:
        """Open everything anew in a forked process: threads and connections stayed with its parent.

        What the parent uses is kept untouched; to close it here could disturb it there.
        """
        self._left_behind += [self._store, self._keepers, self._embedders]
        self._store, self._keepers, self._backgrounds, self._embedders = None, {}, {}, {}
        self._lock = threading.RLock()
        self._process = os.getpid()

    def _try_refresh(self, store: Store) -> str | None:
        """Bring the index up to date; it is a cache, so what hinders that is told and does no harm."""
        if store.items.is_empty():
            return None
        try:
            self.refresh_index()
        except StorageError as error:
            return str(error)
        return None

    def _space_name(self, store: Store) -> str:
        space = store.default_space()
        wanted = self._embedder_given.spec.name if self._embedder_given else self._model
        if space is not None and wanted not in (None, space.name):
            raise ModelMismatchError(f"{self.path} was made with the model {space.name}, not {wanted}")
        return space.name if space else wanted or DEFAULT_MODEL

    def _space(self, store: Store, name: str | None = None) -> Space:
        """Return the space of a name, or the default one."""
        default = store.default_space()
        if default is None or store.items.is_empty():
            raise NotFoundError(f"{self.path} is empty; bring photos in with: lookalike add FOLDER")
        if name is None:
            return default
        spaces = {space.name: space for space in store.spaces()}
        if name not in spaces:
            raise NotFoundError(f"no space named {name!r}; there are {', '.join(spaces)}")
        return spaces[name]

    def _embedder(self, name: str) -> Embedder:
        if self._embedder_given is not None:
            return self._embedder_given
        with self._lock:
            if name not in self._embedders:
                from lookalike.decode.processes import cpu_count
                from lookalike.embed.onnx import OnnxEmbedder  # ONNX Runtime is slow to import

                self._embedders[name] = OnnxEmbedder(load_bundled(name), threads=cpu_count())
            return self._embedders[name]

    def _index_keeper(self, store: Store, space: Space) -> IndexKeeper:
        with self._lock:
            if space.id in self._keepers and self._store is store:
                return self._keepers[space.id]
            keeper = IndexKeeper(Indexer(self.path, space, store.vectors(space)))
            if self._store is store:  # else it was closed meanwhile, and its keeper must not outlive it
                self._keepers[space.id] = keeper
            return keeper

    def _background(self, store: Store, space: Space) -> Background:
        with self._lock:
            if space.id not in self._backgrounds:
                self._backgrounds[space.id] = Background(store.vectors(space))
            return self._backgrounds[space.id]

    def _forget_indexes(self) -> None:
        """Drop every index, in memory and on disk: they are caches of what is about to be repaired."""
        for file in (self.path / "index").glob("*.ivf"):
            file.unlink(missing_ok=True)
        with self._lock:
            self._keepers = {}

    def _restore(self, report: VerifyReport) -> None:
        """Read again the files behind damaged rows, and build the index anew."""
        store = self._open()
        store.items.drop_orphans()
        store.votes.drop_damaged()
        paths = [path_of(uri) for uri in dict.fromkeys(each.uri for each in report.damage if each.uri)]
        files = [Path(path) for path in paths if os.path.isfile(path)]  # noqa: PTH113  # false for any odd name
        if files:
            embedder = self._embedder(self._space_name(store))
            space = self._space(store)
            check_model(self.path, space, embedder.spec.model_id, embedder.spec.dim)
            ingest(Ingest(store, space, self._decoder, embedder, _ignore, _ignore), files, afresh=True)
        if not store.items.is_empty():
            self.refresh_index()

    def _space_info(self, store: Store, space: Space) -> SpaceInfo:
        vectors = store.vectors(space)
        kind, recall, size = Indexer(self.path, space, vectors).describe()
        return SpaceInfo(
            space.name,
            space.model_id,
            space.dim,
            vectors.count(),
            kind,
            recall,
            size,
            is_default=space.is_default,
            takes_words=isinstance(self._embedder_given, WordsEmbedder),
        )

    def _targeted(self, store: Store, target: AnyPath | SupportsIndex) -> list[int]:
        wanted = as_target(target)
        if isinstance(wanted, int):
            return list(store.items.get([wanted])) or list(store.items.damaged([wanted]))
        uri = uri_of(wanted)
        item = store.items.by_uri(uri)
        return [item.id] if item else store.items.matching([Filter("folder", "=", uri)]).tolist()


def _needs_model(query: Query) -> bool:
    """Whether a photo or words must be embedded to answer."""
    return any(not isinstance(each.source, int) or each.box is not None for each in query)


def _ignore(*_: Any) -> None:
    """Stand in for a listener that nobody gave."""


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # the log goes when its last user does
        return 0
