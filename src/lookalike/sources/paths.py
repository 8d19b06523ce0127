"""The paths that callers name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path

from lookalike.errors import NotFoundError, UsageError
from lookalike.user_folders import expanded

_MOST_NAMED = 5


def read_list(lines: Iterable[str], base: Path) -> list[Path]:
    """Return the paths of a list file, one per line; relative ones are taken from `base`."""
    return [base / line for raw in lines if (line := raw.rstrip("\r\n"))]


def split_present(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the paths at which something lies, and those at which nothing does."""
    present: list[Path] = []
    absent: list[Path] = []
    for path in paths:
        (present if os.path.lexists(path) else absent).append(path)
    return present, absent


def require_some(present: list[Path], absent: list[Path]) -> None:
    """Refuse a request of which nothing is there."""
    if absent and not present:
        more = f" and {len(absent) - _MOST_NAMED:,} more" if len(absent) > _MOST_NAMED else ""
        raise NotFoundError(f"no such file or folder: {', '.join(map(str, absent[:_MOST_NAMED]))}{more}")


AnyPath = str | PathLike[str]


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
    if isinstance(given, str) and (text == "~" or text.startswith(("~/", "~\\"))):
        return expanded(text)
    return Path(given)
