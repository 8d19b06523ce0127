"""The values that travel between the stages: plain frozen dataclasses, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

if TYPE_CHECKING:  # decode workers import this module and start faster without numpy
    import numpy as np
    import numpy.typing as npt

Vectors: TypeAlias = "npt.NDArray[np.float32]"
"""Unit-length rows, C-order float32, shape `(n, dim)`."""

Ids: TypeAlias = "npt.NDArray[np.int64]"
"""Item ids, int64, shape `(n,)`."""

MetadataValue = str | int | float
Metadata = Mapping[str, MetadataValue]
"""Facts of one photo, read from its file and the sidecars beside it: see `FACTS`. Only facts that are stated
are present. `taken` is local time in ISO 8601, `lat` and `lon` are degrees, `exposure` is seconds, `rating`
−1 (rejected) to 5, `keywords` are one text, joined by "; ", as are in `sidecar` the names of the files beside
it that state some of them."""

FACTS = frozenset(
    (
        *("width", "height", "format", "taken", "camera", "lens", "iso", "exposure", "lat", "lon"),
        *("rating", "title", "keywords", "sidecar"),
    )
)
"""The names of what is read from a photo, and may be stated otherwise another time."""

PHASH = "phash"
"""The name of a photo's perceptual hash among its metadata; see `matching/hashes.py`."""

GREY_SIDE = 64  # pixels of a photo's whole frame in grey, of which that hash is made

Kind = Literal["photo", "text"]
"""What the items of a collection are; one collection holds one kind."""

OnStep = Callable[[str, int, int | None], None]
"""Hears of progress: the step's name, how much is done, and of how much (None: not known)."""

Outcome = Literal["added", "unchanged", "moved", "updated", "skipped"]
"""What became of one file that was found."""


_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells an unchanged file from a changed one: size in bytes, and when it last changed, in ns.

    That is the time of modification, which many programs put back, or a later time of change, which none can
    set; of a photo that of its newest sidecar if later. Times before 1678 or after 2262 become the nearest.
    """

    size: int
    mtime_ns: int

    def __post_init__(self) -> None:
        """Keep both numbers within 64 bits."""
        if not (0 <= self.size <= _LARGEST and -_LARGEST <= self.mtime_ns <= _LARGEST):
            object.__setattr__(self, "size", min(max(self.size, 0), _LARGEST))
            object.__setattr__(self, "mtime_ns", min(max(self.mtime_ns, -_LARGEST), _LARGEST))


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that the walk came across: its uri and either its stamp or why it cannot be read.

    With `is_left_out`, it is a file or folder that was left out, for a reason that others are told.
    """

    uri: str
    stamp: FileStamp | None
    problem: str | None = None
    is_left_out: bool = False


Fit = Literal["crop", "squash", "steps"]
"""How a photo becomes a square; see `View`."""


@dataclass(frozen=True, slots=True)
class View:
    """How a model wants to see a photo: an upright RGB square of `size` pixels.

    With `fit` "crop", the short side of the photo is taken times `fraction`, a centred square of that side
    is cut out and scaled to `size` with the `resample` filter (a name of `PIL.Image.Resampling`). With
    "squash", the whole photo is scaled to the square (of `short_side`, where that is larger, whose centre is
    cut out then). With "steps", the short side is first scaled to `short_side` whole pixels, then the centred
    square of `size` is cut out, as most published models do it.
    """

    size: int
    fraction: float = 1.0
    resample: str = "BICUBIC"
    fit: Fit = "crop"
    short_side: int = 0
    below: tuple[View, ...] = ()
    """Further squares of the same photo; each comes below the one before, at the left, on black."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the square, or of all squares together."""
        sizes = [self.size, *(each.size for each in self.below)]
        return sum(sizes), max(sizes)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an upright photo, in fractions 0–1 of its width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Words:
    """A query in words, for spaces that words can search."""

    text: str


@dataclass(frozen=True, slots=True)
class Photo:
    """One decoded photo: what was read from its bytes in a single pass."""

    uri: str
    stamp: FileStamp
    content_hash: bytes
    pixels: npt.NDArray[np.uint8] | None
    """RGB 0–255, of the view's shape `(height, width, 3)`; None when the content was known and decoding was
    not needed."""
    metadata: Metadata = field(default_factory=dict)
    grey: npt.NDArray[np.uint8] | None = None
    """The whole frame in grey, `(64, 64)`, however wide it is; None where `pixels` is."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One text as the model reads it: a row of a file, a passage of one, or a passage of a long row.

    `uri` is the file's and `#` with the number of the row or passage (`tweets.csv#12`, a long row's third
    passage `tweets.csv#12.3`), counted from 1; `metadata` holds the row's other columns. `stamp` has the size
    of the text in bytes of UTF-8 and the moment of its file.
    """

    uri: str
    text: str
    content_hash: bytes
    """sha256 of the text in UTF-8."""
    stamp: FileStamp
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that could not become an item, with the reason as one readable line.

    `lasting` is False for reasons that may be gone next time (a locked file, a time limit): those are
    tried again.
    """

    uri: str
    reason: str
    stamp: FileStamp | None = None
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One photo or one text of a collection.

    A text's `uri` is the first of its `places`, such as `/home/me/tweets.csv#12`; `text` is None for photos.
    """

    id: int
    uri: str
    content_hash: bytes
    stamp: FileStamp
    metadata: Metadata
    text: str | None = None
    places: int = 1
    """At how many places the same text stands."""


