"""What the API takes and gives, as types: requests are checked by them, the OpenAPI document shows them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

MAX_UPLOAD_BYTES = 20_000_000
MAX_UPLOAD_PIXELS = 50_000_000
MAX_DECODE_SECONDS = 20.0
"""Of all photos of one request together, those of all workers added up."""
MAX_EXAMPLES = 32
MAX_WORDS = 10_000
"""Letters of one example in words."""
DEEPEST = 10_000
"""The largest offset of a search."""
THUMBNAIL_SIZES = (320, 640, 1600)
"""The longest sides of thumbnails: a cell of the grid, the same on a dense screen, the large view."""

Id = Annotated[int, Meta(ge=1, le=2**63 - 1, description="An item's id; never given twice.")]
Where = Annotated[
    list[Annotated[str, Meta(max_length=10_000)]],
    Meta(
        max_length=32,
        description="Conditions that every item meets, such as `camera=canon*`, `taken>=2019-06`: "
        "FIELD OPERATOR VALUE; fields id, uri, folder, taken, camera, lens, iso, exposure, format, width, "
        "height, lat, lon, rating, title, keywords, of "
        "texts any column; "
        "operators = != < <= > >=.",
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Weight = Annotated[
    float, Meta(ge=-1, le=1, description="How much it counts; below 0: not like this; never 0.")
]
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=10_000,
        description="The `query` of a search's answer: its examples by content.",
    ),
]
Rerank = Annotated[
    bool,
    Meta(
        description="Whether hits that are like other hits move up; null: yes for one example, but not for "
        "photos by words nor with `hybrid`."
    ),
]
SpaceName = Annotated[str, Meta(min_length=1, max_length=200)]
RoundId = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,40}$")]


class Input(Struct, forbid_unknown_fields=True, frozen=True):
    """What a client sends: unknown fields are refused."""


class Metadata(Struct, omit_defaults=True):
    """Facts of one photo, only those that its file states; of a text, the other columns of its row.

    Width and height are those of the upright photo in pixels, `taken` is local time in ISO 8601, `lat` and
    `lon` are degrees, `exposure` is seconds, `rating` −1 to 5; `keywords` are joined by "; ".
    """

    width: int | None = None
    height: int | None = None
    format: str | None = None
    taken: str | None = None
    camera: str | None = None
    lens: str | None = None
    iso: int | None = None
    exposure: float | None = None
    rating: int | None = None
    title: str | None = None
    keywords: str | None = None
    lat: float | None = None
    lon: float | None = None


Places = Annotated[int, Meta(ge=1, description="At how many places the same text stands.")]


class Item(Struct, omit_defaults=True):
    """One photo or text of the collection; `content` is the beginning of its sha256.

    `text` and `places` are those of texts only, whose `uri` is that of their first place.
    """

    id: Id
    uri: str
    content: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    metadata: Metadata
    text: str | msgspec.UnsetType = msgspec.UNSET
    places: Places | msgspec.UnsetType = msgspec.UNSET


class Hit(Struct, omit_defaults=True):
    """One answer: an item and its score, the cosine similarity to the query.

    `copy_of` is the id of the first better hit that this one is a near copy of, `copy_how` says in words how
    it is one, such as "cropped" or "mirrored". `closer_than` is the share of random pairs of the collection
    that score lower. `matched`: it has the exact words of the query (for `hybrid` searches).
    """

    id: Id
    uri: str
    content: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    score: Annotated[float, Meta(ge=-1, le=1)]
    metadata: Metadata
    copy_of: Id | msgspec.UnsetType = msgspec.UNSET
    copy_how: list[str] | msgspec.UnsetType = msgspec.UNSET
    closer_than: Annotated[float, Meta(ge=0, le=1)] | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    places: Places | msgspec.UnsetType = msgspec.UNSET
    matched: bool = False


class Example(Input, frozen=True):
    """One example of a query: exactly one of `item`, `upload` and `words`.

    `upload` is the number, from 0, of a file sent along. `box` is a part of the photo: left, top, width and
    height as fractions of the upright photo.
    """

    item: Id | msgspec.UnsetType = msgspec.UNSET
    upload: Annotated[int, Meta(ge=0, lt=MAX_EXAMPLES)] | msgspec.UnsetType = msgspec.UNSET
    words: Annotated[str, Meta(min_length=1, max_length=MAX_WORDS)] | msgspec.UnsetType = msgspec.UNSET
    weight: Weight = 1.0
    box: Annotated[list[Fraction], Meta(min_length=4, max_length=4)] | None = None


class SearchRequest(Input, frozen=True):
    """A query and which of its hits are wanted: `k` after the first `offset`."""

    examples: Annotated[list[Example], Meta(min_length=1, max_length=MAX_EXAMPLES)]
    k: Annotated[int, Meta(ge=1, le=200)] = 8
    offset: Annotated[int, Meta(ge=0, le=DEEPEST)] = 0
    where: Where = []
    space: SpaceName | None = None
    hybrid: Annotated[bool, Meta(description="Let exact words count beside meaning; for texts.")] = False
    rerank: Rerank | None = None
    any_way_up: Annotated[bool, Meta(description="Find the photo turned, mirrored or cropped, too.")] = False
    round: Annotated[RoundId, Meta(description="Of the page before this one.")] | None = None


class SearchAnswer(Struct, omit_defaults=True):
    """The hits, best first; the items used as examples are left out.

    `reranked`: the best 200 are in the order in which they vouch for each other; `score` stays the cosine.
    `recall` is the share of the true 10 nearest that the index finds, 1 where search is exact (null: not
    measured). Hits that score below `background` are no closer than what has nothing to do with the query
    (null: cannot be told).
    `damaged` are items left out because their stored bytes are not what was written, `missing` how many more
    the damaged store does not find. `round`: two spaces answered in turns; clicks on hits are sent under it.
    """

    query: Key
    space: SpaceName
    recall: float | None
    hits: list[Hit]
    more: bool
    background: float | None
    reranked: bool = False
    damaged: list[Id] | msgspec.UnsetType = msgspec.UNSET
    missing: int | msgspec.UnsetType = msgspec.UNSET
    round: RoundId | None = None


class SpaceFacts(Struct):
    """The vectors of one model. `index` is "exact", "ivf" or "none yet", `recall` is measured here.

    `approximate`: they were decoded from a lossy index. `missing`: items that have none in it yet.
    """

    name: SpaceName
    dim: int
    vectors: int
    index: str
    recall: float | None
    is_default: bool
    takes_words: bool
    approximate: bool
    missing: int


class CollectionFacts(Struct):
    """The collection and what this server offers.

    `building`: the index is being built; answers are exact and slower meanwhile. `can_fetch`: `fetchPhoto`
    is on. `can_remove`: `removeCopies` is.
    """

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["photo", "text"]})]
    items: int
    skipped: int
    building: bool
    can_fetch: bool
    can_remove: bool
    spaces: list[SpaceFacts]
    ab: Annotated[bool, Meta(description="Two spaces answer in turns, to be compared.")]
    thumbnail_sizes: list[int]
    max_upload_bytes: int


class Facet(Struct):
    """One value and how many items have it."""

    value: str
    count: int


class FacetsAnswer(Struct):
    """What items can be filtered by; `taken` holds the first and the last moment.

    Counts are `estimated` from a part of the items where there are very many.
    """

    cameras: list[Facet]
    folders: list[Facet]
    taken: Annotated[list[str], Meta(min_length=2, max_length=2)] | None
    estimated: bool


class ItemsPage(Struct):
    """Items by ascending id; `next` is the cursor of the next page, null after the last."""

    items: list[Item]
    next: str | None


class ItemsAnswer(Struct):
    """Items in random order."""

    items: list[Item]


class VoteRequest(Input, frozen=True):
    """A vote on a hit: 1, −1, or 0 to withdraw it; `query` is that of the search's answer."""

    query: Key
    item: Id
    vote: Annotated[int, Meta(ge=-1, le=1)]
    space: SpaceName | None = None
    round: Annotated[RoundId, Meta(description="Of the search's answer, if it had one.")] | None = None


