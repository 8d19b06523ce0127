"""How fast a cluster embeds photos: two nodes of one core against one, and all cores against `add`.

Rates are those of the steady state, from the first shards to the last, since a cluster takes seconds to start
whatever there is to do; that time is told, too. Nodes and the command are pinned to their cores.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from common import CLI, ROOT, distinct_copies, fresh, median, need_data, run
from lookalike.cluster.embed import embed
from lookalike.cluster.run import EmbedRequest
from lookalike.cores import cpu_count

PHOTOS, ROUNDS = 6144, 3
NODES = ROOT / "tests" / "cluster" / "two_nodes.py"


def measure(photos: int = PHOTOS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return photos per second of one node, of two, of all cores and of `add`, and their ratios."""
    need_data()
    folder = distinct_copies(photos, f"photos-{photos}")
    found = []
    for _ in range(rounds):  # in turn, since the machine's speed drifts
        one = {"one": _nodes(folder, photos, 0), "two": _nodes(folder, photos, 0, 1)}
        one |= {"all": _nodes(folder, photos), "add": _add(folder, photos)}
        told = {f"{name}_{what}": value for name, each in one.items() for what, value in each.items()}
        told["two_to_one"] = told["two_rate"] / max(1e-9, told["one_rate"])
        told["all_to_add"] = told["all_rate"] / told["add_rate"]
        told["two_to_one_cpu"] = (
            2 * told["one_cpu"] / max(1e-9, told["two_cpu"])
        )  # what it is on cores of one's own
        told["all_to_add_cpu"] = told["add_cpu"] / max(1e-9, told["all_cpu"])
        found.append(told)
    return {"photos": photos, "cores": cpu_count()} | {
        name: median([each[name] for each in found]) for name in found[0]
    }


def _nodes(folder: Path, photos: int, *cores: int) -> dict[str, float]:
    """Embed on nodes pinned to a core each, or without any on a cluster of its own with all cores."""
    own = os.sched_getaffinity(0)
    address, process, raylets = None, None, []
    if cores:
        os.sched_setaffinity(0, {cores[0]})
        words = [sys.executable, "-W", "ignore", NODES, *map(str, cores)]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        facts = json.loads(process.stdout.readline())
        address, raylets = facts["address"], [pids[0] for pids in facts["nodes"]]
    try:
        return _embed(folder, photos, address, raylets)
    finally:
        os.sched_setaffinity(0, own)
        if process is not None:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def _embed(folder: Path, photos: int, address: str | None, raylets: list[int]) -> dict[str, float]:
    """Embed, and return the steady rate, the seconds before it, and CPU milliseconds for each photo of it."""
    out, moments, begun = fresh("embedded"), list[tuple[float, int, float]](), time.perf_counter()

    def on_step(name: str, done: int, _: int | None) -> None:
        if name == "reading" and done:
            moments.append((time.perf_counter(), done, _cpu_seconds(raylets)))

    embed(EmbedRequest((str(folder),), str(out), address, on_step=on_step))
    shutil.rmtree(out)
    begins = moments[min(len(moments) - 1, max(4, len(moments) // 5))]
    ends = moments[-max(1, min(4, len(moments) // 5))]  # at the end some actors have nothing to do
    count = max(1, ends[1] - begins[1])
    return {
        "rate": count / max(1e-9, ends[0] - begins[0]),
        "start": begins[0] - begun,
        "whole": photos / (time.perf_counter() - begun),
        "cpu": 1000 * (ends[2] - begins[2]) / count,
    }


def _cpu_seconds(raylets: list[int]) -> float:
    """Return what all processes of the cluster have used: those below raylets, or below this process."""
    seconds = 0.0
    for pid in raylets or [os.getpid()]:
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(pid)
            for each in [*top.children(recursive=True), *([top] if raylets else [])]:
                with suppress(psutil.NoSuchProcess):
                    used = each.cpu_times()
                    seconds += used.user + used.system
    return seconds


def _add(folder: Path, photos: int) -> dict[str, float]:
    """Return the rate of the whole `add`, and CPU milliseconds a photo."""
    collection = fresh("embedding.lookalike")
    before = os.times()
    _, seconds, _ = run([CLI, "add", folder, "-c", collection], stderr=subprocess.DEVNULL)
    after = os.times()
    shutil.rmtree(collection)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"rate": photos / seconds, "cpu": 1000 * used / photos}


if __name__ == "__main__":
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # as `add` runs
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
