"""Power cuts: from what was written down of a disk, the states in which a cut at some moment can leave it.

What was written to a file is there for certain once that file was synced. Before, each write may be there,
not be there, or be there in some of its sectors, in any order; so may a new length. Names are there for
certain once their folder was synced; of those after, the first ones of each folder may be there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from torture.shim import Change

_SECTOR = 512


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)


@dataclass
class Disk:
    """What is certain of a disk, and what is on its way. `journaled`: any sync takes all names along."""

    journaled: bool
    _names: dict[str, int] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _files: dict[int, _File] = field(default_factory=dict)
    _renames: list[Change] = field(default_factory=list)

    def apply(self, changes: Iterable[Change]) -> Disk:
        """Let changes happen."""
        for change in changes:
            if change.kind == "s":
                self._sync(change)
            elif change.kind in "wt":
                self._files[change.inode].pending.append(change)
            elif change.kind != "n":
                if change.kind == "c":
                    self._files[change.inode] = _File()
                self._renames.append(change)
        return self

    def cut(self, dice: random.Random, root: Path, below: Path) -> None:
        """Write one possible state into the new folder `below`, for what lay at `root`."""
        names, folders = dict(self._names), set(self._folders)
        for change in self._surviving(dice):
            _rename(change, names, folders)
        below.mkdir()
        for folder in sorted(folders):
            place = below / Path(folder).relative_to(root)
            if place.parent.exists():
                place.mkdir()
        for path, inode in names.items():
            place = below / Path(path).relative_to(root)
            if place.parent.exists():
                place.write_bytes(_torn(self._files[inode], dice))

    def _sync(self, change: Change) -> None:
        if not change.path:
            file = self._files[change.inode]
            for each in file.pending:
                _write(file.durable, each.offset, each.data) if each.kind == "w" else _cut_to(
                    file.durable, each.offset
                )
            file.pending.clear()
        synced = [each for each in self._renames if self.journaled or change.path in _folders_of(each)]
        for each in synced:
            _rename(each, self._names, self._folders)
        self._renames = [each for each in self._renames if each not in synced]

    def _surviving(self, dice: random.Random) -> list[Change]:
        """Return those changes of names that made it, the first ones of each folder."""
        if self.journaled:
            return self._renames[: dice.randint(0, len(self._renames))]
        lost: set[str] = set()
        kept = []
        for change in self._renames:
            if lost & _folders_of(change) or dice.random() < 0.3:
                lost |= _folders_of(change)
            else:
                kept.append(change)
        return kept


def _folders_of(change: Change) -> set[str]:
    paths = (change.target,) if change.kind == "l" else (change.path, change.target)
    return {str(Path(path).parent) for path in paths if path}


def _rename(change: Change, names: dict[str, int], folders: set[str]) -> None:
    if change.kind == "c":
        names[change.path] = change.inode
    elif change.kind == "m":
        folders.add(change.path)
    elif change.kind == "l" and change.path in names:
        names[change.target] = names[change.path]
    elif change.kind == "u":
        names.pop(change.path, None)
        folders.discard(change.path)
    elif change.kind == "r":
        for known in [name for name in names if name.startswith(f"{change.path}/")]:
            names[f"{change.target}{known.removeprefix(change.path)}"] = names.pop(known)
        if change.path in folders:
            folders.discard(change.path)
            folders.add(change.target)
        elif change.path in names:
            names[change.target] = names.pop(change.path)


def _torn(file: _File, dice: random.Random) -> bytes:
    """Return what a cut may leave of a file."""
    content, pending = bytearray(file.durable), file.pending
    how = dice.choice(["none", "all", "first", "some", "torn", "torn"])
    if how == "none":
        return bytes(content)
    first = pending[: dice.randint(0, len(pending))] if how == "first" else pending
    share = dice.random()
    for change in first:
        if how in ("some", "torn") and dice.random() > share and (how == "some" or change.kind == "t"):
            continue
        if change.kind == "t":
            _cut_to(content, change.offset)
        else:
            for at, piece in _sectors(change) if how == "torn" else [(change.offset, change.data)]:
                if how != "torn" or dice.random() < share:
                    _write(content, at, piece)
    return bytes(content)


def _sectors(change: Change) -> Sequence[tuple[int, bytes]]:
    """Return the pieces of a write that lie in different sectors."""
    start, end = change.offset, change.offset + len(change.data)
    edges = [start, *range(start - start % _SECTOR + _SECTOR, end, _SECTOR), end]
    return [(a, change.data[a - start : b - start]) for a, b in pairwise(edges)]


def _write(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


def _cut_to(content: bytearray, length: int) -> None:
    del content[length:]
    content.extend(bytes(length - len(content)))
