"""Queries: weighted examples, turned into one direction of the space and a name by content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import MAX_PIXELS, PhotoRequest
from lookalike.embedders import Embedder, TextEmbedder, WordsEmbedder
from lookalike.embedders.decoded import embed_decoded
from lookalike.embedders.known import KnownShares, all_known, is_plain, known_shares, other_model
from lookalike.embedders.vectors import NO_DIRECTION, have_direction, unit_length
from lookalike.engine.protocol import Engine
from lookalike.errors import DamagedError, NotFoundError, QueryError, UsageError
from lookalike.records import Box, Item, Photo, Skipped, Space, Vectors, Words
from lookalike.search.copies import KnownCopies, nothing_told
from lookalike.sources.recorded import read_recorded
from lookalike.sources.uris import is_fetched, path_of

PHOTO = "photo:"
"""What the keys of queries by photos begin with."""

_ITEM = "item:"
_NO_DIRECTION = 1e-4  # a sum of examples shorter than this is rounding error


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A direction of the space that is searched, `(dim,)`, of any length above 0."""

    row: Vectors


Source = Path | bytes | int | Words | Vector
"""A photo's file, the bytes of one, the id of an item, words, or a vector."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a query: what it is, how much it counts, and which part of the photo is meant.

    A `weight` below 0 means "not like this". An item that is an example is left out of the hits.
    """

    source: Source
    weight: float = 1.0
    box: Box | None = None


Query = tuple[Example, ...]
"""One or more examples; the hits are nearest to the weighted sum of their vectors."""


@dataclass(frozen=True, slots=True)
class QueryContext:
    """The parts that turn queries into vectors; decoder and embedder are asked for photos and words only.

    `known_shares` tells which share of texts the model of the space knows. With `exact_words`, words of which
    it knows nothing may still be found as they are written. `told` tells what is known of copies among hits.
    """

    engine: Engine
    space: Space
    decoder: DecodePool
    embedder: Embedder | TextEmbedder | None
    max_pixels: int = MAX_PIXELS
    known_shares: KnownShares = all_known
    exact_words: bool = False
    told: KnownCopies = nothing_told


@dataclass(slots=True)
class ResolvedQuery:
    """One query as it can be answered.

    `row` is its unit-length vector `(dim,)`, `key` names its examples, items by id and photos by content;
    `own` are the items that are examples and therefore no hits.
    """

    query: Query
    row: Vectors
    names: dict[int, str] = field(default_factory=dict)
    is_understood: bool = True
    """Whether `row` means something; else only its exact words may be looked for."""

    @property
    def own(self) -> frozenset[int]:
        """The items among the examples."""
        return frozenset(each.source for each in self.query if isinstance(each.source, int))

    @property
    def words(self) -> str:
        """The words that are wanted."""
        examples = (each.source for each in self.query if each.weight > 0)
        return " ".join(each.text for each in examples if isinstance(each, Words))

    @property
    def key(self) -> str:
        """One text for the same examples, in whatever order and under whatever file name."""
        return " ".join(sorted(self.names[at] + _manner(example) for at, example in enumerate(self.query)))

    def __str__(self) -> str:
        """Name the query for people: a path or an id where it is one plain photo or item."""
        if (
            len(self.query) == 1
            and not _manner(self.query[0])
            and isinstance(self.query[0].source, Path | int)
        ):
            return str(self.query[0].source)
        return self.key


def needs_model(query: Query) -> bool:
    """Whether a photo or words must be embedded to answer."""
    return any(not isinstance(each.source, int | Vector) or each.box is not None for each in query)


def item_key(item_id: int) -> str:
    """Return the key of a query by one item."""
    return f"{_ITEM}{item_id}"


def item_of(key: str) -> int | None:
    """Return the item that a query's key stands for; None where it is no single item."""
    number = key.removeprefix(_ITEM)
    return int(number) if number != key and number.isdigit() else None


def photo_key(content_hash: bytes) -> str:
    """Return the key of a query by one photo."""
    return f"{PHOTO}{content_hash.hex()[:32]}"


