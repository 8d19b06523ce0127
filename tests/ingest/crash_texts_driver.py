"""Adds texts and prints each outcome, until it is killed; run by test_crash_texts.

Usage: crash_texts_driver.py STORE FOLDER STEP. A step is a statement of SQL that begins; at step STEP the
process kills itself, STEP 0 never comes. Prints what it embeds, too, and at last the number of steps taken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.ingest import texts as ingest
from lookalike.store import Store
from lookalike.store.database import Database


def tell(**event: Any) -> None:
    """Print a line whole, whichever thread it comes from."""
    os.write(1, json.dumps(event).encode() + b"\n")


class TellingEmbedder(FakeTextEmbedder):
    """A fake that says how many texts it embeds."""

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        tell(embedded=len(texts))
        return super().embed_texts(texts)


def main() -> None:
    folder, texts, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    steps = 0
    connect = Database._connect

    def step(_: str) -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(database: Database) -> Any:
        connection = connect(database)
        connection.set_trace_callback(step)
        return connection

    def told(each: Any) -> None:
        tell(uri=each.uri, outcome=each.outcome)

    if last:
        Database._connect = traced  # type: ignore[method-assign]
    ingest.BATCH = 64
    store = Store(folder, create=True)
    embedder = TellingEmbedder(dim=16)
    spec = embedder.spec
    space = store.ensure_space(spec.name, spec.model_id, spec.dim, kind="text", reference=spec.reference)
    parts = ingest.TextIngest(store, space, lambda *_: None, told, embedder)
    ingest.ingest_texts(parts, [texts], "text")
    store.close()
    print(steps, flush=True)


main()
