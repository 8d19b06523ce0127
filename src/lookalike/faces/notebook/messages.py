"""What the notebook's widget asks its kernel for: one message for each thing."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Start(Struct, tag_field="kind", tag="start", frozen=True):
    """A view of the widget is there and wants to know what to show."""


class ByItem(Struct, tag_field="kind", tag="item", frozen=True):
    """Search by an item."""

    item: int


class ByPhoto(Struct, tag_field="kind", tag="photo", frozen=True):
    """Search by a photo that comes in pieces, one a message: servers cut off what is larger than 10 MB."""

    name: Annotated[str, Meta(max_length=1_000)]
    piece: Annotated[int, Meta(ge=0)]
    pieces: Annotated[int, Meta(ge=1)]


class ByAddress(Struct, tag_field="kind", tag="address", frozen=True):
    """Search by the picture at an address."""

    address: Annotated[str, Meta(max_length=2_000)]


class ByWords(Struct, tag_field="kind", tag="words", frozen=True):
    """Search by words."""

    words: str


class ByChance(Struct, tag_field="kind", tag="random", frozen=True):
    """Search by any item."""


class Back(Struct, tag_field="kind", tag="back", frozen=True):
    """Return to the answer before this one."""


class More(Struct, tag_field="kind", tag="more", frozen=True):
    """The end of the answer of that number comes near the screen."""

    answer: int


class Thumbnail(Struct, tag_field="kind", tag="thumbnail", frozen=True):
    """A hit comes near the screen and needs its picture."""

    item: int
    size: Literal[320, 640]


Message = Start | ByItem | ByPhoto | ByAddress | ByWords | ByChance | Back | More | Thumbnail
