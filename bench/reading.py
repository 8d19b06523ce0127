"""How fast a folder of photos is read, beside the example's method and beside what limits it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from common import CLI, DATA, ROOT, WORK, distinct_copies, fresh, median, need_data, run, timed
from lookalike.cores import cpu_count
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.models import load_bundled
from lookalike.records import Photo

PHOTOS, ROUNDS = 2048, 3
TENSORFLOW = WORK / "tensorflow-env"


def measure() -> dict[str, float]:
    """Return photos per second: the example's, ours, and decode and inference each alone."""
    need_data()
    folder = distinct_copies(PHOTOS, "photos-2048")
    paths = sorted(folder.iterdir())
    cores, half = cpu_count(), max(1, cpu_count() // 2)
    rounds = []
    for _ in range(ROUNDS):  # in turn, since the machine's speed drifts
        one = {"example": _example(DATA / "coco256" / "images"), "add": _add(folder)}
        one |= {"decode": _decode(paths, cores), "inference": _infer(paths[:512], cores)}
        one |= {"decode_half": _decode(paths, half), "inference_half": _infer(paths[:512], half)}
        one["ratio"] = one["add"] / one["example"]
        one["of_slower"] = one["add"] / min(one["decode"], one["inference"])
        one["of_slower_half"] = one["add"] / min(one["decode_half"], one["inference_half"])
        one["of_limit"] = one["add"] * (1 / one["decode"] + 1 / one["inference"])
        rounds.append(one)
    return {"photos": PHOTOS} | {name: median([one[name] for one in rounds]) for name in rounds[0]}


def _example(folder: Path) -> float:
    python = TENSORFLOW / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", TENSORFLOW], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "tensorflow-cpu", "pillow"], check=True)
    output, _, _ = run([python, ROOT / "bench" / "example_reader.py", folder], stderr=subprocess.DEVNULL)
    return float(output)


def _add(folder: Path) -> float:
    """Photos per second of the whole command, start-up included."""
    collection = fresh("reading.lookalike")
    _, seconds, _ = run([CLI, "add", folder, "-c", collection], stderr=subprocess.DEVNULL)
    shutil.rmtree(collection)
    return PHOTOS / seconds


def _decode(paths: list[Path], cores: int) -> float:
    view = load_bundled().view
    with DecodePool(cores) as pool:
        warm = [PhotoRequest(str(path), str(path), view) for path in paths[:64]]
        assert all(isinstance(photo, Photo) for photo in pool.photos(warm))
        requests = [PhotoRequest(str(path), str(path), view) for path in paths]
        return len(paths) / timed(lambda: sum(1 for _ in pool.photos(requests)))


def _infer(paths: list[Path], cores: int) -> float:
    record = load_bundled()
    with DecodePool() as pool:
        photos = pool.photos(PhotoRequest(str(path), str(path), record.photo.view) for path in paths)
        pixels = np.stack([photo.pixels for photo in photos if isinstance(photo, Photo)])
    embedder = OnnxEmbedder(record, threads=cores)
    embedder.embed(pixels[:64])
    return len(pixels) / timed(
        lambda: [embedder.embed(pixels[at : at + 32]) for at in range(0, len(pixels), 32)]
    )


if __name__ == "__main__":
    print(json.dumps(measure()))
