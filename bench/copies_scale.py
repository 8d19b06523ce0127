"""How long it takes to find copies in large collections, and where the time goes.

python bench/copies_scale.py hashes [COUNT …]    pairs of near hashes among so many, in all eight positions
python bench/copies_scale.py look FOLDER COUNT   a close look at COUNT photos of FOLDER, a new collection each

Hashes are drawn by chance, one in twenty of them a copy of another one in which up to 48 bits differ: their
number decides, not what is in them. Prints JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import machine
from lookalike import Collection
from lookalike.copies.near import NEAR_BITS, near_pairs
from lookalike.matching.hashes import HASH_BYTES
from lookalike.progress import unheard

COUNTS = (10_000, 20_000, 40_000)


def main() -> None:
    """Measure what the command line names."""
    what, *given = sys.argv[1:] or ["hashes"]
    measured = hashes([int(each) for each in given] or list(COUNTS)) if what == "hashes" else look(*given)
    print(json.dumps({"machine": machine(), **measured}))


def hashes(counts: list[int]) -> dict[str, Any]:
    """Return seconds and processor seconds for all pairs of so many hashes."""
    return {str(count): _timed_hashes(count) for count in counts}


def _timed_hashes(count: int) -> dict[str, float]:
    drawn = drawn_hashes(count)
    begun, cpu = time.perf_counter(), time.process_time()
    found = sum(1 for _ in near_pairs(drawn, set(drawn), unheard))
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "pairs": found,
    }


def drawn_hashes(count: int, seed: int = 0) -> dict[int, bytes]:
    """Return hashes by number: one in twenty is a copy of another one, up to `NEAR_BITS` bits apart."""
    chance = np.random.default_rng(seed)
    bits = chance.integers(0, 2, (count, HASH_BYTES * 8), np.uint8)
    copies = count // 20
    bits[:copies] = bits[chance.integers(copies, count, copies)]
    for row in bits[:copies]:
        row[chance.choice(len(row), chance.integers(0, NEAR_BITS + 1), replace=False)] ^= 1
    return {at: each.tobytes() for at, each in enumerate(np.packbits(bits, axis=1), 1)}


def look(folder: str, count: str) -> dict[str, Any]:
    """Return what a close look takes, by its steps."""
    photos = sorted(path for path in Path(folder).rglob("*") if path.suffix in (".jpg", ".webp"))[
        : int(count)
    ]
    steps: list[tuple[str, float]] = []

    def note(step: str, _done: int, _total: int | None) -> None:
        if not steps or steps[-1][0] != step:
            steps.append((step, time.perf_counter()))

    with tempfile.TemporaryDirectory() as scratch, Collection(Path(scratch) / "c.lookalike") as collection:
        collection.add(*photos)
        begun, cpu = time.perf_counter(), time.process_time()
        report = collection.copies(on_step=note)
        ended, spent = time.perf_counter(), time.process_time() - cpu
        notes = (Path(scratch) / "c.lookalike" / "copies.sqlite").stat().st_size
        workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [*(at for _, at in steps), ended]
    return {
        "photos": len(photos),
        "groups": len(report.groups),
        "seconds": round(ended - begun, 1),
        "cpu_seconds": round(spent, 1),
        "ms_a_photo": round(1000 * (ended - begun) / len(photos), 1),
        "steps": {name: round(times[at + 1] - times[at], 1) for at, (name, _) in enumerate(steps)},
        "kilobytes_a_photo": round(notes / len(photos) / 1000, 1),
        "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "decoders_cpu_seconds": round(workers.ru_utime + workers.ru_stime, 1),
    }


if __name__ == "__main__":
    main()