def resolve(context: QueryContext, queries: Sequence[Query]) -> list[ResolvedQuery]:
    """Return each query with its vector; photos are decoded and embedded together."""
    resolved = [ResolvedQuery(query, np.zeros(context.space.dim, np.float32)) for query in queries]
    places = [(one, at) for one in resolved for at in range(len(one.query))]
    photos = [place for place in places if _is_photo(_example(place))]
    for (one, at), row, digest in _photo_rows(context, photos):
        _put(one, at, row, photo_key(digest))
    stored = _stored_rows(context, places)
    for one, at in places:
        source = one.query[at].source
        if isinstance(source, Words):
            one.is_understood &= _is_understood(context, one, source)
            _put(one, at, _words_row(context, source), f"words:{json.dumps(source.text, ensure_ascii=False)}")
        elif isinstance(source, Vector):
            _put(
                one,
                at,
                _given_row(context, source),
                f"vector:{sha256(source.row.tobytes()).hexdigest()[:32]}",
            )
        elif isinstance(source, int) and one.query[at].box is None:
            row = stored[source] if source in stored else _stored(context, source)
            _put(one, at, row, item_key(source))
        if isinstance(source, int):
            one.names[at] = item_key(source)
    for one in resolved:
        one.row = _direction(one)
    return resolved


def _is_photo(example: Example) -> bool:
    return isinstance(example.source, Path | bytes) or (
        isinstance(example.source, int) and example.box is not None
    )


def _example(place: tuple[ResolvedQuery, int]) -> Example:
    one, at = place
    return one.query[at]


def _put(one: ResolvedQuery, at: int, row: Vectors, name: str) -> None:
    if not have_direction(row[None])[0]:
        raise QueryError(f"cannot search by {name or 'an item'}: {NO_DIRECTION}")
    if len(one.query) == 1 and one.query[at].weight > 0:
        one.row = row.copy()  # to the last bit what is stored of it
    else:
        one.row = one.row + one.query[at].weight * row
    one.names[at] = name


def _direction(one: ResolvedQuery) -> Vectors:
    if len(one.query) == 1 and one.query[0].weight > 0:
        return one.row
    if np.linalg.norm(one.row) < _NO_DIRECTION:
        raise UsageError("the examples cancel each other out; change a weight")
    row: Vectors = unit_length(one.row[None])[0]
    return row


def _photo_rows(
    context: QueryContext, places: list[tuple[ResolvedQuery, int]]
) -> Iterator[tuple[tuple[ResolvedQuery, int], Vectors, bytes]]:
    """Yield each example that shows a photo, with its unit-length row and the sha256 of its content."""
    if not places:
        return
    photos = shown_photos(context, map(_example, places))
    waiting = iter(places)
    for some, rows in embed_decoded(photo_embedder(context), photos):
        for place, photo, row in zip(islice(waiting, len(some)), some, rows, strict=True):
            yield place, row, photo.content_hash


def shown_photos(context: QueryContext, examples: Iterable[Example]) -> Iterator[Photo]:
    """Yield the photo that each example shows, or the part of it, decoded for the model of the space.

    Raises `QueryError` for what cannot be read, or is not what was added.
    """
    examples = list(examples)
    answers = context.decoder.photos(_request(context, example) for example in examples)
    yield from (_sound(context, each, answer) for each, answer in zip(examples, answers, strict=True))


def _request(context: QueryContext, example: Example) -> PhotoRequest:
    view, source = photo_embedder(context).spec.view, example.source
    if isinstance(source, bytes):
        return PhotoRequest(
            "the photo", "", view, content=source, box=example.box, max_pixels=context.max_pixels
        )
    if isinstance(source, int) and is_fetched((item := _item(context, source)).uri):
        try:
            content = read_recorded(item)
        except NotFoundError as error:
            raise QueryError(f"cannot search by a part of item {source}: {error}") from error
        return PhotoRequest(item.uri, "", view, content=content, box=example.box)
    path = Path(path_of(_item(context, source).uri)) if isinstance(source, int) else source
    assert isinstance(path, Path)  # words are no photo
    return PhotoRequest(str(path), str(path.absolute()), view, box=example.box)


