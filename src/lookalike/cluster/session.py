"""A connection to a Ray cluster: the one at an address, or one of this machine's own while it is needed.

A program of its own holds it (`driver.py`), so that what Ray prints is not shown, and what hangs is ended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, cast

from lookalike import errors
from lookalike.cores import cpu_count
from lookalike.errors import FetchError, LookalikeError, MissingExtraError, ModelError, UsageError

_REACH_SECONDS = 3.0
_CONNECT_SECONDS = 6.0
_USUAL_IMPORT_SECONDS = 2.0
_START_SECONDS = 180.0  # of a cluster of its own, and of importing Ray on a machine that is busy
_END_SECONDS = 15.0
_LONGEST_FOLDER = 32  # letters
_ENVIRONMENT = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_START = "import sys; sys.path[:] = sys.argv[1:]; from lookalike.cluster.driver import main; main()"


@dataclass(frozen=True, slots=True)
class Pool:
    """How many actors there are to be, with how many cores and GPUs each."""

    actors: int
    cores: int
    gpus: int = 0


class WorkersDiedError(Exception):
    """Actors died several times, or were lost with their machines; the message is what Ray says of it."""


class RaySession:
    """An open connection to a cluster with so many cores and GPUs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.cores = self.gpus = 0

    def connect(self, address: str | None, folder: str | None) -> None:
        """Have the program connect; raises `FetchError` where there is no cluster, within seconds.

        A cluster of its own keeps its files in `folder`, or where Ray does (None).
        """
        self._tell([address, cpu_count(), folder])
        where = "no Ray cluster could be started" if address is None else f"no Ray cluster at {address}"
        begun = time.monotonic()
        self._heard("imported", _START_SECONDS, where)
        slowness = max(1.0, (time.monotonic() - begun) / _USUAL_IMPORT_SECONDS)  # of a machine that is busy
        seconds = _START_SECONDS if address is None else _CONNECT_SECONDS * slowness
        found = self._heard("connected", seconds, where)
        self.cores, self.gpus = found["cores"], found["gpus"]

    def pool(self, device: str) -> Pool:
        """Return the actors that fill the cluster: one for each core, or for each GPU with "cuda".

        With "auto" that is where it has any. Raises `ModelError` where there is no GPU.
        """
        if device == "cuda" and not self.gpus:
            raise ModelError("device cuda: the cluster has no GPU")
        if device != "cpu" and self.gpus:
            return Pool(self.gpus, max(1, self.cores // self.gpus), 1)
        return Pool(max(1, self.cores), 1)

    def outcomes(self, job: Any, units: Sequence[str], pool: Pool) -> Iterator[str]:
        """Yield what becomes of units, as they are done.

        What is lost with an actor or a machine is done again. Raises `WorkersDiedError` where that goes on,
        after which the rest may be tried again, and `LookalikeError`.
        """
        self._tell({"job": asdict(job), "units": units, "pool": asdict(pool)})
        while (answer := self._answer())["state"] != "end":
            if answer["state"] == "died":
                raise WorkersDiedError(answer["reason"])
            yield answer["outcome"]

    def _tell(self, what: Any) -> None:
        try:
            stdin = cast(IO[str], self._process.stdin)
            stdin.write(json.dumps(what) + "\n")
            stdin.flush()
        except OSError:
            pass  # that it has ended is told by what it answers

    def _answer(self) -> dict[str, Any]:
        line = cast(IO[str], self._process.stdout).readline()
        if not line:
            raise LookalikeError("the connection to the cluster was lost; what is done is kept")
        answer: dict[str, Any] = json.loads(line)
        if answer["state"] == "problem":
            kind, reason = answer["problem"]
            raise getattr(errors, kind)(reason)
        return answer

    def _heard(self, state: str, seconds: float, where: str) -> dict[str, Any]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            answer = self._answer()
        except LookalikeError as error:
            reason = "it does not answer as one" if expired.is_set() else str(error)
            raise FetchError(f"{where}: {reason}") from error
        finally:
            timer.cancel()
        assert answer["state"] == state
        return answer

    def end(self) -> None:
        """End the connection, and with it a cluster that was started for it."""
        with suppress(OSError):
            cast(IO[str], self._process.stdin).close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        cast(IO[str], self._process.stdout).close()


@contextmanager
def ray_session(address: str | None) -> Iterator[RaySession]:
    """Connect to the cluster at `address`, HOST:PORT; None starts one on this machine and ends it.

    Raises `MissingExtraError`, `UsageError` and `FetchError` where there is none, within seconds.
    """
    need_ray()
    if address is not None:
        check_reach(address)
    with TemporaryFile() as printed, _own_folder(address) as folder:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("LOOKALIKE_DEBUG") else printed,
            text=True,
            encoding="utf-8",
            env={**_ENVIRONMENT, **os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,  # Ctrl-C is this process' to handle
        )
        session = RaySession(process)
        try:
            session.connect(address, folder)
            yield session
        finally:
            session.end()


@contextmanager
def _own_folder(address: str | None) -> Iterator[str | None]:
    """Give a folder for the files of a cluster that is started here, so that none of them stay.

    There are sockets among them, whose paths must be short; else it is None.
    """
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield folder if address is None and len(folder) < _LONGEST_FOLDER else None


def need_ray() -> None:
    """Raise `MissingExtraError` where Ray is not installed."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("embedding on a cluster", "cluster")


def check_reach(address: str) -> None:
    """Raise `UsageError` unless an address is one, `FetchError` unless something listens there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--ray takes HOST:PORT, as ray start --head prints it, not {address}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS):
            pass
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise FetchError(f"no Ray cluster at {address}: {reason}") from error
