"""The trash of the freedesktop.org specification, version 1.0: where a file goes, and the note beside it.

https://specifications.freedesktop.org/trash-spec/latest/
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

from lookalike.durable import make_folder
from lookalike.errors import MissingExtraError
from lookalike.user_folders import expanded


@dataclass(frozen=True, slots=True)
class TrashFolder:
    """One trash: `folder` has `files` and `info`; `top` is the folder of the disk that it is of.

    `top` is None for the user's own one at home, whose notes have absolute paths.
    """

    folder: Path
    top: Path | None = None

    def make(self) -> None:
        """Make the folders that are missing, for this user alone; raises `OSError`."""
        for each in (self.folder, self.folder / "files", self.folder / "info"):
            if not each.is_dir():
                make_folder(each.parent)
                each.mkdir(mode=0o700, exist_ok=True)

    def place_of(self, source: Path) -> Path:
        """Return where a file would lie in it, were its name free."""
        return self.folder / "files" / source.name

    def info_of(self, place: Path) -> Path:
        """Return the note of what lies at a place in it."""
        return self.folder / "info" / f"{place.name}.trashinfo"

    def info_text(self, source: Path, now: datetime) -> str:
        """Return the note of a file that goes into it; `now` is the local time."""
        origin = _real(source).relative_to(self.top) if self.top is not None else _real(source)
        return (
            f"[Trash Info]\nPath={quote_from_bytes(os.fsencode(origin))}\n"
            f"DeletionDate={now.isoformat(timespec='seconds')}\n"
        )


def is_told_where() -> bool:
    """Whether the trash of this system is the one of the specification, from which files can be put back."""
    return sys.platform not in ("win32", "darwin")


def system_trash() -> Callable[[str], None]:
    """Return what sends a path to a trash that is another one, and does not tell where a file went.

    Raises `MissingExtraError` without the package for it.
    """
    try:
        from send2trash import send2trash  # optional
    except ImportError:
        raise MissingExtraError("the trash of this system", "trash") from None
    send: Callable[[str], None] = send2trash
    return send


def trash_for(source: Path) -> TrashFolder:
    """Return the trash that a file goes to, made: the user's own, or on another disk that of the disk.

    Where a disk lets no trash be made, it is the user's own, too. Raises `OSError`.
    """
    home = home_trash()
    if _device_of(home.folder) != _device_of(source):
        top = _top_of(source)
        for disk in _trashes_of(top):
            try:
                disk.make()
            except OSError:  # a disk that belongs to others
                continue
            return disk
    home.make()
    return home


def home_trash() -> TrashFolder:
    """Return the user's own trash; raises `UsageError` for a user without a home."""
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    return TrashFolder((named if named.is_absolute() else expanded("~/.local/share")) / "Trash")


def _trashes_of(top: Path) -> list[TrashFolder]:
    """Return the trashes that this user may have on a disk: within one for all, or beside."""
    user = os.getuid()
    shared, own = top / ".Trash", top / f".Trash-{user}"
    found = []
    if _is_folder(shared) and os.lstat(shared).st_mode & stat.S_ISVTX:
        found.append(TrashFolder(shared / str(user), top))
    if _is_folder(own) or not os.path.lexists(own):
        found.append(TrashFolder(own, top))
    return found


def _is_folder(path: Path) -> bool:
    """Whether a folder lies at a path, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _top_of(path: Path) -> Path:
    """Return the uppermost folder of the disk that a file is on."""
    top = _real(path).parent
    while not os.path.ismount(top) and _device_of(top.parent) == _device_of(path):
        top = top.parent
    return top


def _real(path: Path) -> Path:
    """Return the path of a file without links on its way."""
    return Path(os.path.realpath(path.parent)) / path.name


def _device_of(path: Path) -> int:
    """Return the number of the disk that a path is on, or would be."""
    while not os.path.lexists(path):
        path = path.parent
    return os.lstat(path).st_dev
