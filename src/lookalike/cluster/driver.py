"""Run as a program: what talks to Ray, whose libraries print what they like and take their time to give up.

It reads JSON lines from standard input: first what to connect to, then waves of work. It answers in JSON
lines on what was its standard output: `imported`, `connected` with the cluster's resources, each `outcome`,
`end` after a wave or `died` where its actors do again and again, or a `problem` (an error's name and its
line), after which it ends. It ends, too, when its standard input does.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

_STORE_BYTES = 128 << 20  # of shared memory: only lists of files go through it
_MOST_LIVES = 2  # of one actor, and attempts at one unit, before the command is told
_MOST_DEAD_AT_START = 5  # actors, one after the other
_STARTS = 3
_LAST_SECONDS = 10.0  # for the cluster to end in


def main() -> None:
    """Connect, do what comes, and end the connection."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever prints does not disturb the answers

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")

    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    try:
        _work(lines, answer)
    except KeyboardInterrupt:  # standard input has ended
        pass
    except Exception as error:
        with suppress(OSError):
            answer(state="problem", problem=_problem(error))
    threading.Timer(_LAST_SECONDS, os._exit, (1,)).start()
    with suppress(Exception):
        import ray

        ray.shutdown()
    os._exit(0)  # threads of Ray may not end


def _listen(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    threading.Timer(_LAST_SECONDS, os._exit, (1,)).start()
    _thread.interrupt_main()
    lines.put("")


def _work(lines: SimpleQueue[str], answer: Any) -> None:
    address, cores, folder = json.loads(lines.get())
    import ray

    answer(state="imported")
    _connect(ray, address, cores, folder)
    found = ray.cluster_resources()
    answer(state="connected", cores=int(found.get("CPU", 0)), gpus=int(found.get("GPU", 0)))
    while line := lines.get():
        wave = json.loads(line)
        try:
            for outcome in _outcomes(wave["job"], wave["units"], wave["pool"]):
                answer(state="outcome", outcome=outcome)
            answer(state="end")
        except ray.exceptions.RayActorError as error:
            if _is_missing(str(error)):
                raise
            answer(state="died", reason=_last_line(str(error)))


def _connect(ray: Any, address: str | None, cores: int, folder: str | None) -> None:
    """Attach to a cluster, or start one with so many cores of this machine and a small object store."""
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is not None:
        ray.init(address=address, **how)
        return
    how |= {"num_cpus": cores, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    for attempt in range(_STARTS):
        try:
            ray.init(address="local", _temp_dir=folder, **how)
            return
        except Exception:  # Ray gives up after 30 s, which is little on a busy machine
            ray.shutdown()
            if attempt == _STARTS - 1:
                raise


def _outcomes(job: dict[str, Any], units: Sequence[str], pool: dict[str, int]) -> Any:
    """Yield what becomes of units, as they are done; what is lost with a machine is done again."""
    from ray.data import ActorPoolStrategy, DataContext, from_items

    from lookalike.cluster.actors import Worker, job_of

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = _MOST_DEAD_AT_START
    data = from_items([{"unit": each} for each in units], override_num_blocks=len(units)).map_batches(
        Worker,
        batch_size=1,
        compute=ActorPoolStrategy(size=min(pool["actors"], len(units)), max_tasks_in_flight_per_actor=2),
        fn_constructor_args=(job_of(job),),
        num_cpus=pool["cores"],
        num_gpus=pool["gpus"] or None,
        ray_remote_args_fn=_lives,
    )
    for row in data.iter_rows():
        yield row["outcome"]


def _lives() -> dict[str, int]:
    return {"max_restarts": _MOST_LIVES - 1, "max_task_retries": _MOST_LIVES - 1}


def _problem(error: Exception) -> tuple[str, str]:
    """Return the name of the error that the user is to see, and its line."""
    text = str(error)
    if _is_missing(text):
        return "ModelError", (
            "a machine of the cluster has no lookalike, or another version: install the same on all of them"
        )
    line = _last_line(text) or type(error).__name__
    return "LookalikeError", f"the cluster cannot go on: {line}"


def _is_missing(text: str) -> bool:
    """Whether an error says that a machine lacks what the command has."""
    return "No module named 'lookalike" in text or ("has no attribute" in text and "lookalike" in text)


def _last_line(text: str) -> str:
    """Return the last line that is no part of a traceback, without colours."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(" ")]
    return "".join(each for each in (lines[-1] if lines else "") if each.isprintable())[:300]


if __name__ == "__main__":
    main()
