"""Moving one file so that at any moment it is in one place, whole, and nothing else is overwritten.

A name is reserved at the target by an empty file that only we can have made; the file is renamed onto it, in
one step. To another disk it is copied under a third name, put on disk, read again and compared, renamed, and
only then is it removed where it was. What is left when any of this fails or is killed, `settle` puts right by
looking where the file is.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lookalike.copies.contents import CHANGED, SeenFile, look_at, look_at_recorded
from lookalike.durable import sync_folder
from lookalike.errors import NotFoundError
from lookalike.files import open_bytes

SYSTEM_TRASH = Path("trash:")
"""The target of what goes to a trash that does not tell where it puts files."""

Outcome = Literal["moved", "stayed"]
"""Where the file of a move is in the end."""


@dataclass(frozen=True, slots=True)
class FileMove:
    """A file with that `sha256`, of an item, on its way from `source` to `target`, which nothing has yet.

    `info` is the note of it that a trash keeps while the file is in there, and `info_text` what it says.
    `undoes` is the number of the move that this one takes back.
    """

    number: int
    run: str
    item_id: int
    uri: str
    sha256: bytes
    source: Path
    target: Path
    info: Path | None = None
    info_text: str = ""
    undoes: int | None = None

    @property
    def part(self) -> Path:
        """Where a copy to another disk is made."""
        return self.target.with_name(f".lookalike-{self.run}-{self.number}.part")


def reserve(move: FileMove) -> bool:
    """Take the name of the target, and write the trash's note; False where another file has that name.

    Its folder is there. Raises `OSError`.
    """
    if move.info is not None and move.undoes is None:
        if not _made(move.info, move.info_text):
            return False
        sync_folder(move.info.parent)
    if not _made(move.target):
        remove_info(move)
        return False
    return True


def move_file(move: FileMove, seen: SeenFile, on_copied: Callable[[int], None]) -> None:
    """Move a file that was seen a moment ago onto its reserved name; call `settle` whatever comes of it.

    `on_copied` is told the inode of a copy on another disk before that takes the name. Raises
    `NotFoundError` where another file lies there now, `OSError` where the disk does not let it.
    """
    if not seen.is_unchanged_at(move.source):
        raise NotFoundError(CHANGED)
    try:
        os.replace(move.source, move.target)  # noqa: PTH105  # as `os` has the others
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(move, seen, on_copied)
        return
    if not seen.is_at(move.target):  # it was replaced in the last moment
        _put_back(move)
        raise NotFoundError(CHANGED)
    sync_folder(move.target.parent)
    sync_folder(move.source.parent)


def settle(move: FileMove, copied: int | None) -> Outcome | None:
    """Return where the file of a move is, having removed what a move that did not end has left.

    `copied` is the inode that `move_file` told of; a file at the target is removed only if it is that one,
    or the empty one by which the name was reserved.

    None where neither place has it now: somebody has removed it, or its disk is not there. Raises `OSError`
    where that cannot be told.
    """
    if move.target == SYSTEM_TRASH:
        here = _seen(move.source)
        return "stayed" if here is not None and here.sha256 == move.sha256 else "moved"
    move.part.unlink(missing_ok=True)
    here, there = _seen(move.source), _seen(move.target)
    outcome: Outcome | None
    if here is not None and here.sha256 == move.sha256:
        if there is not None and (not there.size or there.inode == copied):
            move.target.unlink()
            sync_folder(move.target.parent)
        outcome = "stayed"
    elif there is not None and there.sha256 == move.sha256:
        outcome = "moved"
    else:
        if there is not None and not there.size:
            move.target.unlink()
        outcome = "stayed" if here is not None else None
    is_in_trash = (outcome == "moved") == (move.undoes is None)
    if outcome is not None and not is_in_trash:
        remove_info(move)
    return outcome


def remove_info(move: FileMove) -> None:
    """Remove the trash's note, but not another one that has its name; it does no harm where it stays."""
    if move.info is None:
        return
    with suppress(OSError):
        with open_bytes(move.info) as file:
            written = file.read(len(move.info_text.encode()) + 1)
        if move.info_text.encode().startswith(written):  # it may have been cut short
            move.info.unlink()


def _made(path: Path, text: str = "") -> bool:
    """Make a file that was not there, what it says on disk; False where there is one."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            if text:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def _move_across(move: FileMove, seen: SeenFile, on_copied: Callable[[int], None]) -> None:
    with open_bytes(move.source) as source, move.part.open("xb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        _take_over_facts(source.fileno(), move)  # last, since writing sets the time
        os.fsync(copy.fileno())
    on_copied(look_at_recorded(move.part, move.sha256).inode)
    os.replace(move.part, move.target)  # noqa: PTH105  # as `os` has the others
    sync_folder(move.target.parent)
    if not seen.is_unchanged_at(move.source):
        raise NotFoundError(CHANGED)
    os.unlink(move.source)  # noqa: PTH108  # as `os` has the others
    sync_folder(move.source.parent)


def _take_over_facts(source: int, move: FileMove) -> None:
    """Give the copy the times, the rights and the owner of the original, as far as its disk knows them."""
    with suppress(OSError):
        shutil.copystat(move.source, move.part)
    if hasattr(os, "chown"):
        facts = os.fstat(source)
        with suppress(OSError):
            os.chown(move.part, facts.st_uid, facts.st_gid)


def _put_back(move: FileMove) -> None:
    """Bring back a file that is not the one that was to be moved."""
    if not _made(move.source):
        raise NotFoundError(f"another file took its place while it was moved, and lies at {move.target} now")
    os.replace(move.target, move.source)  # noqa: PTH105  # as `os` has the others
    sync_folder(move.source.parent)


def _seen(path: Path) -> SeenFile | None:
    """Return what lies at a path; None where no file does."""
    try:
        return look_at(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL):  # a link, or no file
            return None
        raise
