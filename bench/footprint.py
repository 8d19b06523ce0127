"""Cold start, memory of reading, and what an installation takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import CLI, DATA, ROOT, distinct_copies, fresh, median, run, timed

COLD_RUNS = 15


def cold_search(collection: Path) -> dict[str, float]:
    """Seconds from shell to hits, the page cache warm and no process running."""
    photo = sorted((DATA / "coco256" / "images").glob("*.jpg"))[3]
    command = [CLI, "search", photo, "--json", "-c", collection]
    run(command)
    times = [timed(lambda: run(command)) for _ in range(COLD_RUNS)]
    return {"seconds": median(times), "fastest": min(times), "slowest": max(times)}


def reading_memory() -> dict[str, float]:
    """Peak MB of the largest process of `lookalike add`, for 1,000 and for 20,000 photos."""
    peaks: dict[str, float] = {}
    for count in (1_000, 20_000):
        photos = distinct_copies(count, f"photos-{count}")
        collection = fresh(f"memory-{count}.lookalike")
        _, seconds, peak = run([CLI, "add", photos, "-c", collection], stderr=subprocess.DEVNULL)
        peaks[f"peak_mb_{count}"] = peak
        peaks[f"seconds_{count}"] = seconds
        shutil.rmtree(photos)
        shutil.rmtree(collection)
    return peaks


def installed_size() -> dict[str, Any]:
    """MB of all that `pip install lookalike` puts into a fresh environment, pip itself aside."""
    folder = fresh("install")
    env = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    site = next((env / "lib").glob("python*/site-packages"))
    before = _megabytes(site)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", site, ROOT]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    sizes = {path.name: _megabytes(path) for path in site.iterdir()}
    largest = dict(sorted(sizes.items(), key=lambda pair: -pair[1])[:6])
    return {"mb": _megabytes(site) - before, "largest": largest}


def _megabytes(path: Path) -> float:
    if path.is_file():
        return path.stat().st_size / 1e6
    files = (Path(parent) / name for parent, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in files) / 1e6


if __name__ == "__main__":
    print(json.dumps(installed_size()))
