"""What can be asked of a collection: `Collection` adds what changes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, SupportsIndex

from lookalike.copies.told import ToldCopies
from lookalike.decisions import Decision
from lookalike.decode.requests import MAX_PIXELS, ThumbnailRequest
from lookalike.engine.protocol import Engine
from lookalike.errors import NotFoundError
from lookalike.listed import Items
from lookalike.open_collection import OpenCollection, OpenSpace
from lookalike.records import (
    Credit,
    Item,
    Kind,
    SearchOptions,
    SearchResult,
    Skipped,
    Space,
    Vectors,
    Vote,
    Words,
)
from lookalike.search.arguments import AnyQuery, Where, as_filters, as_query, as_search_options, as_target
from lookalike.search.listing import every_item, find_item, list_items, random_items, rows_in_order
from lookalike.search.pictures import picture_request
from lookalike.search.queries import QueryContext, needs_model
from lookalike.search.search import SearchContext, search
from lookalike.sources.paths import AnyPath
from lookalike.sources.recorded import read_recorded
from lookalike.store.facets import Facets

if TYPE_CHECKING:  # a search from a cold start does without them
    from lookalike.copies.of_collection import CollectionCopies
    from lookalike.reports import Info


class SearchableCollection:
    """A collection as who searches and reads it sees it."""

    _opened: OpenCollection
    _kept_copies: CollectionCopies | None = None
    _kept_told: ToldCopies | None = None

    @property
    def engine(self) -> Engine:
        """Where the items and vectors are kept; raises `NotFoundError` where nothing was added yet."""
        return self._opened.engine()

    def search(  # noqa: PLR0913  # all by keyword
        self,
        query: AnyQuery,
        k: int = 8,
        *,
        where: Where = (),
        space: str | None = None,
        hybrid: bool = False,
        rerank: bool | None = None,
        any_way_up: bool = False,
    ) -> SearchResult:
        """Return the k items most similar to a query.

        A query is a photo: its path, its bytes, a picture of Pillow or an array of RGB (uint8, height × width
        × 3); or an item: itself, a hit, its id; or `Words`; or a vector of the space that is searched, of any
        length. Several weighted `Example`s make one query, too.

        `where` holds conditions that every hit meets, such as "camera=canon*" or "taken>=2019"; `space` names
        one of the collection's models. Hits of one example that are like other hits move up unless `rerank`
        is False; with `hybrid` exact words count beside meaning, in texts; with `any_way_up` one photo finds
        its original though it was turned, mirrored or cropped. Scores are cosine similarities, −1 to 1.

        Raises `QueryError` for what is no photo, `NotFoundError` for an unknown item or an empty collection,
        `UsageError` for what can be no query.
        """
        options = SearchOptions(k, space=space, hybrid=hybrid, rerank=rerank, any_way_up=any_way_up)
        return self.answer([query], options, where=where)[0]

    def search_many(  # noqa: PLR0913  # as those of `search`
        self,
        queries: Iterable[AnyQuery],
        k: int = 8,
        *,
        where: Where = (),
        space: str | None = None,
        hybrid: bool = False,
        rerank: bool | None = None,
        any_way_up: bool = False,
    ) -> list[SearchResult]:
        """Answer many queries, in order, several times as fast as one by one; see `search`.

        The rows of an array `(n, dim)` are n vectors.
        """
        options = SearchOptions(k, space=space, hybrid=hybrid, rerank=rerank, any_way_up=any_way_up)
        return self.answer(queries, options, where=where)

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
        decodes = options.any_way_up or any(map(needs_model, asked))
        embedder = self._opened.embedder_of(space) if decodes else None
        parts = (self.engine, space, self._opened.decoder, embedder, max_pixels)
        known_shares = self._opened.knowing(space)
        told = self._told_copies().told
        context = QueryContext(*parts, known_shares, exact_words=options.hybrid, told=told)
        return search(SearchContext(context, self._opened.background(space)), asked, options, filters)

    def item(self, item_id: int) -> Item:
        """Return an item; raises `NotFoundError`."""
        return find_item(self.engine.items, item_id)

    def items(self, *, where: Where = (), limit: int = 100, after: int = 0) -> Items:
        """Return up to `limit` items that meet the conditions, by ascending id, beyond the id `after`."""
        return Items(list_items(self.engine.items, as_filters(where), limit=limit, after=after))

    def random_items(self, count: int = 1, *, where: Where = ()) -> Items:
        """Return up to `count` different items that meet the conditions, by chance."""
        return Items(random_items(self.engine.items, as_filters(where), count))

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

    def vectors(self, ids: Iterable[SupportsIndex] | None = None, *, space: str | None = None) -> Vectors:
        """Return the vectors `(n, dim)` of items in the order of `ids`, or of all by ascending id.

        They are float32 rows of unit length, of the space of that name or the default one. Raises
        `NotFoundError` for an item without one, `DamagedError` where one is not what was written.
        """
        return rows_in_order(self.open_space(space).vectors, ids)

    def __len__(self) -> int:
        """How many items there are; 0 where nothing was added yet."""
        try:
            return self.engine.items.count()
        except NotFoundError:
            return 0

    def __iter__(self) -> Iterator[Item]:
        """Yield all items by ascending id, in steady memory; damaged ones are left out, with a warning."""
        try:
            items = self.engine.items
        except NotFoundError:
            return
        yield from every_item(items)

    def votes(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order given, beyond the id `after`; only of `query` if given."""
        return self.engine.votes.page(query=query, after=after, limit=limit)

    def credits(self) -> list[Credit]:
        """Return all credits in the order given."""
        return list(self.engine.credits.all())

    def decisions(self) -> list[Decision]:
        """Return what was decided about copies, in the order given."""
        return list(self.engine.decisions.all())

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

    def _copies(self) -> CollectionCopies:
        """Return what is known of copies, made once."""
        if self._kept_copies is None:
            from lookalike.copies.of_collection import CollectionCopies  # as above

            self._kept_copies = CollectionCopies(self._opened)
        return self._kept_copies

    def _told_copies(self) -> ToldCopies:
        """Return what tells searches of copies, made once."""
        if self._kept_told is None:
            self._kept_told = ToldCopies(self._opened)
        return self._kept_told
