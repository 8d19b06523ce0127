"""Adds photos and prints each outcome, until it kills itself at a given step; run by test_crash.

Usage: crash_driver.py COLLECTION PHOTOS STEP EXACT_UP_TO. A step is a statement of SQL that begins, a file
that is opened, synced, linked or renamed; STEP 0 never comes. The last line printed is the number of steps
taken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of all tests

from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.indexing import live as indexing
from lookalike.store.database import Database


class Fuse:
    """Counts steps and ends the process, as a power cut would, before the one it was given."""

    def __init__(self, last: int) -> None:
        self.burnt = 0
        self._last = last

    def step(self, *_: object) -> None:
        self.burnt += 1
        if self.burnt == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, module: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(module, name)

        def stepping(*arguments: Any, **named: Any) -> Any:
            self.step()
            return function(*arguments, **named)

        setattr(module, name, stepping)


def main() -> None:
    folder, photos, last, exact_up_to = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        int(sys.argv[4]),
    )
    fuse = Fuse(last)
    connect = Database._connect

    def traced(database: Database) -> Any:
        connection = connect(database)
        connection.set_trace_callback(fuse.step)
        return connection

    Database._connect = traced  # type: ignore[method-assign]
    for module, name in ((os, "fsync"), (os, "replace"), (os, "link"), (Path, "open")):
        fuse.before(module, name)
    indexing.EXACT_UP_TO = exact_up_to

    def tell(each: Any) -> None:
        print(json.dumps({"uri": each.uri, "outcome": each.outcome}), flush=True)

    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:  # type: ignore[arg-type]
        collection.add(photos, on_commit=tell)
    print(fuse.burnt, flush=True)


main()
