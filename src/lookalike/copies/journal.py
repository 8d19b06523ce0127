"""The journal of what was moved: JSON lines with a CRC-32 each, an intent before a move, its outcome after.

An intent is on disk before anything is touched. An outcome may be lost; then a look at the files tells it.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lookalike.copies.moving import FileMove, Outcome
from lookalike.durable import sync_folder
from lookalike.errors import BusyError, StorageError
from lookalike.files import open_bytes

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

JOURNAL_FILE = "copies-journal.jsonl"
_LOCKED_BYTE = 1 << 40  # on Windows, where nobody reads


@dataclass(slots=True)
class History:
    """What a journal says: its runs by id with the moment they began, in order, and their moves by number.

    `outcomes` lacks those of moves that were under way when they ended. `copied` has the inode of copies on
    other disks. `damaged` lines are not what was written, but for one that was cut short at the end.
    """

    runs: dict[str, str] = field(default_factory=dict)
    moves: dict[int, FileMove] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    copied: dict[int, int] = field(default_factory=dict)
    damaged: int = 0

    def pending(self) -> list[FileMove]:
        """Return the moves of which it does not say where their file is."""
        return [move for number, move in self.moves.items() if number not in self.outcomes]

    def moved(self, run: str) -> list[FileMove]:
        """Return the moves of a run whose files are where it brought them, in order."""
        undone = {move.undoes for number, move in self.moves.items() if self.outcomes.get(number) == "moved"}
        return [
            move
            for number, move in self.moves.items()
            if move.run == run and move.undoes is None and self.outcomes.get(number) == "moved"
            if number not in undone
        ]

    def take(self, facts: dict[str, Any]) -> None:
        """Take in a line; raises `KeyError`, `TypeError` or `ValueError` for one that cannot be."""
        what = facts["what"]
        if what == "run":
            self.runs[facts["run"]] = facts["at"]
        elif what == "intent":
            move = _move_of(facts)
            self.moves[move.number] = move
        elif what == "copied":
            self.copied[facts["number"]] = facts["inode"]
        elif what == "outcome":
            self.outcomes[facts["number"]] = facts["outcome"]


class Journal:
    """The journal in a file, made where there is none; one process at a time has it open.

    Raises `BusyError` while another has, and `StorageError` where it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        self._handle = self._opened()
        try:
            _lock(self._handle, path)
            if is_new:
                sync_folder(path.absolute().parent)
            self.history, self._ends_cut = _read(path)
            known = self.history
            self._last = max([*known.moves, *known.outcomes, *known.copied], default=0)
        except OSError as error:
            os.close(self._handle)
            raise StorageError(f"cannot use {path}: {error.strerror}") from error
        except BaseException:
            os.close(self._handle)
            raise

    def begin(self) -> str:
        """Note that a run begins, and return its id: the moment in UTC, with a number where it has to be."""
        now = datetime.now(UTC)
        first = run = f"{now:%Y%m%d-%H%M%S}"
        more = 1
        while run in self.history.runs:
            more += 1
            run = f"{first}-{more}"
        self._write({"what": "run", "run": run, "at": now.isoformat(timespec="seconds")})
        return run

    def next_number(self) -> int:
        """Return a number that no move has yet."""
        self._last += 1
        return self._last

    def intend(self, move: FileMove) -> None:
        """Note what is about to be moved; it is on disk when this returns."""
        self._write(_facts_of(move))
        self._sync()

    def note_copied(self, number: int, inode: int) -> None:
        """Note the copy that was made on another disk; it is on disk when this returns."""
        self._write({"what": "copied", "number": number, "inode": inode})
        self._sync()

    def note_outcome(self, number: int, outcome: Outcome) -> None:
        """Note where a file is."""
        self._write({"what": "outcome", "number": number, "outcome": outcome})

    def close(self) -> None:
        """Put on disk what was noted, and let others use the journal."""
        try:
            self._sync()
        finally:
            os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> int:
        flags = (
            os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            return os.open(self.path, flags, 0o666)
        except OSError as error:
            raise StorageError(f"cannot use {self.path}: {error.strerror}") from error

    def _write(self, facts: dict[str, Any]) -> None:
        line = (b"\n" if self._ends_cut else b"") + _line_of(facts)
        self._ends_cut = True
        try:
            if os.write(self._handle, line) < len(line):
                raise OSError("the disk is full")
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error.strerror or error}; nothing more was moved"
            ) from error
        self._ends_cut = False
        self.history.take(facts)

    def _sync(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error.strerror}; nothing more was moved"
            ) from error


def read_history(path: Path) -> History:
    """Return what a journal says; nothing where there is none. Raises `StorageError`."""
    try:
        return _read(path)[0]
    except FileNotFoundError:
        return History()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _read(path: Path) -> tuple[History, bool]:
    """Return what a journal says, and whether its last line was cut short."""
    history, line = History(), b""
    with open_bytes(path) as file:
        for line in file:
            try:
                history.take(_facts_in(line))
            except (KeyError, TypeError, ValueError):
                history.damaged += line.endswith(b"\n")
    return history, bool(line) and not line.endswith(b"\n")


def _line_of(facts: dict[str, Any]) -> bytes:
    return json.dumps({**facts, "crc": _crc(facts)}, sort_keys=True).encode() + b"\n"


def _facts_in(line: bytes) -> dict[str, Any]:
    """Return what a line says; raises `ValueError` or `TypeError` unless it is what was written."""
    facts = json.loads(line)
    if not isinstance(facts, dict) or facts.pop("crc", None) != _crc(facts):
        raise ValueError("a damaged line")
    return facts


def _crc(facts: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(facts, sort_keys=True).encode())


def _facts_of(move: FileMove) -> dict[str, Any]:
    return {
        "what": "intent",
        "number": move.number,
        "run": move.run,
        "item": move.item_id,
        "uri": move.uri,
        "sha256": move.sha256.hex(),
        "source": str(move.source),
        "target": str(move.target),
        "info": None if move.info is None else str(move.info),
        "info_text": move.info_text,
        "undoes": move.undoes,
    }


def _move_of(facts: dict[str, Any]) -> FileMove:
    return FileMove(
        number=facts["number"],
        run=facts["run"],
        item_id=facts["item"],
        uri=facts["uri"],
        sha256=bytes.fromhex(facts["sha256"]),
        source=Path(facts["source"]),
        target=Path(facts["target"]),
        info=None if facts["info"] is None else Path(facts["info"]),
        info_text=facts["info_text"],
        undoes=facts["undoes"],
    )


def _lock(handle: int, path: Path) -> None:
    """Take the journal for this process until the handle is closed."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise BusyError(f"copies are being moved by another process, which writes {path}") from error
