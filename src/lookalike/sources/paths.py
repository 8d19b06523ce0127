"""The paths that callers name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path

from lookalike.errors import NotFoundError, UsageError
from lookalike.sources.remote.addresses import Source, check_uncollapsed, is_address, normal
from lookalike.user_folders import expanded

_MOST_NAMED = 5


def read_list(lines: Iterable[str], base: Path) -> list[Source]:
    """Return the paths and addresses of a list file, one per line; relative paths are taken from `base`."""
    named = (line for raw in lines if (line := raw.rstrip("\r\n")))
    return [normal(line) if is_address(line) else base / line for line in named]


def split_present(sources: Iterable[Source]) -> tuple[list[Source], list[Path]]:
    """Return the sources where something lies, or may lie far away, and paths where nothing does."""
    present: list[Source] = []
    absent: list[Path] = []
    for source in sources:
        if isinstance(source, str) or os.path.lexists(source):
            present.append(source)
        else:
            check_uncollapsed(source)
            absent.append(source)
    return present, absent


def require_some(present: list[Source], absent: list[Path]) -> None:
    """Refuse a request of which nothing is there."""
    if absent and not present:
        more = f" and {len(absent) - _MOST_NAMED:,} more" if len(absent) > _MOST_NAMED else ""
        raise NotFoundError(f"no such file or folder: {', '.join(map(str, absent[:_MOST_NAMED]))}{more}")


AnyPath = str | PathLike[str]


def as_source(given: AnyPath) -> Source:
    """Return a path, or an address as text in its one spelling; raises as `as_path` and `normal`."""
    return normal(given) if isinstance(given, str) and is_address(given) else as_path(given)


def as_path(given: AnyPath) -> Path:
    """Return a path; in text, a leading ~ is the home folder. An empty text is no path but a mistake.

    A shell expands ~ itself, so the faces hand in `Path` objects, which are taken as they are.
    """
    try:
        text = fspath(given)
    except TypeError:
        raise UsageError(f"expected a path, got {given!r}") from None
    if not isinstance(text, str) or not text:
        raise UsageError(f"expected a path, got {text!r}")
    if isinstance(given, str) and is_address(given):  # not repeated: it may hold a key
        raise UsageError(f"expected a path of this machine, got an address of {given.partition(':')[0]}://")
    if isinstance(given, str) and (text == "~" or text.startswith(("~/", "~\\"))):
        return expanded(text)
    return Path(given)
