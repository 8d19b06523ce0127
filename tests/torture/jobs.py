"""Processes that work on a collection: forked, given a fault, waited for."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torture import driver, shim
from torture.shim import Fault

PATIENCE = 180.0
"""Seconds after which a process is said to hang; the longest command takes about one on a quiet machine."""

Command = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What one process is to do: `commands` in `folder`, with a `fault` among the files below `disk`."""

    folder: Path
    kind: str
    commands: Sequence[Command]
    fault: Fault | None = None
    log: Path | None = None
    exact_up_to: int = 100_000

    @property
    def disk(self) -> Path:
        return self.folder.parent


@dataclass(frozen=True)
class Ran:
    """What became of a job: the lines it told, in order, what it wrote to stderr, and how it ended."""

    job: Job
    lines: list[dict[str, Any]]
    errors: str
    status: int
    hung: bool

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    @property
    def calls(self) -> int:
        """How many calls were counted, where it came to its end."""
        return next((int(line["calls"]) for line in self.lines if "calls" in line), 0)

    def done(self, number: int) -> dict[str, Any] | None:
        """What a command came to; None where it did not come to its end."""
        return next((line for line in self.lines if line.get("done") == number), None)

    @property
    def failures(self) -> list[str]:
        return [f"{line['error']}: {line['message']}" for line in self.lines if "failed" in line]

    def traces(self) -> list[str]:
        """What no user should ever see; of a traceback its end and where in the product it came from."""
        said = [*(line.get("said", "") for line in self.lines), *self.failures]
        found = [text.strip() for text in said if "Traceback" in text or "unexpected " in text]
        if "Traceback" in self.errors:
            places = re.findall(r'lookalike/([\w/]+\.py)", line (\d+), in (\w+)', self.errors)[-4:]
            last = self.errors.strip().splitlines()[-1]
            found.append(f"{last} from {' > '.join(f'{file}:{line} {name}' for file, line, name in places)}")
        if self.status not in (0, -signal.SIGKILL) and not found:
            found.append(f"ended with {self.status}: {self.errors.strip()[-2000:]}")
        return found


def run(*jobs: Job, scratch: Path, patience: float = PATIENCE) -> list[Ran]:
    """Run jobs at the same time, each in a process of its own."""
    running = [_start(job, scratch / f"job{number}") for number, job in enumerate(jobs)]
    begun = time.monotonic()
    status: dict[int, int] = {}
    hung: set[int] = set()
    while len(status) < len(jobs):
        spent = time.monotonic() - begun
        for number, pid in enumerate(running):
            if number in status:
                continue
            ended, code = os.waitpid(pid, os.WNOHANG)
            if ended:
                status[number] = os.waitstatus_to_exitcode(code)
            elif spent > patience:
                hung.add(number)
                os.kill(pid, signal.SIGUSR1)  # says where it is
                time.sleep(0.2)
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    return [_ran(job, scratch / f"job{n}", status[n], n in hung) for n, job in enumerate(jobs)]


def _start(job: Job, place: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.dup2(os.open(f"{place}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600), 1)
        os.dup2(os.open(f"{place}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600), 2)
        faulthandler.register(signal.SIGUSR1, file=2)
        if job.fault is not None or job.log is not None:
            shim.arm(job.disk, job.fault or Fault(), job.log)
        driver.Driver(job.folder, job.kind, driver.put if job.log is None else _put_and_note).run(
            list(job.commands), job.exact_up_to
        )
        driver.put({"calls": shim.count()})
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(code)


def _put_and_note(line: dict[str, Any]) -> None:
    driver.put(line)
    shim.note(json.dumps(line).encode())


def _ran(job: Job, place: Path, status: int, hung: bool) -> Ran:
    content = Path(f"{place}.out").read_bytes().splitlines(keepends=True)
    lines = [json.loads(line) for line in content if line.endswith(b"\n")]  # the last one may be cut
    errors = Path(f"{place}.err").read_text(encoding="utf-8", errors="replace")
    return Ran(job, lines, errors, status, hung)
