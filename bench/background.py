"""The line between related and unrelated hits, what scores mean, and near copies, on labelled data.

python bench/background.py        photos of Caltech-101 and garments, questions of Banking77; neardup/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import DATA, fresh, need_data
from lookalike import Collection
from lookalike.search.background import Background
from lookalike.search.copies import NEAR_COPY
from lookalike.store import Store

QUERIES = 1_000
SETS = ("caltech50", "clothing", "banking77")


def main() -> None:
    """Measure and print the figures as JSON."""
    need_data()
    print(json.dumps(measure()))


def measure() -> dict[str, Any]:
    """Return what the line keeps and lets pass, and how many pairs of photos count as near copies."""
    lines = {name: _line(name) for name in SETS}
    _, labels, rows = _space("caltech50")
    near = np.triu(rows @ rows.T >= NEAR_COPY, 1)
    same = labels[:, None] == labels[None]
    _, families, copies = _space("neardup")
    modes = copies[families == "modes"]
    return {
        "lines": lines,
        "near_pairs_same_class": int((near & same).sum()),
        "near_pairs_other_class": int((near & ~same).sum()),
        "copies_near": float((modes @ modes.T >= NEAR_COPY)[np.triu_indices(len(modes), 1)].mean()),
    }


def _line(name: str) -> dict[str, float]:
    """Return shares of the same and of other labels above the line; and of the latter above each share."""
    background, labels, rows = _space(name)
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:QUERIES])
    scores = rows[chosen] @ rows.T
    same = labels[chosen][:, None] == labels[None]
    others = ~same
    same[np.arange(len(chosen)), chosen] = False
    lines = np.array([background.line(row) for row in rows[chosen]])
    above = scores >= lines[:, None]
    shares = np.array(background.closer_than(scores[others], rows[0]))
    return {
        "items": len(rows),
        "kept": float(above[same].mean()),
        "false_alarms": float(above[others].mean()),
        "precision": float(same[above].mean()),
        "others_above_99": float((shares >= 0.99).mean()),
        "others_above_999": float((shares >= 0.999).mean()),
    }


def _space(name: str) -> tuple[Background, npt.NDArray[np.str_], npt.NDArray[np.float32]]:
    """Return the background of a set's items, their labels and their vectors."""
    folder = fresh(f"background-{name}") / "items.lookalike"
    is_text = name == "banking77"
    with Collection(folder) as collection:
        if is_text:
            collection.add(DATA / name / "train.csv", column="text")
        else:
            collection.add(DATA / name)
    store = Store(folder)
    space = store.default_space()
    assert space is not None  # something was added
    vectors = store.vectors(space)
    block = vectors.fetch(vectors.ids().tolist())
    items = store.items.get(block.ids.tolist())
    found = (items[item_id] for item_id in block.ids.tolist())
    labels = [str(item.metadata["category"]) if is_text else Path(item.uri).parent.name for item in found]
    return Background(vectors), np.array(labels), block.rows


if __name__ == "__main__":
    main()