def photo_embedder(context: QueryContext) -> Embedder:
    """Return what embeds a photo that a query shows: the caller brings an embedder whenever one does."""
    if context.embedder is None or isinstance(context.embedder, TextEmbedder):
        raise UsageError("this collection holds texts: search it by words or by an item, not by a photo")
    return context.embedder


def _item(context: QueryContext, item_id: int) -> Item:
    item = context.engine.items.get([item_id]).get(item_id)
    if item is None:
        raise NotFoundError(f"item {item_id} is not in this collection")
    return item


def _sound(context: QueryContext, example: Example, answer: Photo | Skipped) -> Photo:
    source = example.source
    if isinstance(answer, Skipped):
        raise QueryError(f"cannot search by {answer.uri}: {answer.reason}")
    if isinstance(source, int) and _item(context, source).content_hash != answer.content_hash:
        raise QueryError(f"cannot search by a part of item {source}: its file has changed since it was added")
    return answer


def _words_row(context: QueryContext, words: Words) -> Vectors:
    if not isinstance(context.embedder, WordsEmbedder):
        raise UsageError("this collection has no space that words can search")
    row: Vectors = context.embedder.embed_words([words.text])[0]
    return row


def _given_row(context: QueryContext, vector: Vector) -> Vectors:
    if len(vector.row) != context.space.dim:
        raise UsageError(
            f"a vector of {len(vector.row):,} numbers cannot be searched for in {context.space.name}, whose "
            f"vectors have {context.space.dim:,}"
        )
    row: Vectors = unit_length(vector.row[None])[0]
    return row


def _is_understood(context: QueryContext, one: ResolvedQuery, words: Words) -> bool:
    """Whether the model knows something of the words; raises `QueryError` where only it could answer."""
    if not isinstance(context.embedder, WordsEmbedder) or known_shares(context.embedder, [words.text])[0] > 0:
        return True
    if context.exact_words and len(one.query) == 1 and one.query[0].weight > 0:
        return False
    raise QueryError(_unreadable(context, f"{words.text[:80]!r}"))


def _unreadable(context: QueryContext, what: str) -> str:
    space = context.space
    exact = "; --hybrid finds exact words" if space.kind == "text" and not context.exact_words else ""
    return (
        f"the model {space.name} knows no word of {what}, so that any answer would be by chance{exact}"
        f"{other_model(space.kind, space.reference)}"
    )


def _stored_rows(context: QueryContext, places: list[tuple[ResolvedQuery, int]]) -> dict[int, Vectors]:
    """Return the vectors of photos that are examples, where several are: read together."""
    examples = map(_example, places)
    wanted = {each.source for each in examples if isinstance(each.source, int) and each.box is None}
    if len(wanted) < 2 or context.space.kind == "text":  # which are looked into one by one
        return {}
    block = context.engine.vectors(context.space).fetch(sorted(wanted))
    return dict(zip(block.ids.tolist(), block.rows, strict=True))


def _stored(context: QueryContext, item_id: int) -> Vectors:
    block = context.engine.vectors(context.space).fetch([item_id])
    if block.damaged:
        raise DamagedError(f"item {item_id} is damaged; run: lookalike verify --repair")
    if not len(block.ids):
        _item(context, item_id)  # refuses one that is not there
        raise NotFoundError(f"item {item_id} has no vector in this space yet; run: lookalike add")
    text = _item(context, item_id).text if context.space.kind == "text" else None
    if text is not None and not is_plain(text) and context.known_shares([text])[0] == 0:
        raise QueryError(_unreadable(context, f"item {item_id}"))
    row: Vectors = block.rows[0]
    return row


def _manner(example: Example) -> str:
    """Say weight and box where they are not the plain ones."""
    weight = "" if example.weight == 1 else f"*{example.weight:g}"
    box = "" if example.box is None else "@" + ",".join(f"{part:.4g}" for part in astuple(example.box))
    return weight + box
