"""How fast a folder of photos is read, beside the example's method and beside what limits it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from common import CLI, DATA, ROOT, WORK, distinct_copies, fresh, median, need_data, run, timed
from lookalike.decode.pool import DecodePool
from lookalike.decode.processes import cpu_count
from lookalike.decode.worker import Request
from lookalike.embed.onnx import OnnxEmbedder
from lookalike.models import load_bundled
from lookalike.records import Photo

PHOTOS, ROUNDS = 2048, 3
TENSORFLOW = WORK / "tensorflow-env"


def measure() -> dict[str, float]:
    """Return photos per second: the example's, ours, and decode and inference each alone."""
    need_data()
    folder = distinct_copies(PHOTOS, "photos-2048")
    paths = sorted(folder.iterdir())
    example, ours, decoding, inference = [], [], [], []
    for _ in range(ROUNDS):  # in turn, since the machine's speed drifts
        example.append(_example(DATA / "coco256" / "images"))
        ours.append(_add(folder))
        decoding.append(_decode(paths))
        inference.append(_infer(paths[:512]))
    decode, infer, add = median(decoding), median(inference), median(ours)
    return {
        "photos": PHOTOS,
        "example": median(example),
        "add": add,
        "ratio": median([a / b for a, b in zip(ours, example, strict=True)]),
        "decode": decode,
        "inference": infer,
        "of_slower": median([a / min(b, c) for a, b, c in zip(ours, decoding, inference, strict=True)]),
        "of_limit": median([a * (1 / b + 1 / c) for a, b, c in zip(ours, decoding, inference, strict=True)]),
    }


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


def _decode(paths: list[Path]) -> float:
    view = load_bundled().view
    with DecodePool() as pool:
        warm = [Request(str(path), str(path), view) for path in paths[:64]]
        assert all(isinstance(photo, Photo) for photo in pool.photos(warm))
        requests = [Request(str(path), str(path), view) for path in paths]
        return len(paths) / timed(lambda: sum(1 for _ in pool.photos(requests)))


def _infer(paths: list[Path]) -> float:
    record = load_bundled()
    with DecodePool() as pool:
        photos = pool.photos(Request(str(path), str(path), record.view) for path in paths)
        pixels = np.stack([photo.pixels for photo in photos if isinstance(photo, Photo)])
    embedder = OnnxEmbedder(record, threads=cpu_count())
    embedder.embed(pixels[:64])
    return len(pixels) / timed(
        lambda: [embedder.embed(pixels[at : at + 32]) for at in range(0, len(pixels), 32)]
    )


if __name__ == "__main__":
    print(json.dumps(measure()))
