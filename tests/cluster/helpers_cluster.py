"""What the tests of embedding on a cluster share: a cluster of two nodes, commands, and looking into OUT."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import psutil
import pyarrow.parquet as pq

import lookalike
from helpers import select
from lookalike.cluster.actors import Worker, job_of, unit_of
from lookalike.cluster.embed import embed as embed_sources
from lookalike.cluster.run import EmbedReport, EmbedRequest
from lookalike.cluster.session import RaySession

HERE = Path(__file__).parent
SOURCE = str(Path(lookalike.__file__).parent.parent)
ENVIRONMENT = {"PYTHONPATH": SOURCE, "RAY_USAGE_STATS_ENABLED": "0"}
_SECONDS = 120


class TwoNodes:
    """A Ray cluster of two nodes, as processes of this machine; use it as a context manager."""

    def __init__(self, *cores: int) -> None:
        words = [sys.executable, "-W", "ignore", HERE / "two_nodes.py", *map(str, cores)]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        facts = json.loads(self._process.stdout.readline())
        self.address: str = facts["address"]
        self.nodes: list[list[int]] = facts["nodes"]

    def kill_node(self, number: int) -> None:
        """End all processes of a node at once, its raylet's first, as when its power goes."""
        for pid in self.nodes[number]:
            with suppress(psutil.NoSuchProcess):
                below = psutil.Process(pid).children(recursive=True)
                for each in [psutil.Process(pid), *below]:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()

    def workers(self) -> list[psutil.Process]:
        """The processes of actors that embed."""
        found = []
        for node in self.nodes:
            with suppress(psutil.NoSuchProcess):
                for each in psutil.Process(node[0]).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        if "MapWorker" in " ".join(each.cmdline()):
                            found.append(each)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        for node in range(len(self.nodes)):
            self.kill_node(node)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def started(*words: object, **more: Any) -> subprocess.Popen[str]:
    """A lookalike command that runs."""
    command = [sys.executable, "-m", "lookalike", *map(str, words)]
    environment = {**os.environ, **ENVIRONMENT, **more.pop("env", {})}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **more
    )


def ended(process: subprocess.Popen[str], code: int | None = 0) -> tuple[str, str]:
    """What a command has printed, once it has ended."""
    output, errors = process.communicate(timeout=_SECONDS)
    assert code is None or process.returncode == code, (process.returncode, output, errors)
    return output, errors


def embed(sources: Sequence[object] | object, out: object, *words: object, code: int = 0) -> dict[str, Any]:
    """Run `lookalike embed --json`; returns what it said."""
    named = list(sources) if isinstance(sources, list | tuple) else [sources]
    output, _ = ended(started("embed", *named, "--to", out, "--json", *words), code)
    return json.loads(output.splitlines()[-1])


def kill(process: subprocess.Popen[str]) -> None:
    """End a command at once, as when memory runs out."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def wait_for(condition: Any, seconds: float = _SECONDS) -> Any:
    """What a condition returns once it holds."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it never happened")


def shards(out: Path) -> list[Path]:
    """The shards in a folder."""
    return sorted((out / "shards").glob("*.parquet"))


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """All rows of all shards, as plain Arrow reads them."""
    for path in shards(out):
        yield from pq.read_table(path).to_pylist()


def how_often(out: Path) -> Counter[str]:
    """How many rows there are for each uri."""
    return Counter(row["uri"] for row in rows(out))


class HereSession(RaySession):
    """A cluster of one actor, which runs in this process: for what does not depend on Ray."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        self.cores, self.gpus = 1, 0
        self.read: list[str] = []
        self._before = before

    def outcomes(self, job, units, pool):
        worker = Worker(job_of(asdict(job)))
        try:
            for number, unit in enumerate(units):
                self._before(number)
                self.read += [file.uri for file in unit_of(unit).files]
                (outcome,) = worker({"unit": [unit]})["outcome"]
                yield outcome
        finally:
            worker.close()


def embed_here(
    monkeypatch, *sources: object, to: object, before: Callable[[int], None] = lambda _: None, **how: Any
) -> tuple[EmbedReport, list[str]]:
    """Embed without Ray; returns the report, and the uris that were read."""
    session = HereSession(before)
    for kind in ("embed", "texts"):
        monkeypatch.setattr(f"lookalike.cluster.{kind}.ray_session", lambda _: nullcontext(session))
    report = embed_sources(EmbedRequest(tuple(map(str, sources)), str(to), **how))
    return report, session.read


def imported(folder: Path, out: object) -> dict[str, int]:
    """Import into a collection; returns what came of it."""
    output, _ = ended(started("import", out, "-c", folder, "--json"))
    return {name: n for name, n in json.loads(output.splitlines()[-1]).items() if n and isinstance(n, int)}


def held(folder: Path) -> dict[str, list[tuple]]:
    """All that a collection holds, but for the order in which it came in."""
    asked = {
        "items": "SELECT uri, content_hash, size, mtime_ns, metadata FROM items",
        "vectors": "SELECT uri, vector FROM items JOIN vectors_1 ON item_id = id",
        "words": "SELECT uri, vector FROM items JOIN vectors_2 ON item_id = id",
        "skipped": "SELECT uri, reason, size, mtime_ns, lasting, reader FROM skipped",
        "spaces": "SELECT name, model_id, dim, kind, reference, is_default FROM spaces",
    }
    return {name: sorted(select(folder, sql)) for name, sql in asked.items()}