@dataclass(frozen=True, slots=True)
class CopiedItem:
    """An item as another collection has it: all places of a text, vectors `(dim,)` by number of space."""

    item: Item
    places: list[str]
    vectors: dict[int, Vectors]


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: an item and its score, the cosine similarity to the query (−1 to 1, bigger is closer).

    `copy_of` is the id of the first better hit that this one is a near copy of (the same photo in another
    size, format or edit), where that was asked for; `copy_how` says how, in words.
    """

    id: int
    uri: str
    score: float
    metadata: Metadata
    content_hash: bytes
    copy_of: int | None = None
    text: str | None = None
    places: int = 1
    matched: bool = False
    """Whether it was also found by the exact words of the query (`SearchOptions.hybrid`)."""
    closer_than: float | None = None
    """The share of random pairs of the collection that score lower, 0 to 1 (see `background`); None where it
    was not asked for or cannot be told: for words among photos, several examples, few items."""
    copy_how: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult(Sequence[Hit]):
    """The hits of one query, best first, and how far to trust them.

    `recall` is 1.0 where the answer is exact, None where it was not measured; else the share of the true 10
    nearest that the index finds, as measured on this collection without conditions. `damaged` lists items
    left out because their stored bytes are not what was written. `query` is what was asked, for people; `key`
    names items by id and photos by content, so that a photo's name does not matter: votes are kept under it.
    `more` tells whether hits follow these.
    """

    query: str
    space: str
    recall: float | None
    hits: tuple[Hit, ...]
    damaged: tuple[int, ...] = ()
    missing: int = 0
    """How many items more were left out, since the damaged store does not find them."""
    key: str = ""
    more: bool = False
    reranked: bool = False
    """Whether hits that are like other hits moved up (`SearchOptions.rerank`); scores may rise then."""
    background: float | None = None
    """Hits that score below it are no closer than what has nothing to do with the query (see `background`);
    None where it was not asked for or cannot be told."""

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, at: int) -> Hit: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, at: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[at]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which hits of a query are wanted.

    `k` hits after the first `offset`, in the space of that name (None: the default one). `mark_copies` fills
    `Hit.copy_of` and `copy_how`, `background` `SearchResult.background` and `Hit.closer_than`.
    """

    k: int = 8
    offset: int = 0
    space: str | None = None
    mark_copies: bool = False
    background: bool = False
    hybrid: bool = False
    """Let exact words count beside meaning; for texts."""
    rerank: bool | None = None
    """Let hits vouch for each other in their order; scores stay cosines. None: yes for one example, but not
    beside `hybrid` or `any_way_up`, where it cannot be, nor for words among photos: fewer are right then."""
    any_way_up: bool = False
    """Ask with a photo turned, mirrored, by its parts, and as a part; each item has its best score."""


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one model in one collection.

    `model_id` is the sha256 of all that decides a vector: the model's files and how its input is prepared.
    `reference` is how the model is found again: a bundled name, a repository pinned to a revision, a folder;
    empty where no model is known (imported vectors). `approximate` vectors were decoded from a lossy index.
    """

    id: int
    name: str
    model_id: str
    dim: int
    is_default: bool
    kind: Kind = "photo"
    reference: str = ""
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """What someone thinks of a hit: `value` is 1 (it is like the query) or −1.

    `query` is the `SearchResult.key` it was a hit of, `at` the moment in UTC, ISO 8601. `uri` is None when
    the item was removed, or its content is not what was voted on any more.
    """

    id: int
    query: str
    item_id: int
    value: int
    space: str
    at: str
    content_hash: bytes
    uri: str | None


@dataclass(frozen=True, slots=True)
class Credit:
    """What a space earned in one round of interleaved hits: someone opened its hit, or voted on it.

    `round` stands for one answer that was shown, `other` is the space it was interleaved with. `kind` is
    "click" or "vote", `value` 1 or −1, `day` the date in UTC, ISO 8601.
    """

    round: str
    query: str
    space: str
    other: str
    item_id: int
    kind: Literal["click", "vote"]
    value: int
    day: str


@dataclass(frozen=True, slots=True)
class Committed:
    """One file whose outcome is on disk: it survives whatever happens next."""

    uri: str
    outcome: Outcome
    item_id: int | None = None
    reason: str | None = None
