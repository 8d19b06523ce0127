"""The line between related and unrelated hits, and the score of near copies, on labelled photos.

python bench/background.py        Caltech-101 photos of 50 classes; families of copies in neardup/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import DATA, fresh, need_data
from lookalike import Collection
from lookalike.background import Background
from lookalike.search import NEAR_COPY
from lookalike.store import Store


def main() -> None:
    """Measure and print the figures as JSON."""
    need_data()
    print(json.dumps(measure()))


def measure() -> dict[str, Any]:
    """Return what the line keeps and lets pass, and how many pairs of photos count as near copies."""
    background, labels, rows = _space("caltech50")
    scores = rows @ rows.T
    np.fill_diagonal(scores, -1)
    same = labels[:, None] == labels[None]
    lines = np.array([background.line(row) for row in rows])
    above = scores >= lines[:, None]
    np.fill_diagonal(same, False)
    others = ~same & ~np.eye(len(rows), dtype=bool)
    near = np.triu(scores >= NEAR_COPY)
    _, families, copies = _space("neardup")
    modes = copies[families == "modes"]
    return {
        "kept": float(above[same].mean()),
        "false_alarms": float(above[others].mean()),
        "precision": float(same[above].mean()),
        "near_pairs_same_class": int((near & same).sum()),
        "near_pairs_other_class": int((near & others).sum()),
        "copies_near": float((modes @ modes.T >= NEAR_COPY)[np.triu_indices(len(modes), 1)].mean()),
    }


def _space(name: str) -> tuple[Background, npt.NDArray[np.str_], npt.NDArray[np.float32]]:
    """Return the background of the photos below a folder, their folders' names and their vectors."""
    folder = fresh(f"background-{name}") / "photos.lookalike"
    with Collection(folder) as collection:
        collection.add(DATA / name)
    store = Store(folder)
    space = store.default_space()
    assert space is not None  # something was added
    vectors = store.vectors(space)
    block = vectors.fetch(vectors.ids().tolist())
    items = store.items.get(block.ids.tolist())
    labels = np.array([Path(items[item_id].uri).parent.name for item_id in block.ids.tolist()])
    return Background(vectors), labels, block.rows


if __name__ == "__main__":
    main()
