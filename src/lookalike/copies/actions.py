"""Moving copies away: checked content by content, and written into a journal as it goes.

`plan_removal` (planning.py) says what would be done, `carry_out` does it, `undo` (undoing.py) takes it back.
A run that was killed leaves each file in one place; who opens the journal next settles what it does not say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lookalike.copies.contents import SeenFile, look_at_recorded, reason_of
from lookalike.copies.journal import Journal
from lookalike.copies.journaled import MovedFile, OnMoved, moved_one, settle_all, told, trashed_one
from lookalike.copies.moving import SYSTEM_TRASH, FileMove
from lookalike.copies.planning import Names, PlannedMove, RefusedItem, RemovalPlan, ToFolder, ToTrash, below
from lookalike.copies.trash import system_trash, trash_for
from lookalike.durable import make_folder
from lookalike.errors import NotFoundError
from lookalike.progress import unheard
from lookalike.records import Item, OnStep
from lookalike.sources.uris import path_of

_NOT_UNDONE = "the trash of this system does not tell where it put the files: only there can they be put back"
_TRIES = 100  # names, while others take them before we do


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What came of a plan: the `run` by which it can be undone (None if there was nothing to do).

    `bytes_won` is what the moved files take. `settled` are files of a run before that was killed, found where
    it had brought them. `notes` say what the user may want to know of the journal.
    """

    run: str | None
    moved: tuple[MovedFile, ...]
    refused: tuple[RefusedItem, ...]
    bytes_won: int
    settled: tuple[MovedFile, ...] = ()
    notes: tuple[str, ...] = ()


def carry_out(
    plan: RemovalPlan, journal: Path, on_moved: OnMoved, on_step: OnStep = unheard
) -> RemovalReport:
    """Move the files of a plan, each once its content and that of what is kept were read and are recorded.

    What cannot be moved is refused with the reason, and the others go on. Raises `StorageError` where the
    journal cannot be written, `BusyError` while another process moves copies, and what `on_moved` raises:
    then nothing more is moved, and the next run tells it again of the file that it was told of last.
    """
    if not plan.moves and not journal.exists():
        return RemovalReport(None, (), plan.refused, 0)
    moved, refused, won = list[MovedFile](), list(plan.refused), 0
    with Journal(journal) as book:
        settled, notes = settle_all(book, on_moved)
        run = book.begin() if plan.moves else None
        kept, names = _KeptFiles(), Names()
        for done, planned in enumerate(plan.moves):
            on_step("moving", done, len(plan.moves))
            assert run is not None  # there are moves
            try:
                seen = look_at_recorded(planned.source, planned.item.content_hash)
                kept.check(planned, seen)
                if plan.can_be_undone:
                    move = moved_one(book, _ways(book, run, planned, plan.where_to, names), seen)
                else:
                    move = trashed_one(book, _move_to(book, run, planned, SYSTEM_TRASH), seen, system_trash())
            except (OSError, NotFoundError) as error:
                refused.append(RefusedItem(planned.item, reason_of(error)))
                continue
            moved.append(told(move))
            on_moved(moved[-1])
            book.note_outcome(move.number, "moved")
            won += seen.size
        on_step("moving", len(plan.moves), len(plan.moves))
    if moved and not plan.can_be_undone:
        notes += (_NOT_UNDONE,)
    return RemovalReport(run, tuple(moved), tuple(refused), won, settled, notes)


class _KeptFiles:
    """The files that stay, each read once, and again where it was written to since."""

    def __init__(self) -> None:
        self._seen: dict[int, SeenFile] = {}

    def check(self, planned: PlannedMove, going: SeenFile) -> None:
        """Raise `NotFoundError` unless the best that is kept of each group is sound, and another file."""
        for best, *_ in planned.stays:
            try:
                self._look(best)
            except (OSError, NotFoundError) as error:
                raise NotFoundError(
                    f"what is kept of its group cannot be relied on: {best.uri}: {reason_of(error)}"
                ) from error
            if _is_at(path_of(best.uri), going):
                raise NotFoundError(f"it is the same file on disk as {best.uri}, which is kept")

    def _look(self, item: Item) -> None:
        path = Path(path_of(item.uri))
        known = self._seen.get(item.id)
        if known is None or not known.is_unchanged_at(path):
            self._seen[item.id] = look_at_recorded(path, item.content_hash)


def _is_at(path: str, seen: SeenFile) -> bool:
    try:
        facts = os.stat(path)  # noqa: PTH116  # names may not be UTF-8
    except (OSError, ValueError):
        return False
    return (facts.st_dev, facts.st_ino) == (seen.device, seen.inode)


def _ways(
    book: Journal, run: str, planned: PlannedMove, where_to: ToFolder | ToTrash, names: Names
) -> Iterator[FileMove]:
    """Yield moves of a file to names that are free, the folder being there; raises `OSError`."""
    trash = None if isinstance(where_to, ToFolder) else trash_for(planned.source)
    wanted = below(where_to.folder, planned.source) if isinstance(where_to, ToFolder) else None
    for _ in range(_TRIES):
        if trash is None:
            assert wanted is not None  # it goes to a folder
            target, info, text = names.free(wanted), None, ""
            make_folder(target.parent)
        else:
            target = names.free(trash.place_of(planned.source))
            info = trash.info_of(target)
            if os.path.lexists(info):
                continue
            text = trash.info_text(planned.source, datetime.now().astimezone().replace(tzinfo=None))
        yield replace(_move_to(book, run, planned, target), info=info, info_text=text)


def _move_to(book: Journal, run: str, planned: PlannedMove, target: Path) -> FileMove:
    item = planned.item
    return FileMove(book.next_number(), run, item.id, item.uri, item.content_hash, planned.source, target)
