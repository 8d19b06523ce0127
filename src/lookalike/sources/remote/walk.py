"""The walk through remote places: every object once, as their listings tell, and nothing of it fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import tee

from lookalike.errors import UsageError
from lookalike.records import FoundFile, Kind
from lookalike.sources.exclusions import MARKERS, Exclusions
from lookalike.sources.kinds import aside_of, is_photo, is_text
from lookalike.sources.remote.addresses import (
    is_address,
    is_picture_table,
    is_shard,
    normal,
    scheme_of,
    split_member,
)
from lookalike.sources.remote.fetching import Stretch, look_at_all, read_stretch
from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.patience import Patience, persist, run
from lookalike.sources.remote.stores import store_of
from lookalike.sources.remote.troubles import RemoteError

ReasonOf = Callable[[str], tuple[str, str] | None]
"""Tells the folder at or above one that is left out, and why."""

_REMEMBERED = 4096  # folders
_TOLD = frozenset(("patterns", "defaults"))
_WEB = frozenset(("http", "https"))


@dataclass(slots=True)
class RemoteWalk:
    """Walks remote addresses, with the face of `walk.Walk`.

    An address is that of one object or of all below it. On the web, `.txt` is a list of addresses, one a
    line, and a page for people an index whose links are followed below it. `closed` are addresses whose
    listing could not be had to its end, so that what was not found is not gone; `roots` those that were
    listed whole; `empty` those in which nothing lies. What `rules` say of paths holds for what follows an
    address; ignore files are not read there, which is told. Whether something with another kind's name begins
    like a photo is not looked at.
    """

    addresses: list[str]
    rules: Exclusions = field(default_factory=Exclusions)
    wanted: Kind | None = None
    patience: Patience = field(default_factory=Patience)
    closed: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    roots: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    _left_out: set[str] = field(default_factory=set)

    def files(self) -> Iterator[FoundFile]:
        """Yield every object with its stamp; one that cannot be read comes with its problem."""
        for address in map(normal, self.addresses):
            try:
                yield from self._address(address)
            except RemoteError as error:
                self._close(address)
                yield FoundFile(address, None, error.trouble.reason)

    def _address(self, address: str) -> Iterator[FoundFile]:
        if scheme_of(address) in _WEB and address.partition("?")[0].lower().endswith(".txt"):
            if self.wanted == "text":
                yield self._looked_at(address)
            else:
                yield from self._list(address)
            return
        if not self._is_folder(address):
            yield self._looked_at(address)
            return
        yield from self._folder(address)

    def _is_folder(self, address: str) -> bool:
        """Whether an address is to be listed: its name says what it is, or no object has just this name."""
        name = address.rpartition("/")[2]
        if address.count("/") < 3:
            return True  # a bucket or host
        if scheme_of(address) in _WEB and _is_named(name):
            return False
        store = store_of(address)
        try:
            return run(persist(lambda: store.is_folder(address), self.patience))
        except RemoteError as error:
            if error.trouble.is_gone or not _is_named(name):
                return True
            raise

    def _looked_at(self, address: str) -> FoundFile:
        (answer,) = self._looked_at_all([address])
        return answer

    def _looked_at_all(self, addresses: Iterable[str]) -> Iterator[FoundFile]:
        """Yield objects with their stamps, many of which are asked for at a time."""
        asked, answered = tee(addresses)
        for address, answer in zip(answered, look_at_all(asked, patience=self.patience), strict=True):
            if isinstance(answer, RemoteError):
                yield FoundFile(address, None, answer.trouble.reason)
            else:
                yield FoundFile(address, answer.stamp)

    def _list(self, address: str) -> Iterator[FoundFile]:
        """Yield what the lines of a list of addresses lead to."""
        content = read_stretch(Stretch(address), patience=self.patience)
        good: list[str] = []
        for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
            if not (text := line.strip()) or text.startswith("#"):
                continue
            try:
                if not is_address(text):
                    raise UsageError("it is no address")
                good.append(normal(text))
            except UsageError as error:
                yield FoundFile(f"{address}#{number}", None, f"line {number}: {error}")
        yield from self._looked_at_all(good)

    def _folder(self, address: str) -> Iterator[FoundFile]:
        reason_of = lru_cache(_REMEMBERED)(lambda folder: self._folder_reason(address, folder))
        store, mark, found = store_of(address), None, False
        rules = self.rules.at_root(address)
        while True:
            at = mark
            try:
                listed, mark = run(persist(lambda at=at: store.page(address, at), self.patience))  # type: ignore[misc]
            except RemoteError as error:
                if at is not None or not error.trouble.is_gone:
                    raise
                listed, mark = [], None  # a store that has no empty folders
            found = found or bool(listed)
            bare: list[str] = []
            for each in listed:
                for one in self._object(each, rules, reason_of):
                    if one.stamp is not None or one.problem or one.is_left_out:
                        yield one
                    else:
                        bare.append(one.uri)
            yield from self._looked_at_all(bare)
            if mark is None:
                break
        self.roots[address] = address
        if not found:
            self.empty.append(address)

    def _object(self, each: Listed, rules: Exclusions, reason_of: ReasonOf) -> Iterator[FoundFile]:
        """Yield an object that was listed, unless it is left out, put aside, or stands for a folder."""
        folder, _, name = each.uri.rpartition("/")
        if not name:
            if each.size:
                yield FoundFile(each.uri, None, "its name ends with /, as a folder's does")
            return
        left = reason_of(folder) or (
            None if name in MARKERS else rules.reason(each.uri, name, is_folder=False)
        )
        if left is not None:
            place, reason = left if isinstance(left, tuple) else (each.uri, left)
            yield from self._leave_out(place, reason, is_folder=place != each.uri)
        elif name in MARKERS:
            yield FoundFile(
                each.uri, None, "such files count in folders on disk only: leave out with --exclude"
            )
        elif split_member(each.uri) is not None:
            yield FoundFile(each.uri, None, "its name reads like that of something in a shard or table")
        elif (kind := self._aside(name)) is not None:
            self.aside[kind] += 1
        else:
            yield FoundFile(each.uri, each.stamp)

    def _folder_reason(self, root: str, folder: str) -> tuple[str, str] | None:
        """Return the folder at or above one that is left out, and why; None where none is."""
        inner = folder[len(root) :].strip("/")
        rules, at = self.rules.at_root(root), root
        for name in inner.split("/") if inner else ():
            at = f"{at}/{name}"
            reason = rules.reason(at, name, is_folder=True)
            if reason is not None:
                return at, reason
            rules = rules.inside(at, ())
        return None

    def _leave_out(self, place: str, reason: str, *, is_folder: bool) -> Iterator[FoundFile]:
        """Count what is left out, a folder once."""
        if place in self._left_out:
            return
        if is_folder:
            self._left_out.add(place)
        self.excluded[reason] += 1
        if reason in _TOLD:
            yield FoundFile(place, None, is_left_out=True)

    def _aside(self, name: str) -> str | None:
        if self.wanted == "text":
            return None if is_text(name) else "photo" if is_photo(name) else aside_of(name)
        if is_shard(name) or is_picture_table(name):
            return None
        return aside_of(name) if self.wanted == "photo" else None

    def _close(self, address: str) -> None:
        self.roots.pop(address, None)
        self.closed.append(address)


def _is_named(name: str) -> bool:
    """Whether a name says itself what it is."""
    return is_photo(name) or is_text(name) or is_shard(name) or aside_of(name) is not None
