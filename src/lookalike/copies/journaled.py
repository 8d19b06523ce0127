"""Files moved one by one with a journal: what both moving copies away and moving them back do."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lookalike.copies.contents import CHANGED, SeenFile, reason_of
from lookalike.copies.journal import Journal
from lookalike.copies.moving import FileMove, move_file, remove_info, reserve, settle
from lookalike.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class MovedFile:
    """The file of an item, which lay at `source` and lies at `target` now."""

    item_id: int
    uri: str
    sha256: bytes
    source: Path
    target: Path


OnMoved = Callable[[MovedFile], None]
"""Is told of each file that was moved, so that its item leaves the collection; of one perhaps twice."""


def moved_one(book: Journal, ways: Iterator[FileMove], seen: SeenFile) -> FileMove:
    """Move a file in the first way whose name nobody takes before; its outcome is still to be noted.

    Raises `OSError` or `NotFoundError` where it stayed.
    """
    for move in ways:
        book.intend(move)
        try:
            if not reserve(move):
                book.note_outcome(move.number, "stayed")
                continue
            move_file(move, seen, partial(book.note_copied, move.number))
            if move.undoes is not None:
                remove_info(move)
        except (OSError, NotFoundError):
            if not _is_moved(book, move):
                raise
        return move
    raise OSError(errno.EEXIST, "something else lies there now")


def trashed_one(book: Journal, move: FileMove, seen: SeenFile, send: Callable[[str], None]) -> FileMove:
    """Send a file to the system's trash; its outcome is still to be noted. Raises as `moved_one`."""
    book.intend(move)
    try:
        if not seen.is_unchanged_at(move.source):
            raise NotFoundError(CHANGED)
        send(str(move.source))
    except (OSError, NotFoundError):
        if not _is_moved(book, move):
            raise
    return move


def settle_all(book: Journal, on_moved: OnMoved) -> tuple[tuple[MovedFile, ...], tuple[str, ...]]:
    """Find the files of which the journal does not say where they are; returns those moved, and notes.

    What was left half-done is put right.
    """
    found, notes = list[MovedFile](), list[str]()
    if book.history.damaged:
        notes.append(
            f"{book.history.damaged:,} lines of {book.path} are damaged: what they told of cannot be undone"
        )
    for move in book.history.pending():
        try:
            outcome = settle(move, book.history.copied.get(move.number))
        except OSError as error:
            notes.append(f"{move.source} may have been moved to {move.target}: {reason_of(error)}")
            continue
        if outcome is None:
            notes.append(f"{move.source} is neither there nor at {move.target}, where it was to be moved to")
            continue
        if outcome == "moved" and move.undoes is None:
            found.append(told(move))
            on_moved(found[-1])
        book.note_outcome(move.number, outcome)
    return tuple(found), tuple(notes)


def told(move: FileMove) -> MovedFile:
    """Return what is told of a move that was done."""
    return MovedFile(move.item_id, move.uri, move.sha256, move.source, move.target)


def _is_moved(book: Journal, move: FileMove) -> bool:
    """Whether a file is where it was to go although something failed; else what was begun is taken back.

    What cannot be told now stays open in the journal.
    """
    with suppress(OSError):
        outcome = settle(move, book.history.copied.get(move.number))
        if outcome == "stayed":
            book.note_outcome(move.number, outcome)
        return outcome == "moved"
    return False
