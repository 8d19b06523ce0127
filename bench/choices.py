"""The photo models in the box beside each other: how well they find, how fast they read, what they take.

python bench/choices.py [PHOTOS]     so many photos are read for the speed; without it, 1,024

Photos of `caltech50` and `clothing`: each a query among the others; and every fifth a query among the rest,
which is what a photo from elsewhere meets. Edited photos among all photos: whether the original comes first.
In the plain order and re-ranked, exactly, from the vectors that `add` stores.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import lookalike
from common import DATA, distinct_copies, fresh, median, need_data
from lookalike import Collection
from lookalike.models.box import CHOICES
from lookalike.records import Vectors
from lookalike.search.background import Background
from lookalike.search.reranking import rerank
from reranking import EDITS, photos_of

MODELS = ("efficientnet-lite0", *CHOICES.values())
SETS = ("caltech50", "clothing")
PHOTOS, EDITED, ROUNDS = 1_024, 100, 5
Labels = npt.NDArray[np.str_]


def main() -> None:
    """Measure, and print the figures as JSON."""
    need_data()
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else PHOTOS)))


def measure(photos: int, edited: int = EDITED, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the figures of each model."""
    figures = {model: quality(model, edited) for model in MODELS}
    for model, speed in speeds(photos, rounds).items():
        figures[model] |= speed
    return figures


def quality(model: str, edited: int) -> dict[str, Any]:
    """Return mean average precision and the share of right first hits of each set, both ways."""
    figures: dict[str, Any] = {}
    everything: list[Vectors] = []
    paths: list[str] = []
    for name in (*SETS, "coco256/images"):
        with photos_of(DATA / name, model=model) as collection:
            rows, uris = collection.vectors(), [item.uri for item in collection]
            line = Background(collection.open_space().vectors).line(rows[0])
        everything.append(rows)
        paths += uris
        if name in SETS:
            labels = np.array([Path(uri).parent.name for uri in uris])
            every = np.arange(len(rows))
            figures[name] = both(rows, labels, every, every, line)
            asked = every % 5 == 0
            figures[f"{name}, held out"] = both(rows, labels, every[asked], every[~asked], line)
    mean = [figures[name][order]["map"] for order in ("plain", "reranked") for name in SETS]
    figures["mean"] = {"plain": sum(mean[:2]) / 2, "reranked": sum(mean[2:]) / 2}
    figures["edited"] = originals_first(model, np.concatenate(everything), paths, edited)
    return figures


def both(
    rows: Vectors, labels: Labels, queries: Any, candidates: Any, line: float | None
) -> dict[str, dict[str, float]]:
    """Rank the candidates for each query, itself left out, in both orders; labels say what is right."""
    found: dict[str, list[tuple[float, float]]] = {"plain": [], "reranked": []}
    for query in queries.tolist():
        others = candidates[candidates != query]
        scores = np.clip(rows[others] @ rows[query], -1, 1)
        order = np.argsort(-scores, kind="stable")
        scores, others = scores[order], others[order]
        for name, places in (("plain", slice(None)), ("reranked", rerank(scores, rows[others], line))):
            right = labels[others[places]] == labels[query]
            if right.any():
                precision = np.cumsum(right) / np.arange(1, len(right) + 1)
                found[name].append((float(precision[right].mean()), float(right[0])))
    means = {name: np.mean(values, axis=0).tolist() for name, values in found.items()}
    return {name: {"map": mean, "first": first} for name, (mean, first) in means.items()}


def originals_first(model: str, rows: Vectors, paths: list[str], count: int) -> float:
    """Return the share of edited photos whose original comes first among all; re-ranking leaves it there."""
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    right: list[bool] = []
    for edit in EDITS.values():
        pictures = []
        for at in chosen:
            with Image.open(paths[at]) as photo:
                pictures.append(edit(photo.convert("RGB")))
        nearest = (lookalike.embed(pictures, model=model) @ rows.T).argmax(axis=1)
        right.extend((nearest == chosen).tolist())
    return float(np.mean(right))


def speeds(photos: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return photos a second, CPU milliseconds and bytes of the store a photo: medians of turns at all."""
    folder = distinct_copies(photos, f"photos-{photos}")
    found: dict[str, list[tuple[float, float, float]]] = {model: [] for model in MODELS}
    for _ in range(rounds):
        for model, measured in found.items():
            begun, used = time.perf_counter(), _cpu_seconds()
            with Collection(fresh("choices.lookalike"), model=model) as collection:
                collection.add(folder)
                seconds = time.perf_counter() - begun
                size = collection.info().store_bytes
            measured.append((photos / seconds, 1_000 * (_cpu_seconds() - used) / photos, size / photos))
    names = ("photos_per_second", "cpu_ms", "store_bytes")
    return {
        model: {name: median([one[at] for one in measured]) for at, name in enumerate(names)}
        for model, measured in found.items()
    }


def _cpu_seconds() -> float:
    """What this process and its workers, which have ended, have used."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


if __name__ == "__main__":
    main()
