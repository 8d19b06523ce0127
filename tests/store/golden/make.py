"""Makes the golden collections of the current format: python tests/store/golden/make.py

Run it once when a format is released, and never again for that format: what it made must open for ever.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from lookalike.decisions import Decision
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.records import Credit, FileStamp, Passage, Photo, Skipped
from lookalike.store import PhotoBatch, Store
from lookalike.store.commit import FilledVector
from lookalike.store.schema import FORMAT
from lookalike.store.text_commit import TextBatch, TextFileRead

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


TEXTS = (
    "good morning",
    "the bus is late",
    "été à la plage",
    "good morning",
    "naïve café",
    "the train is late",
)


def passage(n: int) -> Passage:
    """One of the six rows of a file of texts; the fourth repeats the first."""
    text = TEXTS[n]
    metadata = {"mood": ("glad", "cross")[n % 2], "likes": 10 * n}
    stamp = FileStamp(len(text.encode()), 1_700_000_000_000_000_000)
    return Passage(f"/golden/été.csv#{n + 1}", text, hashlib.sha256(text.encode()).digest(), stamp, metadata)


def photos(store: Store) -> None:
    """Twelve photos of which one is removed, in two spaces; skipped files, votes, credits and decisions."""
    spec = FakeEmbedder(dim=8).spec
    space = store.ensure_space(spec.name, spec.model_id, spec.dim, reference=spec.name)
    second = store.ensure_space("second", "2" * 64, 4, reference="second", approximate=True)
    skipped = [
        Skipped("/golden/bad.jpg", "empty file", FileStamp(0, 1)),
        Skipped("/golden/x", "locked", None, False),
    ]
    batch = PhotoBatch([(photo(n), row) for n, row in enumerate(rows())], skipped)
    store.commit(space, batch, reader="golden", is_gone=lambda _: False)
    halves = rows()[:, :4] / np.linalg.norm(rows()[:, :4], axis=1, keepdims=True)
    store.fill(second, [FilledVector(n + 1, photo(n).content_hash, half) for n, half in enumerate(halves)])
    store.votes.put("item:1", 2, 1, spec.name, "2026-11-25T12:00:00+00:00")
    store.votes.put("item:1", 5, -1, spec.name, "2026-11-25T12:00:01+00:00")
    store.credits.put(Credit("r1", "item:1", spec.name, "second", 2, "click", 1, "2026-11-27"))
    store.credits.put(Credit("r1", "item:1", "second", spec.name, 3, "vote", -1, "2026-11-27"))
    contents = [photo(n).content_hash for n in range(12)]
    store.decisions.put([Decision(contents[0], contents[1], "different", "2026-12-05T12:00:00+00:00")])
    store.decisions.put([Decision(contents[4], contents[2], "first is best", "2026-12-05T12:00:01+00:00")])
    store.items.remove([5])


def texts(store: Store) -> None:
    """Five texts at six places, of a file that was read to its end."""
    embedder = FakeTextEmbedder(dim=8)
    space = store.ensure_space(
        embedder.spec.name, embedder.spec.model_id, 8, kind="text", reference=embedder.spec.reference
    )
    vectors = embedder.embed_texts(list(TEXTS))
    file = TextFileRead("/golden/été.csv", FileStamp(200, 1_700_000_000_000_000_000), "text", "golden", 6)
    batch = TextBatch([(passage(n), vectors[n]) for n in range(6)], files=[file])
    store.commit_texts(space, batch, reader="golden", is_gone=lambda _: False)


def write(name: str, fill: Callable[[Store], None]) -> None:
    """Write a store of this format anew, in one file without a log."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(folder, create=True)
    fill(store)
    store.close()
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("VACUUM")  # one small file, its log written back
    for beside in ("store.lock", "store.acknowledged"):
        (folder / beside).unlink(missing_ok=True)


def main() -> None:
    """Write both collections of this format."""
    write(f"v{FORMAT}", photos)
    write(f"v{FORMAT}-texts", texts)


if __name__ == "__main__":
    sys.exit(main())
