"""The walk through all that one run is given: folders and files here, and remote places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.records import FoundFile, Kind
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.identity import Identities
from lookalike.sources.kinds import is_photo, is_text
from lookalike.sources.remote.addresses import Source, is_address, is_picture_table, is_shard, is_web
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import path_of, uri_of
from lookalike.sources.walk import Walk

_MOST_TABLES = 3  # that are opened to tell what lies in all

if TYPE_CHECKING:
    from lookalike.sources.remote.walk import RemoteWalk


@dataclass(slots=True)
class WideWalk:
    """Walks paths and addresses as one, with the face of `walk.Walk`; see there and `RemoteWalk`."""

    sources: Sequence[Source]
    own: Path | None = None
    rules: Exclusions = field(default_factory=Exclusions)
    wanted: Kind | None = None
    begins_like_photo: Callable[[str], bool] = lambda _: False
    sidecars: Sidecars = field(default_factory=Sidecars)
    inner_excluded: Counter[str] = field(default_factory=Counter)
    inner_aside: Counter[str] = field(default_factory=Counter)
    """What was left out of shards and tables, which are not opened by the walk itself."""
    here: Walk = field(init=False)
    beyond: RemoteWalk | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Part the sources."""
        paths = [each for each in self.sources if isinstance(each, Path)]
        addresses = [each for each in self.sources if isinstance(each, str)]
        self.here = Walk(paths, self.own, self.rules, self.wanted, self.begins_like_photo, self.sidecars)
        if addresses:
            from lookalike.sources.remote.walk import RemoteWalk  # loads much that files do without

            self.beyond = RemoteWalk(addresses, self.rules, self.wanted)

    def files(self) -> Iterator[FoundFile]:
        """Yield every file, then every object."""
        yield from self.here.files()
        if self.beyond is not None:
            yield from self.beyond.files()

    @property
    def closed(self) -> list[str]:
        """The folders and addresses that could not be looked into."""
        return [*self.here.closed, *(self.beyond.closed if self.beyond else ())]

    @property
    def excluded(self) -> Counter[str]:
        """What was left out, by reason."""
        return self.inner_excluded + self.here.excluded + (self.beyond.excluded if self.beyond else Counter())

    @property
    def aside(self) -> Counter[str]:
        """What never claimed to be what is looked for, by kind."""
        return self.inner_aside + self.here.aside + (self.beyond.aside if self.beyond else Counter())

    @property
    def roots(self) -> dict[str, Source]:
        """The folders and addresses that were looked into, by their uris."""
        return {**self.here.roots, **(self.beyond.roots if self.beyond else {})}

    @property
    def listed_whole(self) -> frozenset[str]:
        """The roots of which everything was listed, so that what was not found below is gone.

        Pages of the web are none: they link to what they like.
        """
        return frozenset(each for each in (self.beyond.roots if self.beyond else ()) if not is_web(each))

    @property
    def empty(self) -> list[str]:
        """The addresses at which nothing lies."""
        return self.beyond.empty if self.beyond else []

    @property
    def identities(self) -> Identities:
        """What tells which paths lead to one file."""
        return self.here.identities

    @property
    def named(self) -> list[str]:
        """The uris of all sources."""
        return [each if isinstance(each, str) else uri_of(each) for each in self.sources]


def kind_of(sources: Sequence[Source], rules: Exclusions | None = None, *, look: bool = True) -> Kind | None:
    """Tell whether photos or texts lie at `sources`, by names and a look into tables; None where none can.

    A single photo is enough: a folder of both is taken for one of photos. Without `look`, tables that may
    hold either tell nothing.
    """
    if any(is_shard(str(each)) for each in sources):
        return "photo"
    texts, tables = False, 0
    walk = WideWalk(sources, rules=rules or Exclusions())
    named = frozenset(walk.named)
    for found in walk.files():
        if found.is_left_out:
            continue
        is_far = is_address(found.uri)
        if is_photo(found.uri) or (is_far and is_shard(found.uri)):
            return "photo"
        if is_picture_table(found.uri) and (is_far or found.uri in named):
            if not look:
                continue
            tables += 1
            if tables <= _MOST_TABLES and _holds_pictures(found.uri):
                return "photo"
        texts = texts or is_text(found.uri)
    return "text" if texts else None


def _holds_pictures(uri: str) -> bool:
    from lookalike.sources.remote.tables import holds_pictures  # loads much that files do without

    return holds_pictures(uri, path_of(uri))
