"""Moves copies away (or back) in a process that kills itself, once for each step; run by test_killed.

Usage: kill_driver.py ROOT OTHER WHAT. For each step N there is a folder ROOT/N of its own, and OTHER/N on
the disk that files go to; WHAT is folder, trash or undo. A step is a file that is made, written, synced,
renamed or removed, a folder that is made, or a file whose move is told; half of what is written is written
before. The last line printed is the number of steps that were killed at.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from copies_helpers import group_of, item_of, write

from lookalike.copies import trash
from lookalike.copies.actions import carry_out
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.planning import ToFolder, ToTrash, all_but_best, plan_removal
from lookalike.copies.undoing import undo

COUNT = 3


class Fuse:
    """Counts steps and ends the process before the one it was given."""

    def __init__(self, last: int) -> None:
        self.burnt = 0
        self._last = last

    def step(self, half: Callable[[], object] | None = None) -> None:
        self.burnt += 1
        if self.burnt == self._last:
            if half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, module: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(module, name)

        def stepping(*arguments: Any, **named: Any) -> Any:
            self.step()
            return function(*arguments, **named)

        setattr(module, name, stepping)

    def light(self) -> None:
        """Make every step that changes something on disk count."""
        write_whole, copy_whole = os.write, shutil.copyfileobj

        def written(handle: int, content: bytes) -> int:
            self.step(lambda: write_whole(handle, content[: len(content) // 2]))
            return write_whole(handle, content)

        def copied(source: Any, target: Any, length: int = 0) -> None:
            self.step(lambda: (target.write(source.read(1_000)), target.flush()))
            copy_whole(source, target, length)

        os.write, shutil.copyfileobj = written, copied
        for module, name in (
            *((os, each) for each in ("fsync", "replace", "unlink", "chown", "mkdir")),
            *((Path, each) for each in ("open", "unlink", "mkdir")),
        ):
            self.before(module, name)


def prepare(root: Path, other: Path, what: str) -> tuple[Path, Path]:
    """Make the photos, on the disk that their way begins at, and return the folders of both ends."""
    photos, target = root / "photos", other / "out"
    for number in range(1, COUNT + 2):
        write(photos / f"{number}.jpg", bytes([number]) * 3_000)
    os.environ["XDG_DATA_HOME"] = str(other / "data")
    if what == "undo":
        act(root, photos, target, "folder", lambda: None)
    return photos, target


def act(root: Path, photos: Path, target: Path, what: str, step: Callable[[], None]) -> None:
    if what == "undo":
        undo(root / JOURNAL_FILE, lambda _: step())
        return
    items = [item_of(photos / f"{number}.jpg", number) for number in range(1, COUNT + 2)]
    plan = plan_removal([all_but_best(group_of(*items))], ToTrash() if what == "trash" else ToFolder(target))
    told = (root / "told").open("a")

    def tell(moved: Any) -> None:
        step()
        told.write(f"{moved.item_id}\n")
        told.flush()

    carry_out(plan, root / JOURNAL_FILE, tell)


def main() -> None:
    trash._trashes_of = lambda _: []  # what is on the disk of the photos is no business of a test
    root, other, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    step = 0
    while True:
        step += 1
        photos, target = prepare(root / str(step), other / str(step), what)
        child = os.fork()
        if not child:
            fuse = Fuse(step)
            fuse.light()
            act(root / str(step), photos, target, what, fuse.step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0, f"step {step} failed"
            break
    print(step - 1)


main()
