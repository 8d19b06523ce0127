"""What the tests of importing share: one call that imports, and what a collection then answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders import EmbedderSpec
from lookalike.embedders.loaded import AnyEmbedder
from lookalike.records import Committed
from lookalike.store import Store
from lookalike.transfer.importing.context import ImportContext
from lookalike.transfer.importing.newcomers import DefaultModel
from lookalike.transfer.importing.run import ImportReport, import_vectors
from lookalike.transfer.importing.source import ImportRequest, open_source


class Imported:
    """A collection that is imported into; `told` is what the last import said of each row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Committed] = []

    def add(
        self,
        vectors: Path,
        names: Path | None = None,
        *,
        model: EmbedderSpec | None = None,
        default: AnyEmbedder | None = None,
        on_commit: Callable[[Committed], object] | None = None,
        **how: object,
    ) -> ImportReport:
        """Import; `default` is what embeds new items for the default space."""
        self.told = []
        held = None
        if (self.folder / "store.sqlite").exists():
            with Collection(self.folder) as collection:
                held = collection.info().kind
        with open_source(ImportRequest(vectors, names, **how), model, held=held) as source:
            store = Store(self.folder, create=True)
            try:
                parts = ImportContext(store, CountingDecoder(), on_commit=on_commit or self.told.append)
                if default is not None:
                    parts = replace(parts, default_model=lambda _: DefaultModel(default))
                report = import_vectors(parts, source)
            finally:
                store.close()
        outcomes = (report.added, report.filled, report.moved, report.unchanged, report.skipped, report.empty)
        assert sum(outcomes) == report.rows
        return report

    def hits(self, item_id: int, k: int = 5, space: str | None = None) -> list[tuple[int, float]]:
        from lookalike.records import SearchOptions

        with Collection(self.folder) as collection:
            (result,) = collection.answer([item_id], SearchOptions(k, space=space, rerank=False))
            return [(hit.id, round(hit.score, 5)) for hit in result]

    def uris(self) -> dict[str, int]:
        with Collection(self.folder) as collection:
            return {item.uri: item.id for item in collection.items(limit=100_000)}

    def vectors(self, name: str) -> dict[int, np.ndarray]:
        store = Store(self.folder)
        try:
            space = next(space for space in store.spaces() if space.name == name)
            blocks = list(store.vectors(space).blocks())
            return {int(at): row for block in blocks for at, row in zip(block.ids, block.rows, strict=True)}
        finally:
            store.close()

    def is_sound(self) -> bool:
        with Collection(self.folder) as collection:
            return collection.verify().sound


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_rows(count: int, dim: int = 16, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def saved(path: Path, rows: np.ndarray) -> Path:
    np.save(path, rows)
    return path


def listed(path: Path, names: list[str]) -> Path:
    path.write_text("\n".join(names) + "\n", encoding="utf-8")
    return path
