"""Worker processes, each with pipes of its own: the death of one is felt by no other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import IO, Any, cast

from lookalike.decode.budget import DecodeBudget
from lookalike.decode.wire import read_message, write_message
from lookalike.errors import LookalikeError

Answer = tuple[Any, list[bytes]]

_START_SECONDS = 60.0
_START_ATTEMPTS = 3
_START = "import sys; sys.path[:] = sys.argv[3:]; from lookalike.decode.serve import main; main()"


class WorkerDiedError(Exception):
    """The worker process ended before it had answered."""


class WorkerProcess:
    """One worker process, asked by one thread at a time.

    It is started as a program, not by `multiprocessing`, which would run the caller's script in it again.
    It ends when it is stopped and when this process ends, however that happens.
    """

    def __init__(self, memory_bytes: int, seconds: float) -> None:
        self._seconds = seconds
        self._process = subprocess.Popen(
            # -P: a PIL.py in the current folder is not Pillow
            [sys.executable, "-P", "-c", _START, str(memory_bytes), str(seconds), *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff and libjpeg complain there
            env={
                **os.environ,
                "MALLOC_ARENA_MAX": "1",
            },  # glibc would set 64 MiB of the limit aside per thread
            start_new_session=True,  # Ctrl-C is this process' to handle
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return when it has started; raises `TimeoutError` or `WorkerDiedError`."""
        self._exchange(None, _START_SECONDS)

    def ask(self, task: Any, blobs: Sequence[bytes] = ()) -> Answer:
        """Return the answer to a task; raises `TimeoutError` or `WorkerDiedError`, and then it has ended."""
        return self._exchange(task, self._seconds, blobs)

    def kill(self) -> None:
        """End the process at once; any thread may call it."""
        self._process.kill()

    def stop(self) -> None:
        """End the process and close the pipes."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not written yet never will be
                cast(IO[bytes], stream).close()

    def _exchange(self, task: Any, seconds: float, blobs: Sequence[bytes] = ()) -> Answer:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.kill()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            if task is not None:
                write_message(cast(IO[bytes], self._process.stdin), task, blobs)
            return read_message(cast(IO[bytes], self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise (TimeoutError if expired.is_set() else WorkerDiedError) from error
        finally:
            timer.cancel()


class WorkerPool:
    """A fixed number of workers and the threads that mind them; a worker that dies is replaced."""

    def __init__(self, count: int, memory_bytes: int, seconds: float) -> None:
        self._memory_bytes, self._seconds = memory_bytes, seconds
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._workers: set[WorkerProcess] = set()
        self._closed = False

    def submit(
        self, task: Any, blobs: Sequence[bytes] = (), budget: DecodeBudget | None = None
    ) -> Future[Answer]:
        """Have a task answered; the future raises `TimeoutError` or `WorkerDiedError` if it cannot be."""
        return self._threads.submit(self._ask, task, blobs, budget)

    def close(self) -> None:
        """Stop all workers, whatever they are doing, and drop the tasks that wait."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.stop()

    def _ask(self, task: Any, blobs: Sequence[bytes], budget: DecodeBudget | None) -> Answer:
        if budget is not None and budget.is_spent:
            raise TimeoutError
        worker: WorkerProcess | None = getattr(self._mine, "worker", None)
        if worker is None or not worker.alive:  # killed while it had nothing to do
            self._dismiss(worker)
            worker = self._mine.worker = self._started()
        try:
            with nullcontext() if budget is None else budget.spending(worker.kill):
                return worker.ask(task, blobs)
        except BaseException:
            self._dismiss(worker)
            raise

    def _started(self) -> WorkerProcess:
        for _ in range(_START_ATTEMPTS):
            with self._lock:
                if self._closed:
                    raise WorkerDiedError
                worker = WorkerProcess(self._memory_bytes, self._seconds)
                self._workers.add(worker)
            try:
                worker.wait_until_ready()
                return worker
            except (TimeoutError, WorkerDiedError):
                self._dismiss(worker)
        raise LookalikeError(
            f"decode workers cannot start, given {self._memory_bytes >> 20:,} MiB of memory each; "
            "if that is enough, reinstall lookalike"
        )

    def _dismiss(self, worker: WorkerProcess | None) -> None:
        self._mine.worker = None
        if worker is not None:
            with self._lock:
                self._workers.discard(worker)
            worker.stop()
