"""A process that ends when nobody who uses it is alive any more, however they died.

Its users hold a shared lock on a file, which the system releases with them. A keeper, the process's parent,
looks five times a second whether it can have that lock for itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_LEFT: list[subprocess.Popen[str]] = []  # keepers that go on without us: Python warns of those it forgets


class Hold:
    """The shared lock of a user."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it; nothing happens where it is held."""
        if self._descriptor is None:
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go of it; nothing happens where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class KeptProcess:
    """One process group, alive as long as someone holds `lock`; what it says is appended to `log`."""

    def __init__(self, command: Sequence[str], cwd: Path, log: Path, lock: Path) -> None:
        self.command = list(command)
        self.cwd = cwd
        self.log = log
        self.lock = lock
        self.pid = 0
        self._keeper: subprocess.Popen[str] | None = None
        self._logged = 0

    @property
    def running(self) -> bool:
        """Whether the process that this object has started is there."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self, environment: Mapping[str, str], *, remove: bool = False) -> None:
        """Start it; `remove` removes its folder when its last user has gone."""
        self._logged = self.log.stat().st_size if self.log.exists() else 0
        arguments = [str(self.cwd), str(self.log), str(self.lock), "remove" if remove else "leave"]
        self._keeper = subprocess.Popen(
            [sys.executable, __file__, *arguments, *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            start_new_session=True,  # Ctrl-C is the caller's
        )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as told:
            self.pid = int(told.readline() or 0)

    def kill(self) -> None:
        """Kill -9, and return when it is gone."""
        if self._keeper is not None:
            if self.running:
                self.signal(signal.SIGKILL)
            self._keeper.wait()
        self.pid, self._keeper = 0, None

    def stop(self, seconds: float) -> None:
        """Ask it to end; kill it where that takes longer."""
        if self._keeper is not None and self.running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(seconds)
        self.kill()

    def leave(self) -> None:
        """Know nothing of it any more; it goes on while another one holds its lock."""
        if self._keeper is not None:
            _LEFT.append(self._keeper)
        self.pid, self._keeper = 0, None

    def signal(self, number: int) -> None:
        """Send a signal to it and those that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def said(self) -> list[str]:
        """The lines that it has logged since its last start."""
        with self.log.open(errors="replace") as log:
            log.seek(self._logged)
            return log.read().splitlines()


def _keep(cwd: Path, log: Path, lock: Path, command: list[str]) -> bool:
    """Run a process until it ends by itself (False) or until nobody holds the lock (True)."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    print(process.pid, flush=True)
    with lock.open("r+") as file:
        while process.poll() is None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.2)
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


if __name__ == "__main__":
    _cwd, _log, _lock = (Path(argument) for argument in sys.argv[1:4])
    if _keep(_cwd, _log, _lock, sys.argv[5:]) and sys.argv[4] == "remove":
        shutil.rmtree(_cwd, ignore_errors=True)
