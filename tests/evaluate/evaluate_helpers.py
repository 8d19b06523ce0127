"""Collections with vectors that are chosen, for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lookalike import Collection
from lookalike.transfer.transfer import ImportRequest


def collection_of(
    folder: Path, rows: np.ndarray, names: Sequence[str] | None = None, space: str = "made"
) -> Collection:
    """A collection of photos that are not there, whose vectors are `rows`, with ids from 1 in order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = names or [f"/nowhere/{at:05}.jpg" for at in range(len(rows))]
    (folder / f"{space}.txt").write_text("".join(f"{name}\n" for name in names))
    np.save(folder / f"{space}.npy", rows.astype(np.float32))
    collection = Collection(folder / "c.lookalike")
    what = ImportRequest(folder / f"{space}.npy", folder / f"{space}.txt", name=space, kind="photo")
    report, _ = collection.import_vectors(what)
    assert report.added + report.filled == len(rows)
    return collection


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clusters(
    count: int, classes: int, spread: float, seed: int = 0, dim: int = 16
) -> tuple[np.ndarray, list]:
    """Unit rows around centres, and the number of each one's centre."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, dim))
    which = np.arange(count) % classes
    return unit(centres[which] + spread * random.normal(size=(count, dim))), which.tolist()
