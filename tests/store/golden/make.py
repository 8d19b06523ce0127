"""Makes the golden collection of the current format: python tests/store/golden/make.py

Run it once when a format is released, and never again for that format: what it made must open for ever.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from lookalike.embed.fake import FakeEmbedder
from lookalike.records import FileStamp, Photo, Skipped
from lookalike.store import Batch, Store
from lookalike.store.schema import FORMAT

HERE = Path(__file__).parent
CAMERAS = ("Canon EOS 5D", "NIKON D70")


def rows() -> np.ndarray:
    """Twelve unit-length vectors of eight numbers."""
    vectors = np.random.default_rng(2024).standard_normal((12, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def photo(n: int) -> Photo:
    """The facts of one of the twelve photos."""
    metadata = {"width": 100 + n, "height": 50, "format": "JPEG", "camera": CAMERAS[n % 2]}
    if n % 3 == 0:
        metadata["taken"] = f"20{10 + n}-06-15T12:00:00"
    uri = f"/golden/été {n}.jpg" if n != 11 else "file:///golden/%FF.jpg"
    return Photo(uri, FileStamp(1000 + n, 1_700_000_000_000_000_000 + n), bytes([n]) * 32, None, metadata)


def main() -> None:
    """Write the store of this format anew, in one file without a log."""
    folder = HERE / f"v{FORMAT}"
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(folder, create=True)
    spec = FakeEmbedder(dim=8).spec
    space = store.ensure_space(spec.name, spec.model_id, spec.dim)
    skipped = [
        Skipped("/golden/bad.jpg", "empty file", FileStamp(0, 1)),
        Skipped("/golden/x", "locked", None, False),
    ]
    batch = Batch([(photo(n), row) for n, row in enumerate(rows())], skipped)
    store.commit(space, batch, reader="golden", is_gone=lambda _: False)
    store.votes.put("item:1", 2, 1, spec.name, "2026-11-25T12:00:00+00:00")
    store.votes.put("item:1", 5, -1, spec.name, "2026-11-25T12:00:01+00:00")
    store.items.remove([5])
    store.close()
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("VACUUM")  # one small file, its log written back


if __name__ == "__main__":
    sys.exit(main())
