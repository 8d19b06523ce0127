"""What the tests of texts share: files of texts, and a collection whose embedding is counted."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.records import Committed, FileStamp, Passage
from lookalike.reports import AddReport
from lookalike.store import Store


class CountingTextEmbedder(FakeTextEmbedder):
    """A fake that notes the texts that it embeds."""

    def __init__(self, dim: int = 16, words: int = 40) -> None:
        super().__init__(dim, words)
        self.embedded: list[str] = []

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        self.embedded += texts
        return super().embed_texts(texts)


class WatchedTexts:
    """A store of texts whose embedding is counted, one `add` at a time."""

    def __init__(self, folder: Path) -> None:
        self.embedder = CountingTextEmbedder()
        self.store = Store(folder, create=True)
        spec = self.embedder.spec
        self.space = self.store.ensure_space(spec.name, spec.model_id, spec.dim, kind="text")
        self.told: list[Committed] = []

    def add(self, *paths: Path, column: str | None = "text", **options: Any) -> AddReport:
        """Add; check that all that is told is counted and that nothing is damaged."""
        self.embedder.embedded = []
        self.told = []
        parts = TextIngest(self.store, self.space, lambda *_: None, self.told.append, self.embedder)
        report = ingest_texts(parts, list(paths), column, **options)
        assert len({each.uri for each in self.told}) == len(self.told)
        for outcome in ("added", "moved", "updated"):
            assert sum(each.outcome == outcome for each in self.told) == getattr(report, outcome)
        self.check()
        return report

    def check(self) -> None:
        """All rows are sound and agree with each other."""
        assert list(self.store.texts.damage()) == []
        items = self.items()
        ids = [row[0] for row in self.store.database.fetch("SELECT id FROM items")]
        assert sorted(items.values()) == sorted(ids)  # no text twice, no item without one
        assert self.store.items.damaged(ids) == ()

    def items(self) -> dict[str, int]:
        """Ids by text, of sound items."""
        return {item.text: item.id for page in self.store.items.pages() for item in page if item.text}

    def places(self) -> dict[str, str]:
        """Texts by the name of their place."""
        rows = self.store.database.fetch("SELECT uri, text FROM places JOIN texts USING (item_id)")
        return {uri.rpartition("/")[2]: text for uri, text in rows}

    def close(self) -> None:
        self.store.close()


def write_csv(path: Path, texts: Sequence[str], **columns: Sequence[str]) -> Path:
    """Write a table with a column of texts and others."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *columns])
        writer.writerows(zip(texts, *columns.values(), strict=True))
    return path


def passage(uri: str, text: str, **metadata: str | float) -> Passage:
    """A text at a place."""
    content = text.encode()
    return Passage(uri, text, hashlib.sha256(content).digest(), FileStamp(len(content), 1), metadata)
