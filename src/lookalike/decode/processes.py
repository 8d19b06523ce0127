"""Worker processes that start clean on every system."""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

_main_lock = threading.Lock()


class _CleanProcess(SpawnProcess):
    """A spawned process that does not run the caller's script a second time.

    `multiprocessing` imports the caller's `__main__` into every worker, so that a script without an
    `if __name__ == "__main__"` guard starts itself again and fails. Workers need nothing of that script;
    an empty module stands in for it during the few milliseconds of the start.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  # the hook's name in multiprocessing
        with _main_lock:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class CleanContext(SpawnContext):
    """The `spawn` start method (no inherited locks, threads or files) with clean processes."""

    Process = _CleanProcess


def cpu_count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
