"""How well the default model brings likes together, through a real collection and its own search.

Every photo is a query, all others are candidates, a photo of the same folder is a right answer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from lookalike import Collection
from lookalike.models import DEFAULT_MODEL


def main() -> None:
    """Print mAP and precision@10 of both labelled sets as JSON."""
    data = Path(sys.argv[1])
    figures = {name: measure(data / name) for name in ("caltech50", "clothing")}
    print(json.dumps({"model": DEFAULT_MODEL, **figures}))


def measure(folder: Path) -> dict[str, float]:
    """Return mean average precision and mean precision@10 over all photos of `folder`."""
    with tempfile.TemporaryDirectory() as scratch, Collection(Path(scratch) / "c.lookalike") as collection:
        collection.add(folder)
        ids = [item.id for item in collection.items(limit=100_000)]
        labels = {item.id: Path(item.uri).parent.name for item in collection.items(limit=100_000)}
        averages, at_ten = [], []
        for item_id in ids:
            hits = collection.search(item_id, k=len(ids), rerank=False)
            right = np.array([labels[hit.id] == labels[item_id] for hit in hits])
            found = np.cumsum(right) / np.arange(1, len(right) + 1)
            averages.append(found[right].mean())
            at_ten.append(right[:10].mean())
    return {"photos": len(ids), "map": float(np.mean(averages)), "at_10": float(np.mean(at_ten))}


if __name__ == "__main__":
    main()
