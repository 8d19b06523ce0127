"""What the benchmarks share: the data, the machine's name, medians, commands with their peak memory."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LOOKALIKE_DATA", ROOT.parent / "shared" / "data"))
WORK = Path(os.environ.get("LOOKALIKE_BENCH", ROOT / ".cache" / "bench"))
CLI = Path(sys.executable).with_name("lookalike")


def machine() -> str:
    """Name the processor, cores, memory and versions that the figures belong to."""
    import faiss
    import onnxruntime
    import PIL

    cpu = platform.processor() or platform.machine()
    memory = 0.0
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cpu}, {cores} cores, {memory:.0f} GiB, {platform.system()}; Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}, Faiss {faiss.__version__}, Pillow {PIL.__version__}"
    )


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that one call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def run(command: list[str | Path], **more: Any) -> tuple[str, float, float]:
    """Run a command; return its output, its seconds, and its peak memory in MB (largest single process)."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True, **more)
    assert process.stdout is not None  # it is a pipe
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed with {process.returncode}")
    return output, seconds, usage.ru_maxrss / 1000


def run_json(script: str, *arguments: object) -> tuple[Any, float]:
    """Run a script of this folder in a process of its own; return its last line as JSON, and peak MB."""
    command = [sys.executable, ROOT / "bench" / script, *map(str, arguments)]
    output, _, peak = run(command)
    return json.loads(output.splitlines()[-1]), peak


def fresh(name: str) -> Path:
    """Return an empty folder below the working folder."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def need_data() -> None:
    """Stop with a clear line where the photos are absent."""
    if not DATA.is_dir():
        raise SystemExit(f"no photos at {DATA}; name their folder in LOOKALIKE_DATA")


def distinct_copies(count: int, name: str) -> Path:
    """Return a folder of `count` COCO photos, each file distinct: a number after the JPEG's end mark.

    Byte-for-byte copies would be recognised by their hash and neither decoded nor embedded.
    """
    folder = WORK / name
    originals = sorted((DATA / "coco256" / "images").glob("*.jpg"))
    if len(list(folder.glob("*.jpg"))) == count:
        return folder
    fresh(name)
    for number in range(count):
        content = originals[number % len(originals)].read_bytes()
        (folder / f"{number:06}.jpg").write_bytes(content + b"%08d" % number)
    return folder


@contextmanager
def milvus_at(given: Sequence[str], folder: Path) -> Iterator[str]:
    """Yield HOST:PORT of the server that was `given`, or else of the wheel's, started in `folder`."""
    if given:
        yield given[0]
        return
    sys.path.insert(0, str(ROOT / "tools"))
    from milvus_server import MilvusServer

    with MilvusServer(folder / "milvus") as server:
        yield server.address