class VoteAnswer(Struct):
    """The vote as it is kept now; 0: none. `credited`: it counts for the space that found the hit, too."""

    query: Key
    item: Id
    vote: int
    credited: bool


class Vote(Struct):
    """One vote; `uri` is null when the item is gone or its photo has changed since. `at` is UTC."""

    query: Key
    item: Id
    uri: str | None
    vote: int
    space: SpaceName
    at: str


class VotesPage(Struct):
    """Votes in the order given; `next` is the cursor of the next page, null after the last."""

    votes: list[Vote]
    next: str | None


class ClickRequest(Input, frozen=True):
    """The hit that was opened."""

    item: Id


class ClickAnswer(Struct):
    """The hit whose click is kept; further ones count no more."""

    item: Id


class RateAnswer(Struct):
    """A query and what is to be judged for it, in an order that shows no source; null when all is done.

    Judgements are votes under `key`. `judged` and `left` count this query's candidates, `queries_judged` of
    `queries` are done.
    """

    query: Item | None
    key: Key | None
    candidates: list[Item]
    judged: int
    left: int
    queries: int
    queries_judged: int


class FetchRequest(Input, frozen=True):
    """The address of a picture: http or https, on a public host."""

    address: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Health(Struct):
    """The server answers, and is `ready` where the collection does, too; `reason` says why it is not."""

    status: str
    version: str
    ready: bool
    reason: str | None


class ErrorFacts(Struct):
    """A code for programs and one readable line."""

    code: str
    message: str


class ErrorAnswer(Struct):
    """What every failure answers."""

    error: ErrorFacts
