"""What an index finds of items on topics that were added after it was built, and what it says of itself.

python bench/new_topics.py    intents of Banking77, classes of Caltech-101, and clusters made up
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from background import space_of
from common import fresh, need_data
from lookalike.indexing import live as indexing
from lookalike.indexing.build import recall_of_newest
from lookalike.indexing.indexer import Indexer
from lookalike.records import FileStamp, Photo, Vectors
from lookalike.store import PhotoBatch, Store

NEW = 0.1  # share of topics
BATCH = 500


def main() -> None:
    """Measure and print the figures as JSON."""
    need_data()
    indexing.EXACT_UP_TO = 500  # Caltech-101's thousand would be searched exactly
    found = {name: measure(*parted(name)) for name in ("banking77", "caltech50")}
    found["clusters"] = measure(clusters(20_000, 200, 0.3, 1), clusters(2_000, 20, 0.9, 2))
    print(json.dumps(found))


def parted(name: str) -> tuple[Vectors, Vectors]:
    """Return the vectors of all topics but some, and of these."""
    _, labels, rows = space_of(name)
    names = np.random.default_rng(0).permutation(np.unique(labels))
    new = np.isin(labels, names[: round(NEW * len(names))])
    return rows[~new], rows[new]


def clusters(count: int, middles: int, spread: float, seed: int, dim: int = 64) -> Vectors:
    """Return unit-length rows around so many middles by chance."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((middles, dim), np.float32)[random.integers(0, middles, count)]
    rows += spread * random.standard_normal(rows.shape, np.float32)
    made: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def measure(old: Vectors, new: Vectors) -> dict[str, Any]:
    """Build on `old`, add `new`: recall when built, of the new ones then, and both after a refresh."""
    store = Store(fresh("new-topics") / "items.lookalike", create=True)
    space = store.ensure_space("measured", "ab" * 32, old.shape[1])
    vectors = store.vectors(space)
    indexer = Indexer(store.folder, space, vectors)
    put(store, old, "old")
    live = indexer.refresh(None)
    built = live.index.recall
    put(store, new, "new")
    live.catch_up(vectors)
    newest = recall_of_newest(vectors, live, len(new))
    after = indexer.refresh(live)
    found = {
        "items": len(old),
        "new": len(new),
        "built": built,
        "newest_before": newest,
        "built_anew": after is not live,
        "shown": after.index.recall,
        "newest": recall_of_newest(vectors, after, len(new)),
    }
    store.close()
    return found


def put(store: Store, rows: Vectors, name: str) -> None:
    """Write items that have these vectors."""
    space = store.default_space()
    assert space is not None  # it was just made
    for begin in range(0, len(rows), BATCH):
        batch = PhotoBatch()
        for at, row in enumerate(rows[begin : begin + BATCH], begin):
            content = f"{name}-{at}"
            photo = Photo(f"/{content}.jpg", FileStamp(1, 1), content.encode(), None, {})
            batch.photos.append((photo, row))
        store.commit(space, batch, reader="bench", is_gone=lambda _: False)


if __name__ == "__main__":
    main()
