"""Collections of any size with the structure of real photos, made without reading that many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common import DATA, WORK
from lookalike import Collection
from lookalike.models import DEFAULT_MODEL, load_bundled
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch, Store

_BLOCK = 2000


def real_vectors() -> tuple[list[tuple[str, bytes]], npt.NDArray[np.float32]]:
    """Return uris with content hashes, and vectors, of the real photos of the test data, read once."""
    folder = WORK / f"real-{DEFAULT_MODEL}.lookalike"
    with Collection(folder) as collection:
        collection.add(*(DATA / name for name in ("caltech50", "clothing", "coco256/images")))
    store = Store(folder)
    space = store.default_space()
    assert space is not None
    block = store.vectors(space).fetch(store.vectors(space).ids().tolist())
    items = store.items.get(block.ids.tolist())
    store.close()
    found = (items[item_id] for item_id in block.ids.tolist())
    return [(item.uri, item.content_hash) for item in found], block.rows


def jittered(real: npt.NDArray[np.float32], count: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield blocks of unit-length rows: mixtures of two real vectors with noise, the real ones first.

    A mixture takes up to half of the second vector; the noise has length 0.3. Harder to index than
    photos, which lie in tighter clusters.
    """
    random = np.random.default_rng(0)
    yield real[:count]
    left = count - len(real)
    while left > 0:
        size = min(_BLOCK, left)
        one, two = real[random.integers(0, len(real), (2, size))]
        share = random.uniform(0, 0.5, (size, 1)).astype(np.float32)
        noise = random.standard_normal(one.shape, dtype=np.float32) * (0.3 / np.sqrt(one.shape[1]))
        rows = one * (1 - share) + two * share + noise
        yield rows / np.linalg.norm(rows, axis=1, keepdims=True)
        left -= size


def make_collection(folder: Path, count: int) -> None:
    """Fill a collection with the real photos and jittered copies of their vectors."""
    photos, real = real_vectors()
    record = load_bundled()
    store = Store(folder, create=True)
    space = store.ensure_space(record.name, record.model_id, record.dim, reference=record.name)
    number = 0
    for rows in jittered(real, count):
        batch = PhotoBatch()
        for row in rows:
            made_up = (f"/jittered/{number:08}.jpg", number.to_bytes(32, "big"))
            uri, content_hash = photos[number] if number < len(photos) else made_up
            facts = {
                "format": "JPEG",
                "height": 480,
                "width": 640,
                "taken": f"20{number % 25:02}-05-01T12:00:00",
            }
            stamp = FileStamp(100_000 + number, number)
            batch.photos.append((Photo(uri, stamp, content_hash, None, facts), row))
            number += 1
        store.commit(space, batch, reader="bench", is_gone=lambda _: False)
    store.close()
