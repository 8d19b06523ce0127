"""The walk through folders: every file once, by the way without links where there is one."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lookalike.errors import UsageError
from lookalike.files import kind_of_file, stamp_of, stamp_with
from lookalike.records import FoundFile, Kind
from lookalike.sources.exclusions import MARKERS, NO_MEDIA, Exclusions
from lookalike.sources.identity import Identities
from lookalike.sources.kinds import aside_of, is_photo, is_text
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.spelling import spelled, spelled_in
from lookalike.sources.uris import uri_of

_REMEMBERED = 4096  # folders
_TOLD = frozenset({"patterns", "defaults", NO_MEDIA})
"""Reasons for which files are left out that may have been items before."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look into: how it was come to, what it is without links, and what is left out in it."""

    path: str
    real: str
    rules: Exclusions
    is_named: bool = False


@dataclass(slots=True)
class Walk:
    """Walks paths given by the user; afterwards `closed` holds the folders that could not be looked into.

    Folders are walked with all that lies below. Left out, and counted by reason in `excluded`, unless named:
    what `rules` say (hidden files and folders with a leading dot among it), folders that are collections by
    name, and always `own`, the folder of the collection that is added to. A link, or a folder mounted at a
    second place, is followed after all else and only to what was not come to before. `aside` counts by kind
    the files that never claimed to be what is looked for; `begins_like_photo` tells those that are all the
    same. A file that is named is always yielded.
    """

    paths: list[Path]
    own: Path | None = None
    rules: Exclusions = field(default_factory=Exclusions)
    wanted: Kind | None = None
    begins_like_photo: Callable[[str], bool] = lambda _: False
    sidecars: Sidecars = field(default_factory=Sidecars)
    closed: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    identities: Identities = field(default_factory=Identities)
    roots: dict[str, Path] = field(default_factory=dict)
    """The folders that were named, by the uri of what they are called where they lie."""
    _entered: set[str] = field(default_factory=set)
    _closed: set[str] = field(default_factory=set)
    _linked: set[str] = field(default_factory=set)
    _folders: list[_Folder] = field(default_factory=list)
    _links: list[tuple[str, bool]] = field(default_factory=list)

    def files(self) -> Iterator[FoundFile]:
        """Yield every file, in the order of the directory; one that cannot be read comes with its problem."""
        if self.own is not None:
            self._entered.add(self.identities.of(str(self.own)))
        spelled_folder = lru_cache(_REMEMBERED)(spelled)
        for path in self.paths:
            above, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
            named = spelled_in(spelled_folder(above), name) if name else above
            real = self.identities.real(named)
            if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a link leads to no permission
                self.roots[uri_of(named)] = path
                folder = _Folder(named, real, self.rules.at_root(named), is_named=True)
                if real == named:
                    yield from self._below(folder)
                else:
                    self._folders.append(folder)
            elif real == named or not os.path.exists(path):  # noqa: PTH110
                self._linked.add(self.identities.of_real(real))
                yield self._examine(named)
            else:
                self._links.append((named, True))
        while self._folders:
            yield from self._below(self._folders.pop(0))
        yield from self._through_links()

    def _below(self, folder: _Folder) -> Iterator[FoundFile]:
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            identity = self.identities.of_real(current.real)
            if identity in self._entered:
                self._note_second_way(current)
                continue
            self._entered.add(identity)
            try:
                with os.scandir(current.path) as entries:
                    children = sorted(entries, key=lambda entry: entry.name)
                names = {entry.name for entry in children if entry.name in MARKERS}
                rules = current.rules.inside(current.path, names)
            except (UsageError, OSError) as error:
                self._closed.add(identity)
                self.closed.append(uri_of(current.path))
                yield FoundFile(uri_of(current.path), None, _closed_problem(error))
                continue
            if NO_MEDIA in names and not current.is_named:
                yield from self._leave_out(current.path, NO_MEDIA)
                continue
            inside = _Folder(current.path, current.real, rules)
            folders: list[_Folder] = []
            for entry in children:
                yield from self._entry(entry, inside, folders)
            waiting.extend(reversed(folders))

    def _entry(self, entry: os.DirEntry[str], folder: _Folder, folders: list[_Folder]) -> Iterator[FoundFile]:
        """Yield a file, or note a folder in `folders`, or either in what is followed at the end."""
        if entry.name in MARKERS:
            return
        is_folder, is_link = _is_folder(entry), _is_link(entry)
        reason = folder.rules.reason(entry.path, entry.name, is_folder=is_folder)
        if reason is None and is_folder and _is_collection(entry.path):
            reason = "collections"
        if reason is not None:
            yield from self._leave_out(entry.path, reason)
        elif is_folder:
            joined = os.path.join(folder.real, entry.name)  # noqa: PTH118
            real = self.identities.real(entry.path) if is_link else joined
            child = _Folder(entry.path, real, folder.rules)
            (self._folders if is_link or self.identities.is_bound(real) else folders).append(child)
        elif is_link and os.path.exists(entry.path):  # noqa: PTH110
            self._links.append((entry.path, False))
        else:
            yield from self._file(entry.path, entry.name)

    def _file(self, path: str, name: str) -> Iterator[FoundFile]:
        kind = self._aside(name)
        if kind is None or self.begins_like_photo(path):
            yield self._examine(path)
        else:
            self.aside[kind] += 1

    def _examine(self, path: str) -> FoundFile:
        return examine(path, self.sidecars if self.wanted == "photo" else None)

    def _aside(self, name: str) -> str | None:
        if self.wanted == "text":
            return None if is_text(name) else "photo" if is_photo(name) else aside_of(name)
        return aside_of(name) if self.wanted == "photo" else None

    def _through_links(self) -> Iterator[FoundFile]:
        """Yield the files that only links lead to, each once."""
        for path, is_named in self._links:
            real = self.identities.real(path)
            folder, name = os.path.split(real)
            identity = self.identities.of_real(real)
            above = self.identities.of_real(folder)
            was_walked = above in self._entered and above not in self._closed and not name.startswith(".")
            if identity in self._linked or (was_walked and not self._is_own(folder)):
                self.excluded["links"] += 1
                continue
            self._linked.add(identity)
            if is_named:
                yield self._examine(path)
            else:
                yield from self._file(path, os.path.basename(path))  # noqa: PTH119

    def _leave_out(self, path: str, reason: str) -> Iterator[FoundFile]:
        self.excluded[reason] += 1
        if reason in _TOLD:
            yield FoundFile(uri_of(path), None, is_left_out=True)

    def _note_second_way(self, folder: _Folder) -> None:
        is_second = folder.path != folder.real or self.identities.is_bound(folder.real)
        if is_second and not folder.is_named and not self._is_own(folder.real):
            self.excluded["links"] += 1

    def _is_own(self, real: str) -> bool:
        return self.own is not None and self.identities.of_real(real) == self.identities.of(str(self.own))


