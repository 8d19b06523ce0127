"""What is left out of a walk: by default, by patterns, by ignore files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lookalike.errors import UsageError
from lookalike.files import open_text

if TYPE_CHECKING:  # not every walk has patterns
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".lookalikeignore"
NO_MEDIA = ".nomedia"
MARKERS = frozenset({IGNORE_FILE, NO_MEDIA})
_LONGEST = 1 << 20  # letters of an ignore file

_BY_DEFAULT = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", ".@__thumb"),
        *("$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx"),
    )
)
"""Bins, snapshots and previews of network disks, Windows, Linux and macOS."""

_INNARDS = re.compile(
    r"(?P<previews>.*\.(?:lrdata|lrcat-data|app|cocatalog))|(?P<library>.*\.(?:photoslibrary|photolibrary|"
    r"migratedphotolibrary|aplibrary))"
)
_ORIGINALS = frozenset({"originals", "masters"})
"""The folders of a library of Apple's programs where the photos themselves lie."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Tells what is left out below one folder, of the patterns that hold there.

    `given` are the user's own patterns, which decide first; then those of ignore files, the nearest first;
    then the defaults. A pattern that begins with ! takes in again what one that is asked later leaves out.
    All are written in the manner of .gitignore.
    """

    given: GitIgnoreSpec | None = None
    root: str = ""
    files: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    in_library: bool = False

    @classmethod
    def of(cls, patterns: Sequence[str]) -> Exclusions:
        """Return what the user's patterns say; raises `UsageError` for one that is none."""
        return cls(_spec(patterns)) if patterns else cls()

    def at_root(self, folder: str) -> Exclusions:
        """Return what holds in a folder that was named."""
        return replace(self, root=folder, in_library=_is_library(folder))

    def inside(self, folder: str, names: Iterable[str]) -> Exclusions:
        """Return what holds in a folder with files of those names.

        Raises `UsageError` and `OSError` where its ignore file cannot be read.
        """
        held = replace(self, in_library=_is_library(folder))
        if IGNORE_FILE not in names:
            return held
        with open_text(_joined(folder, IGNORE_FILE), errors="replace") as file:
            lines = file.read(_LONGEST).splitlines()
        return replace(held, files=((folder, _spec(lines)), *self.files))

    def reason(self, path: str, name: str, *, is_folder: bool) -> str | None:
        """Return why something is left out; None where it is not."""
        for folder, spec in self._specs():
            inner = path[len(folder) :].lstrip("/\\") + "/" * is_folder
            decided = spec.check_file(inner).include
            if decided is not None:
                return "patterns" if decided else None
        if name.startswith("."):
            return "hidden"
        if not is_folder:
            return None
        folded = name.casefold()
        innards = _INNARDS.fullmatch(folded)
        is_innards = bool(innards and innards["previews"]) or (self.in_library and folded not in _ORIGINALS)
        return "defaults" if folded in _BY_DEFAULT or is_innards else None

    def _specs(self) -> Iterable[tuple[str, GitIgnoreSpec]]:
        if self.given is not None:
            yield self.root, self.given
        yield from self.files


def _is_library(folder: str) -> bool:
    found = _INNARDS.fullmatch(re.split(r"[/\\]", folder.casefold())[-1])
    return bool(found and found["library"])


def _joined(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # where there are patterns

    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise UsageError(f"a pattern that cannot be read, in the manner of .gitignore: {error}") from error
