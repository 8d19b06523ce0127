"""The parameters in addresses of the API, as types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from lookalike.faces.server.schema import THUMBNAIL_SIZES, Id, Input, Key, RoundId, SpaceName, Where
from lookalike.faces.server.schema_copies import Level, State


class RateQuery(Input, frozen=True):
    """Between which spaces (none: all that photos or texts search), how deep, and behind which query."""

    space: Annotated[list[SpaceName], Meta(max_length=8)] = field(default_factory=list)
    depth: Annotated[int, Meta(ge=1, le=100)] = 10
    after: Id | None = None


class NoQuery(Input, frozen=True):
    """No parameters."""


class HealthQuery(Input, frozen=True):
    """Whether a server that is not ready answers 503."""

    ready: bool = False


class ItemQuery(Input, frozen=True):
    """Which item."""

    id: Id


class ThumbnailQuery(Input, frozen=True):
    """Which item; the longest side in pixels; `v`: its `content`, so that the answer may be kept for ever."""

    id: Id
    size: Annotated[int, Meta(extra_json_schema={"enum": list(THUMBNAIL_SIZES)})] = THUMBNAIL_SIZES[0]
    v: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")] | None = None


Limit = Annotated[int, Meta(ge=1, le=200)]

Cursor = Annotated[str, Meta(pattern="^[0-9]{1,18}$")]


class BrowseQuery(Input, frozen=True):
    """How many items, where to go on, and which."""

    limit: Limit = 40
    cursor: Cursor | None = None
    where: Where = field(default_factory=list)


class RandomQuery(Input, frozen=True):
    """How many items, and which."""

    n: Limit = 1
    where: Where = field(default_factory=list)


class RoundQuery(Input, frozen=True):
    """Which round."""

    round: RoundId


class VotesQuery(Input, frozen=True):
    """Only the votes of one query; how many, and where to go on."""

    query: Key | None = None
    limit: Limit = 200
    cursor: Cursor | None = None


class CopiesQuery(Input, frozen=True):
    """Groups of which level and state, of which items; how many, and where to go on."""

    level: Level = "photo"
    state: State = "open"
    offset: Annotated[int, Meta(ge=0, le=2**31)] = 0
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    where: Where = field(default_factory=list)
