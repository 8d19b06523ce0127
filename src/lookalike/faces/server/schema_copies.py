"""What the API takes and gives about copies, as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from lookalike.faces.server.schema import Id, Input, Item

MOST_MEMBERS = 500
"""Members of one group that are sent, and items that are decided on at a time."""

Level = Annotated[
    Literal["file", "photo", "scene"],
    Meta(
        description="How much is the same, each with those before it: the bytes; the photo, edited, cropped "
        "or turned; the moment or thing."
    ),
]
State = Annotated[
    Literal["open", "decided", "all"], Meta(description="Whether someone has decided about the group.")
]
GivenVerdict = Annotated[
    Literal["different", "keep both", "best"] | None,
    Meta(description="They are not the same; they are, and all stay; `best` is the best; null: withdrawn."),
]
Condition = Annotated[str, Meta(max_length=1_000)]
Six = Annotated[list[float], Meta(min_length=6, max_length=6)]


class CopyMember(Struct):
    """One of a group: how it is a copy of the best one, the most telling first, in words.

    `mapping` is `a b c d e f` of CSS' matrix, which takes a point of this one to where it lies in the best
    one; both are upright, and their longest sides are 1. Null where it was not looked for. `bytes` is the
    size of the file.
    """

    item: Item
    bytes: Annotated[int, Meta(ge=0)]
    is_best: bool
    how: list[str]
    mapping: Six | None


class CopyGroup(Struct):
    """Items that are all copies of each other, the one that is suggested as the best first, and why it is.

    `size` is how many there are, of which up to 500 are `members`. `key` names the group by its contents.
    """

    key: str
    level: Level
    why_best: list[str]
    is_decided: bool
    size: int
    members: list[CopyMember]


class CopiesProgress(Struct):
    """What is known: `looked_at` of the `photos` were compared closely, `skipped` could not be looked at.

    While `is_looking` there may be more soon; `done` of `total` are what it has to do (null: not known).
    `problem` is what ended it, null where nothing did.
    """

    looked_at: int
    photos: int
    skipped: int
    is_looking: bool
    done: int | None
    total: int | None
    problem: str | None


class CopiesPage(Struct):
    """Groups of copies; of all `total` groups, `decided` are decided.

    `next` is the offset to go on from, now or when there is `more`. Offsets count all groups, whatever their
    state, and a group keeps its place while the server runs: pages neither skip nor repeat one, whatever is
    decided meanwhile.
    """

    total: int
    decided: int
    progress: CopiesProgress
    groups: list[CopyGroup]
    next: int
    more: bool


class DecisionRequest(Input, frozen=True):
    """What holds of all pairs of these items; with "best", of `best` and each of the others."""

    verdict: GivenVerdict
    items: Annotated[list[Id], Meta(min_length=2, max_length=MOST_MEMBERS)]
    best: Id | None = None


class DecisionAnswer(Struct):
    """What is kept now, about so many pairs of contents; there is no decision on two files of one content."""

    verdict: GivenVerdict
    items: list[Id]
    pairs: int


class RemovalRequest(Input, frozen=True):
    """The items whose files are to go, copies of `keep` in the group shown at that level and `where`."""

    items: Annotated[list[Id], Meta(min_length=1, max_length=MOST_MEMBERS)]
    keep: Id
    level: Level = "photo"
    where: Annotated[list[Condition], Meta(max_length=32)] = field(default_factory=list)


class LeftFile(Struct):
    """A file that stayed where it is, and why."""

    id: Id
    reason: str


class RemovalAnswer(Struct):
    """Items whose files are in the trash now, and those whose files stayed."""

    removed: list[Id]
    left: list[LeftFile]
