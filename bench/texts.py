"""The bundled text model: how well it finds (python bench/texts.py quality), how fast it reads (… speed).

`quality` compares with the float32 graph that `make models` leaves in build/models.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common import DATA, ROOT, median
from lookalike.embed.load import load_embedder
from lookalike.embed.texts import OnnxTextEmbedder
from lookalike.models import ModelFile, load_bundled
from lookalike.records import Vectors

NAME = "all-minilm-l6-v2"
FLOAT32 = ROOT / "build" / "models" / f"{NAME}-float32.onnx"
K = 10
ROUNDS = 3
THREADS = 2


def quality() -> dict[str, dict[str, float]]:
    """Spearman's correlation on stsb-en-dev, and precision@10 on banking77 with every question as a query."""
    record = load_bundled(NAME)
    embedders = {"int8": OnnxTextEmbedder(record, THREADS)}
    if FLOAT32.exists():
        assert record.text is not None
        tower = replace(record.text, file=ModelFile(FLOAT32, _sha256(FLOAT32)))
        embedders["float32"] = OnnxTextEmbedder(replace(record, text=tower), THREADS)
    with (DATA / "stsb" / "stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.reader(file))
    people = np.array([float(pair[2]) for pair in pairs])
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([row["category"] for row in rows])
    found = {}
    for name, embedder in embedders.items():
        left, right = (embedder.embed_texts([pair[side] for pair in pairs]) for side in (0, 1))
        questions = embedder.embed_texts([row["text"] for row in rows])
        found[name] = {
            "spearman": round(spearman((left * right).sum(axis=1), people), 4),
            "precision_at_10": round(precision(questions, labels), 4),
        }
    return found


def precision(rows: Vectors, labels: np.ndarray) -> float:
    """Mean share of the same label among the 10 nearest others."""
    shares = []
    for at in range(0, len(rows), 1000):
        scores = rows[at : at + 1000] @ rows.T
        scores[np.arange(len(scores)), np.arange(at, at + len(scores))] = -2
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        shares.append((labels[best] == labels[at : at + len(scores), None]).mean(axis=1))
    return float(np.concatenate(shares).mean())


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of ranks, equal values at their mean rank."""
    ranks = []
    for values in (one, other):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def speed() -> dict[str, Any]:
    """Tweets per second, tokenizing included, in batches as `add` hands them over."""
    embedder = load_embedder(NAME, "cpu", THREADS)
    with (DATA / "tweets" / "texts_20k.csv").open(encoding="utf-8", newline="") as file:
        tweets = [row["text"] for row in csv.DictReader(file)][:5_120]
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for at in range(0, len(tweets), 512):
            embedder.embed_texts(tweets[at : at + 512])  # type: ignore[union-attr]
        rates.append(len(tweets) / (time.perf_counter() - start))
    return {"tweets_per_second": median(rates), "fastest": max(rates)}


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(json.dumps({"quality": quality, "speed": speed}[sys.argv[1]](), indent=1))
