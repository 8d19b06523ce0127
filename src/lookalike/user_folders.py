"""The user's own folders, and what to say where the system knows none.

A process may run without HOME and under a number that no user has, as in a container.
"""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import UsageError


def user_data_folder(instead: str) -> Path:
    """Return the folder for data of this user; raises `UsageError` with what to name `instead` of it."""
    from platformdirs import user_data_path  # only where nothing is named

    try:
        folder = user_data_path("lookalike", appauthor=False)
    except RuntimeError:  # younger versions say so, in older ones the ~ stays
        folder = Path("~")
    if not folder.is_absolute():
        raise UsageError(f"this user has no home folder, where {instead}")
    return folder


def expanded(path: str) -> Path:
    """Return a path whose leading ~ is the home folder; raises `UsageError` where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{path}: there is no such home folder; write the path without ~") from None
