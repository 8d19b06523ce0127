"""Moving files back that a run has moved away."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lookalike.copies.contents import look_at_recorded, reason_of
from lookalike.copies.journal import History, Journal, read_history
from lookalike.copies.journaled import MovedFile, OnMoved, moved_one, settle_all, told
from lookalike.copies.moving import SYSTEM_TRASH, FileMove
from lookalike.durable import make_folder
from lookalike.errors import NotFoundError
from lookalike.progress import unheard
from lookalike.records import OnStep


@dataclass(frozen=True, slots=True)
class NotMoved:
    """A file that is still where the journal has it, and why."""

    source: Path
    target: Path
    reason: str


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What came back of a run: the items of `restored` files are in the collection after the next `add`."""

    run: str
    restored: tuple[MovedFile, ...]
    refused: tuple[NotMoved, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MovingRun:
    """A run of the journal, which began `at` a moment in UTC: so many files are where it brought them."""

    id: str
    at: str
    moved: int


def runs(journal: Path) -> list[MovingRun]:
    """Return the runs of a journal, the oldest first; none where there is no journal."""
    history = read_history(journal)
    return [MovingRun(run, at, len(history.moved(run))) for run, at in history.runs.items()]


def undo(
    journal: Path, on_moved: OnMoved, *, run: str | None = None, on_step: OnStep = unheard
) -> UndoReport:
    """Put the files of a run, the last one unless named, back where they were, the last moved first.

    Nothing is overwritten, and only files with the content that was moved come back; what cannot is refused
    with the reason. `on_moved` is told as by `carry_out` of files that a killed run had moved. Raises
    `NotFoundError` where there is no such run or all of it is back, and as `carry_out`.
    """
    if not read_history(journal).runs:
        raise NotFoundError(f"nothing was moved yet: {journal} has no run")
    restored, refused = list[MovedFile](), list[NotMoved]()
    with Journal(journal) as book:
        _, notes = settle_all(book, on_moved)
        run = _run_to_undo(book.history, run)
        moves = book.history.moved(run)[::-1]
        for done, move in enumerate(moves):
            on_step("moving back", done, len(moves))
            try:
                if move.target == SYSTEM_TRASH:
                    raise NotFoundError("it is in the trash of this system: put it back there")
                seen = look_at_recorded(move.target, move.sha256)
                back = moved_one(book, _way_back(book, move), seen)
            except (OSError, NotFoundError) as error:
                refused.append(NotMoved(move.target, move.source, reason_of(error)))
                continue
            book.note_outcome(back.number, "moved")
            restored.append(told(back))
        on_step("moving back", len(moves), len(moves))
    if restored:
        notes += ("the items of files that are back come in with the next lookalike add",)
    return UndoReport(run, tuple(restored), tuple(refused), notes)


def _run_to_undo(history: History, run: str | None) -> str:
    if run is not None and run not in history.runs:
        known = ", ".join(list(history.runs)[-5:])
        raise NotFoundError(f"the journal has no run {run!r}; the last ones are {known}")
    chosen = run if run is not None else list(history.runs)[-1]
    if not history.moved(chosen):
        earlier = [each for each in history.runs if history.moved(each)]
        more = f"; of these runs there is something to undo: {', '.join(earlier[-5:])}" if earlier else ""
        raise NotFoundError(f"of the run {chosen} there is nothing to undo{more}")
    return chosen


def _way_back(book: Journal, move: FileMove) -> Iterator[FileMove]:
    """Yield the move that takes one back, unless something lies there now; raises `OSError`."""
    if os.path.lexists(move.source):
        raise OSError(errno.EEXIST, "something else lies there now", str(move.source))
    make_folder(move.source.parent)
    yield FileMove(
        number=book.next_number(),
        run=move.run,
        item_id=move.item_id,
        uri=move.uri,
        sha256=move.sha256,
        source=move.target,
        target=move.source,
        info=move.info,
        info_text=move.info_text,
        undoes=move.number,
    )
