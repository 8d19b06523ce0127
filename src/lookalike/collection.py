"""A collection: what callers and faces use; `open_collection` holds its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import MAX_PIXELS, ThumbnailRequest
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.engine.protocol import Engine
from lookalike.open_collection import OpenCollection, OpenSpace, place_of
from lookalike.records import (
    Committed,
    Credit,
    Item,
    Kind,
    OnStep,
    SearchOptions,
    SearchResult,
    Skipped,
    Space,
    Vote,
    Words,
)
from lookalike.search.arguments import (
    AnyQuery,
    Where,
    as_filters,
    as_query,
    as_search_options,
    as_target,
    check_vote,
    ids_of_all,
)
from lookalike.search.listing import find_item, list_items, random_items
from lookalike.search.pictures import picture_request
from lookalike.search.queries import QueryContext, needs_model
from lookalike.search.search import SearchContext, search
from lookalike.sources.paths import AnyPath, as_path, as_source, require_some, split_present
from lookalike.sources.recorded import read_recorded
from lookalike.store.facets import Facets

if TYPE_CHECKING:  # a search from a cold start does without these, which are imported where used
    from lookalike.decode.tables import ReadAs
    from lookalike.reports import AddReport, Info, RelocateReport
    from lookalike.transfer.copying import CopyReport
    from lookalike.transfer.transfer import ExportOptions, ExportReport, ImportReport, ImportRequest
    from lookalike.upkeep.verify import VerifyReport


class Collection:
    """The photos or texts of one purpose, in one folder; safe to use from several threads and processes.

    `path` is the collection's folder, made by the first `add`, or where it is in Milvus as text,
    `milvus://HOST:PORT/NAME`. `model` is the one for a new collection (an
    existing one keeps its own): a bundled name, a Hugging Face repository `owner/name[@revision]` or a folder
    of a model. A model that did not come with lookalike is run once it was named: here, in `add_model`, or on
    the command line. `device` is where models run: "auto", "cpu" or "cuda". `embedder` and `decoder` replace
    the built-in ones.
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        model: str | None = None,
        embedder: Embedder | TextEmbedder | None = None,
        decoder: DecodePool | None = None,
        device: str = "auto",
    ) -> None:
        self.path = place_of(path)
        self._opened = OpenCollection(self.path, model, embedder, decoder, device)

    @property
    def engine(self) -> Engine:
        """Where the items and vectors are kept; raises `NotFoundError` where nothing was added yet."""
        return self._opened.engine()

    def add(  # noqa: PLR0913  # all by keyword
        self,
        *paths: AnyPath,
        column: str | None = None,
        read_as: ReadAs | None = None,
        kind: Kind | None = None,
        prune: bool = False,
        afresh: bool = False,
        exclude: Sequence[str] = (),
        on_step: OnStep | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> AddReport:
        """Bring in files, folders and remote places; what is in already and unchanged is not read again.

        A new collection holds photos, or texts where `column` or `kind` says so or only text files are found:
        rows of CSV, TSV, JSON and Parquet files, whose text is in `column`, and .txt and .md files; `read_as`
        says what is not to be found out about them. With `prune`, items below these paths whose files are
        gone, or are left out now, are removed. With `afresh`, unchanged files are read again, too. `exclude`
        holds patterns in the manner of .gitignore. `on_step(name, done, total)` hears of progress,
        `on_commit` of every file once its outcome is on disk. Addresses (`s3://bucket/photos`) are text.
        Paths that do not exist are in the report's `absent`; `NotFoundError` is raised when none does, or
        where a new collection stays empty.
        """
        from lookalike.ingest.add import AddOptions, add_items

        present, absent = split_present(as_source(path) for path in paths)
        require_some(present, absent)
        listeners = on_step or _ignore, on_commit or _ignore
        how = AddOptions(column, read_as, kind, prune, afresh, tuple(exclude), *listeners)
        report = add_items(self._opened, present, how)
        return replace(report, absent=(*absent, *report.absent))

    def add_model(self, model: str, *, on_step: OnStep | None = None) -> tuple[Space, int]:
        """Bring in a further model: all items are embedded by it, while the others go on serving.

        Returns its space and how many items it could not get, their files being gone or changed. Run again,
        it goes on. Raises `ModelError`, `ModelMismatchError`.
        """
        from lookalike.ingest.models import add_model

        return add_model(self._opened, model, on_step or _ignore)

    def use_model(self, name: str) -> None:
        """Make the space of that name the one that is searched unless another is named."""
        from lookalike.ingest import models

        models.use_model(self._opened, name)

    def drop_model(self, name: str) -> None:
        """Forget a space with its vectors, and the one that was filled beside it; not the default one."""
        from lookalike.ingest import models

        models.drop_model(self._opened, name)

    def import_vectors(
        self,
        request: ImportRequest,
        *,
        on_step: OnStep | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> tuple[ImportReport, str | None]:
        """Bring in vectors made elsewhere with the photos or texts that they stand for.

        Returns what was done, and what hindered other spaces or indexes from being brought up to date, as one
        line. Nothing is touched unless vectors and names fit each other: raises `UsageError`,
        `ModelMismatchError`, `DamagedError`, `NotFoundError`.
        """
        from lookalike.transfer.transfer import import_space

        return import_space(self._opened, request, on_step or _ignore, on_commit or _ignore)

    def export(
        self, folder: AnyPath, *, space: str | None = None, options: ExportOptions | None = None
    ) -> ExportReport:
        """Write the vectors and items of a space into a new folder: an array, a table, a Faiss index."""
        from lookalike.transfer.transfer import export_space

        return export_space(self._opened, as_path(folder), space, options)

    def copy_to(self, other: Collection, *, on_step: OnStep | None = None) -> CopyReport:
        """Copy this collection into another one, which has no other items; see `copy_collection`."""
        from lookalike.transfer.copying import copy_collection

        return copy_collection(self._opened, other._opened, on_step or _ignore)

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
        return self.answer(queries, SearchOptions(k), where=where)

    def answer(
        self,
        queries: Iterable[AnyQuery],
        options: SearchOptions,
        *,
        where: Where = (),
        max_pixels: int = MAX_PIXELS,
    ) -> list[SearchResult]:
        """Answer several queries at once with all that `options` says; photos of more pixels are refused."""
        asked = [as_query(query) for query in queries]
        options, filters = as_search_options(options), as_filters(where)
        words = any(isinstance(each.source, Words) for query in asked for each in query)
        space = self._opened.space(options.space, words=words)
        embedder = self._opened.embedder_of(space) if any(map(needs_model, asked)) else None
        parts = (self.engine, space, self._opened.decoder, embedder, max_pixels)
        known_shares = self._opened.knowing(space)
        context = QueryContext(*parts, known_shares, exact_words=options.hybrid)
        return search(SearchContext(context, self._opened.background(space)), asked, options, filters)

    def remove(self, *targets: AnyPath | SupportsIndex) -> int:
        """Remove items by id or by path (a folder stands for all items below it); returns how many.

        The files themselves are not touched. Raises `NotFoundError` when a target matches nothing, and then
        removes nothing.
        """
        items = self.engine.items
        return items.remove(ids_of_all(items, targets))

    def item(self, item_id: int) -> Item:
        """Return an item; raises `NotFoundError`."""
        return find_item(self.engine.items, item_id)

    def items(self, *, where: Where = (), limit: int = 100, after: int = 0) -> list[Item]:
        """Return up to `limit` items that meet the conditions, by ascending id, beyond the id `after`."""
        return list_items(self.engine.items, as_filters(where), limit=limit, after=after)

    def random_items(self, count: int = 1, *, where: Where = ()) -> list[Item]:
        """Return up to `count` different items that meet the conditions, by chance."""
        return random_items(self.engine.items, as_filters(where), count)

    def facets(self) -> Facets:
        """Return what the items can be filtered by: cameras, folders, first and last moment."""
        return self.engine.items.facets()

    def thumbnail(
        self, query: AnyPath | SupportsIndex | bytes, longest: int = 256, *, max_pixels: int = MAX_PIXELS
    ) -> bytes | None:
        """Return the picture of an item or a photo, upright, as JPEG bytes; None if it cannot be read.

        No side is longer than `longest` pixels. A file that has changed since its item was added cannot be
        read. Raises `NotFoundError` for an unknown item.
        """
        request: ThumbnailRequest | None
        if isinstance(query, bytes):
            request = ThumbnailRequest("", longest, content=query, max_pixels=max_pixels)
        elif isinstance(wanted := as_target(query), int):
            request = picture_request(self.item(wanted), longest)
        else:
            request = ThumbnailRequest(str(wanted), longest)
        made = self._opened.decoder.thumbnail(request) if request is not None else None
        return made if isinstance(made, bytes) else None

    def vote(self, query: str, item_id: int, value: int, *, space: str | None = None) -> None:
        """Keep what someone thinks of a hit of a query, named by `SearchResult.key`: 1, −1, or 0 to withdraw.

        Raises `NotFoundError` for an unknown item or space.
        """
        check_vote(query, value)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.engine.votes.put(query, item_id, value, self._opened.space(space).name, at)

    def votes(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order given, beyond the id `after`; only of `query` if given."""
        return self.engine.votes.page(query=query, after=after, limit=limit)

    def credit(self, credit: Credit) -> None:
        """Keep what a space earned in a round of interleaved hits; see `interleaving`."""
        self.engine.credits.put(credit)

    def credits(self) -> list[Credit]:
        """Return all credits in the order given."""
        return list(self.engine.credits.all())

    def original(self, item: Item) -> bytes:
        """Return the bytes of an item's file; `NotFoundError` unless they are those that were added."""
        return read_recorded(item)

    def skipped(self) -> list[Skipped]:
        """Return the inputs that could not become items, with the reasons."""
        return list(self.engine.items.skipped())

    def info(self) -> Info:
        """Return the facts of the collection."""
        from lookalike.upkeep.info import describe

        return describe(self._opened)

    @property
    def kind(self) -> Kind:
        """What the collection holds, without counting it."""
        return self._opened.kind() or "photo"

    @property
    def is_building(self) -> bool:
        """Whether an index is being built; answers are exact but slow meanwhile."""
        return self._opened.is_building

    def wait_for_index(self) -> None:
        """Return when no index is being built in the background; raises what ended the build, if anything."""
        for problem in self._opened.wait_for_indexes():
            raise problem

    def spaces(self) -> list[Space]:
        """Return the spaces, without counting what is in them."""
        return self.engine.spaces()

    def open_space(self, name: str | None = None) -> OpenSpace:
        """Return the vectors of a space, the default one unless named, and what opens its index.

        Raises `NotFoundError` for an unknown space or an empty collection.
        """
        return self._opened.open_space(name)

    def refresh_index(self) -> None:
        """Bring the index up to date now, building it where it is missing, damaged or worn."""
        self._opened.engine().refresh_indexes()

    def verify(self, *, repair: bool = False, files: bool = False) -> VerifyReport:
        """Check every item, vector and index file, and with `files` those of all items; name what is damaged.

        With `repair`, what the photos' own files can restore is read again, a broken store file is rescued
        row by row (the broken one is kept beside it), and damaged indexes are built anew.
        """
        from lookalike.upkeep.repair import verify_collection

        return verify_collection(self._opened, repair=repair, files=files)

    def relocate(self, old: AnyPath, new: AnyPath) -> RelocateReport:
        """Follow the photos at or below `old` to `new`, each whose file there has its size and sha256."""
        from lookalike.upkeep.relocate import relocate_items

        return relocate_items(self._opened, as_source(old), as_source(new))

    def close(self, *, wait: bool = True) -> None:
        """Stop the workers and close the files; the next use opens them again.

        An index that is being built in the background is waited for, or without `wait` given up.
        """
        self._opened.release(wait=wait)
        self._opened.decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ignore(*_: Any) -> None:
    """Stand in for a listener that nobody gave."""
