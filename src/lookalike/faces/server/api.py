"""What the operations do: each one calls the collection in a thread and answers in the shared contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lookalike import __version__
from lookalike.collection import Collection
from lookalike.decode.budget import decoding_at_most
from lookalike.decode.formats import HEAD_BYTES, sniff
from lookalike.errors import NotFoundError, QueryError, UnreachableError
from lookalike.evaluate.pooling import next_to_rate
from lookalike.faces import contract
from lookalike.faces.server import parameters, schema, schema_copies
from lookalike.faces.server.copies import Copies
from lookalike.faces.server.fetch import Fetcher
from lookalike.faces.server.forms import read_photo, read_search
from lookalike.faces.server.operations import RefusedError, as_json, json_body
from lookalike.faces.server.rounds import Rounds
from lookalike.faces.server.thumbnails import ThumbnailCache
from lookalike.faces.server.turns import Turns
from lookalike.records import Box, Item, SearchOptions, SearchResult, Words
from lookalike.search.queries import Example, Source

SHOWN_BY_BROWSERS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
_LARGEST = schema.THUMBNAIL_SIZES[-1]
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


@dataclass(slots=True)
class Api:
    """The operations on one collection. Without a `fetcher`, pictures are not fetched from addresses."""

    collection: Collection
    thumbnails: ThumbnailCache
    shown_copies: Copies
    fetcher: Fetcher | None = None
    rounds: Rounds | None = None
    _turns: Turns = field(default_factory=Turns)

    async def health(self, query: parameters.HealthQuery, _: Request) -> Response:
        """Say that the server is alive; and whether it is ready, since the collection's engine answers."""
        reason = await self._turns.check(self._check)
        if query.ready and reason is not None:
            raise UnreachableError(reason)
        return as_json(schema.Health("ok", __version__, reason is None, reason))

    def _check(self) -> None:
        self.collection.engine.check()

    async def facts(self, _: parameters.NoQuery, __: Request) -> Response:
        """Say what the collection holds."""
        info = await self._turns.read(self.collection.info)
        spaces = [contract.space_json(space) for space in info.spaces]
        shown = schema.SpaceFacts.__struct_fields__
        return as_json(
            {
                "kind": info.kind,
                "items": info.items,
                "skipped": info.skipped,
                "building": self.collection.is_building,
                "can_fetch": self.fetcher is not None,
                "can_remove": self.shown_copies.can_remove,
                "ab": self.rounds is not None,
                "spaces": [{name: space[name] for name in shown} for space in spaces],
                "thumbnail_sizes": schema.THUMBNAIL_SIZES,
                "max_upload_bytes": schema.MAX_UPLOAD_BYTES,
            }
        )

    async def facets(self, _: parameters.NoQuery, __: Request) -> Response:
        """Say what items can be filtered by."""
        facets = await self._turns.read(self.collection.facets)
        counted = {"cameras": facets.cameras, "folders": facets.folders}
        listed = {
            name: [{"value": value, "count": count} for value, count in values]
            for name, values in counted.items()
        }
        return as_json({**listed, "taken": facets.taken, "estimated": facets.is_estimate})

    async def browse(self, query: parameters.BrowseQuery, _: Request) -> Response:
        """List items page by page."""
        after, limit = int(query.cursor or 0), query.limit
        items = await self._turns.read(
            partial(self.collection.items, where=query.where, limit=limit, after=after)
        )
        last = str(items[-1].id) if len(items) == limit else None
        return as_json({"items": [contract.item_json(item) for item in items], "next": last})

    async def random(self, query: parameters.RandomQuery, _: Request) -> Response:
        """Pick items by chance."""
        items = await self._turns.read(partial(self.collection.random_items, query.n, where=query.where))
        return as_json({"items": [contract.item_json(item) for item in items]})

    async def item(self, query: parameters.ItemQuery, _: Request) -> Response:
        """Say what is known of an item."""
        return as_json(contract.item_json(await self._item(query.id)))

    async def photo(self, query: parameters.ItemQuery, request: Request) -> Response:
        """Send the file of an item as it is, where a browser shows its format."""
        item = await self._item(query.id)
        tag = _tag(item, "photo")
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag, "cache-control": _ASK_AGAIN})
        content = await self._turns.picture(partial(self.collection.original, item))
        kind = SHOWN_BY_BROWSERS.get(sniff(content[:HEAD_BYTES]) or "")
        if kind is None:
            raise RefusedError(
                415, "not_shown", "browsers do not show photos of this format; take a thumbnail"
            )
        return Response(content, media_type=kind, headers={"etag": tag, "cache-control": _ASK_AGAIN})

    async def thumbnail(self, query: parameters.ThumbnailQuery, request: Request) -> Response:
        """Send an item's photo made small."""
        if query.size not in schema.THUMBNAIL_SIZES:
            sizes = ", ".join(map(str, schema.THUMBNAIL_SIZES))
            raise RefusedError(400, "bad_request", f"thumbnails are made in the sizes {sizes}")
        item = await self._item(query.id)
        tag = _tag(item, str(query.size))
        is_this = query.v == item.content_hash.hex()[: len(query.v or "")]
        headers = {"etag": tag, "cache-control": _FOR_EVER if is_this else _ASK_AGAIN}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(await self._thumbnail(item, query.size), media_type="image/jpeg", headers=headers)

    async def search(self, _: parameters.NoQuery, request: Request) -> Response:
        """Find the items most like the examples."""
        asked, photos = await read_search(request)
        query = [_example(example, photos) for example in asked.examples]
        if not any(example.weight > 0 for example in query):
            raise RefusedError(400, "bad_request", "at least one example needs a weight above 0")
        options = SearchOptions(
            asked.k,
            asked.offset,
            asked.space,
            mark_copies=True,
            background=True,
            hybrid=asked.hybrid,
            rerank=asked.rerank,
            any_way_up=asked.any_way_up,
        )
        answer = partial(self._answer, query, options, asked)
        decodes = asked.any_way_up or any(
            isinstance(one.source, bytes) or one.box is not None for one in query
        )
        result, round_id = await (self._turns.upload if decodes else self._turns.search)(answer)
        told = contract.result_json(result)
        more = result.more and asked.offset + asked.k <= schema.DEEPEST
        shown = {**told, "query": result.key, "more": more, "background": result.background}
        return as_json(shown if round_id is None else {**shown, "round": round_id})

    def _answer(
        self, query: list[Example], options: SearchOptions, asked: schema.SearchRequest
    ) -> tuple[SearchResult, str | None]:
        most = schema.MAX_UPLOAD_PIXELS
        with _decoding():
            if self.rounds is not None and asked.space is None:
                return self.rounds.answer(query, options, asked.where, most, asked.round)
            (result,) = self.collection.answer([query], options, where=asked.where, max_pixels=most)
        return result, None

    async def preview(self, _: parameters.NoQuery, request: Request) -> Response:
        """Send back a photo as a JPEG, for browsers that cannot show its format."""
        return Response(await self._preview(await read_photo(request)), media_type="image/jpeg")

    async def fetch(self, _: parameters.NoQuery, request: Request) -> Response:
        """Fetch a picture from a public address and send it back."""
        if self.fetcher is None:
            raise RefusedError(403, "fetch_is_off", "this server fetches no pictures from addresses")
        wanted: schema.FetchRequest = await json_body(request, schema.FetchRequest)
        content = await self.fetcher.fetch(wanted.address)
        kind = SHOWN_BY_BROWSERS.get(sniff(content[:HEAD_BYTES]) or "")
        if kind is not None:
            return Response(content, media_type=kind)
        return Response(await self._preview(content), media_type="image/jpeg")

    async def vote(self, _: parameters.NoQuery, request: Request) -> Response:
        """Keep what someone thinks of a hit."""
        given: schema.VoteRequest = await json_body(request, schema.VoteRequest)
        credited = await self._turns.write(partial(self._vote, given))
        return as_json(schema.VoteAnswer(given.query, given.item, given.vote, credited))

    def _vote(self, given: schema.VoteRequest) -> bool:
        """Keep a vote, and return whether it was credited; all of it may be done again."""
        self.collection.vote(given.query, given.item, given.vote, space=given.space)
        if given.round is None:
            return False
        try:
            self._credit(given.round, given.item, "vote", given.vote)
        except NotFoundError:  # forgotten; what someone thinks of the hit is kept all the same
            return False
        return True

    async def click(self, query: parameters.RoundQuery, request: Request) -> Response:
        """Keep that a hit of a round was opened."""
        given: schema.ClickRequest = await json_body(request, schema.ClickRequest)
        await self._turns.write(partial(self._credit, query.round, given.item, "click", 1))
        return as_json(schema.ClickAnswer(given.item))

    def _credit(self, round_id: str, item: int, kind: Literal["click", "vote"], value: int) -> None:
        if self.rounds is None:
            raise NotFoundError("this server compares no spaces")
        self.rounds.credit(round_id, item, kind, value)

    async def rate(self, query: parameters.RateQuery, _: Request) -> Response:
        """Say what is to be judged next."""
        spaces = query.space or (list(self.rounds.names) if self.rounds is not None else [])
        find = partial(next_to_rate, self.collection, spaces, query.depth, query.after)
        found = await self._turns.search(find)
        return as_json(contract.rating_task_json(found))

    async def votes(self, query: parameters.VotesQuery, _: Request) -> Response:
        """List votes page by page."""
        after, limit = int(query.cursor or 0), query.limit
        votes = await self._turns.read(
            partial(self.collection.votes, query=query.query, after=after, limit=limit)
        )
        last = str(votes[-1].id) if len(votes) == limit else None
        return as_json({"votes": [contract.vote_json(vote) for vote in votes], "next": last})

    async def copies(self, query: parameters.CopiesQuery, _: Request) -> Response:
        """List groups of copies page by page."""
        return as_json(await self._turns.review(partial(self.shown_copies.page, query)))

    async def decide(self, _: parameters.NoQuery, request: Request) -> Response:
        """Keep what someone decided about copies."""
        given: schema_copies.DecisionRequest = await json_body(request, schema_copies.DecisionRequest)
        return as_json(await self._turns.write(partial(self.shown_copies.decide, given)))

    async def remove_copies(self, _: parameters.NoQuery, request: Request) -> Response:
        """Move the files of copies to the trash."""
        given: schema_copies.RemovalRequest = await json_body(request, schema_copies.RemovalRequest)
        removal = await self._turns.review(partial(self.shown_copies.removal, given))
        return as_json(await self._turns.write(removal.run))

    def close(self) -> None:
        """Let go of the files and stop the workers."""
        self.shown_copies.close()
        self.thumbnails.close()
        self.collection.close(wait=False)  # Ctrl-C ends it now: an index is built anew when it is needed

    async def _item(self, item_id: int) -> Item:
        return await self._turns.look_up(partial(self.collection.item, item_id))

    async def _thumbnail(self, item: Item, size: int) -> bytes:
        content = item.content_hash.hex()
        kept = await self._turns.look_up(partial(self.thumbnails.get, content, size))
        if kept is not None:
            return kept
        made = await self._turns.picture(partial(self._made, item, size))
        if made is None:
            raise NotFoundError(f"the photo of item {item.id} cannot be read any more, or has changed")
        return made

    def _made(self, item: Item, size: int) -> bytes | None:
        """Make a thumbnail and keep it; None where the item's photo cannot be read, or is another one now."""
        made = self.collection.thumbnail(item.id, size)
        if made is None or self.collection.item(item.id).content_hash != item.content_hash:
            return None
        self.thumbnails.put(item.content_hash.hex(), size, made)
        return made

    async def _preview(self, content: bytes) -> bytes:
        return await self._turns.upload(partial(self._made_small, content))

    def _made_small(self, content: bytes) -> bytes:
        with _decoding():
            made = self.collection.thumbnail(content, _LARGEST, max_pixels=schema.MAX_UPLOAD_PIXELS)
            if made is None:
                raise QueryError("this is no photo in a format that is read")
        return made


def _example(example: schema.Example, photos: list[bytes]) -> Example:
    given = {name: getattr(example, name) for name in ("item", "upload", "words")}
    named = [name for name, value in given.items() if value is not msgspec.UNSET]
    if len(named) != 1:
        raise RefusedError(400, "bad_request", "an example has exactly one of item, upload and words")
    (name,) = named
    source: Source = given[name]
    if name == "words":
        source = Words(given[name])
    elif name == "upload":
        if given[name] >= len(photos):
            raise RefusedError(400, "bad_request", f"upload {given[name]} did not come along")
        source = photos[given[name]]
    return Example(source, example.weight, Box(*example.box) if example.box else None)


@contextmanager
def _decoding() -> Iterator[None]:
    """Give all photos of one request their time together; where that is over, say so."""
    seconds = schema.MAX_DECODE_SECONDS
    with decoding_at_most(seconds) as budget:
        try:
            yield
        except QueryError:
            if not budget.is_spent:
                raise
            said = (
                f"decoding these photos takes longer than {seconds:g} s in all; bring fewer or smaller ones"
            )
            raise RefusedError(422, "too_much_to_decode", said) from None


def _tag(item: Item, kind: str) -> str:
    return f'"{item.content_hash.hex()[:16]}-{kind}"'