def examine(path: str, sidecars: Sidecars | None = None) -> FoundFile:
    """Return a file with its stamp, to which `sidecars` count, or with why there is nothing to read."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # names may not be UTF-8; Path is slower here
    except OSError as error:
        return FoundFile(uri_of(path), None, _stat_problem(path, error))
    if not stat.S_ISREG(facts.st_mode):
        return FoundFile(uri_of(path), None, f"not a regular file ({kind_of_file(facts.st_mode)})")
    stamp = stamp_of(facts)
    return FoundFile(uri_of(path), stamp_with(stamp, sidecars.of(path)) if sidecars else stamp)


def _closed_problem(error: UsageError | OSError) -> str:
    if isinstance(error, UsageError):
        return f"a folder that cannot be looked into: its ignore file has {error}"
    return f"a folder that cannot be looked into: {error.strerror or error}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a looping link
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    is_junction = getattr(entry, "is_junction", None)  # Python 3.12
    return entry.is_symlink() or (is_junction is not None and is_junction())


def _is_collection(folder: str) -> bool:
    """Tell a collection by its names alone.

    To open and close its store would drop the locks that this process may hold on it (POSIX), and with them
    what other processes have committed.
    """
    return folder.endswith(".lookalike") and os.path.exists(os.path.join(folder, "store.sqlite"))  # noqa: PTH110, PTH118


def _stat_problem(path: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads in circles"
    if isinstance(error, FileNotFoundError):
        return "a link to nothing" if os.path.islink(path) else "no such file"  # noqa: PTH114
    return f"cannot be read: {error.strerror}"
