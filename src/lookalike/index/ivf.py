"""Faiss: an inverted file of 2-bit RaBitQ codes as a source of candidates.

Inverted file: Sivic and Zisserman 2003; RaBitQ: Gao and Long 2024, with more bits Gao et al. 2025. One
code is about dim/4 bytes and needs no training. The codes only rank candidates; exact scores come from the
store.

Not Faiss' faster "fast scan" codes: with faiss-cpu 1.15 they lose neighbours, silently, once items are added
after others were removed (`tests/index/test_ivf.py` holds a test that would show it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import faiss
import numpy as np

from lookalike.records import Ids, Vectors

_MOST_LISTS = 8_192
DEPTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 400)
_ROWS_PER_LIST = 16  # fewer find less among a million, more cost memory


@dataclass(frozen=True, slots=True)
class Settings:
    """How hard to search: lists scanned per query, and candidates kept for re-scoring."""

    nprobe: int
    depth: int


class IvfIndex:
    """Candidates by approximate inner product; `settings` and `recall` come from tuning."""

    def __init__(self, index: faiss.Index, settings: Settings, recall: float) -> None:
        self.settings = settings
        self.recall = recall
        self._index = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def lists(self) -> int:
        """How many lists the inverted file has."""
        return int(self._index.nlist)

    def add(self, ids: Ids, rows: Vectors) -> None:
        """See `Index.add`."""
        if len(ids):
            self._index.add_with_ids(rows, ids)

    def remove(self, ids: Ids) -> None:
        """See `Index.remove`."""
        if len(ids):
            self._index.remove_ids(ids)

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None, reach: int = 0) -> list[Ids]:
        """See `Index.search`; the candidates are the best by code, more than k of them."""
        reachable = max(1, len(self) if allowed is None else len(allowed))
        k = min(k, reachable)
        # Of many codes the order is about right: a quarter more hold nearly all that was wanted.
        depth = min(max(self.settings.depth, 4 * k, 5 * reach // 4), reachable)
        nprobe = max(
            # As many allowed items as it was tuned for, and more for more hits than that ...
            self.settings.nprobe * max(1, k / 20) * len(self) / reachable,
            # ... and lists that hold enough of them.
            max(16 * k, 4 * reach) * self.lists / reachable,
        )
        parameters = faiss.SearchParametersIVF(
            nprobe=min(math.ceil(nprobe), self.lists), sel=None if allowed is None else _selector(allowed)
        )
        _, found = self._index.search(queries, depth, params=parameters)
        return [row[row >= 0] for row in found]

    def to_bytes(self) -> bytes:
        """Return Faiss' own serialisation of the codes."""
        return bytes(faiss.serialize_index(self._index))

    @classmethod
    def from_bytes(cls, content: bytes | memoryview, settings: Settings, recall: float) -> IvfIndex:
        """Load what `to_bytes` gave; the bytes must have been verified, Faiss trusts them blindly."""
        return cls(faiss.deserialize_index(np.frombuffer(content, np.uint8)), settings, recall)


def list_count(items: int) -> int:
    """How many lists to make for so many items."""
    return int(np.clip(2 * np.sqrt(items), 1, _MOST_LISTS))


def train_count(items: int) -> int:
    """How many rows to train on for so many items."""
    return list_count(items) * _ROWS_PER_LIST


def train(rows: Vectors, items: int) -> IvfIndex:
    """Learn the lists and codes from sample `rows`; the index is empty and untuned."""
    dim = rows.shape[1]
    index = faiss.index_factory(dim, f"IVF{list_count(items)},RaBitQ2", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # silences a warning; list_count keeps the proportion
    index.train(rows)
    return IvfIndex(index, Settings(nprobe=16, depth=64), recall=0.0)


def ladder(lists: int, items: int) -> list[Settings]:
    """Return the settings worth trying, cheapest first.

    Cost of a setting, from measurement (docs/benchmarks.md): re-scoring one candidate from the store takes
    as long as scanning some 400 codes.
    """
    steps = [n for n in (2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512) if n < lists] + [lists]
    settings = [Settings(nprobe, depth) for nprobe in steps for depth in DEPTHS]
    return sorted(settings, key=lambda each: each.nprobe * items / lists + each.depth * 400)


def _selector(allowed: Ids) -> faiss.IDSelector:
    bits = np.zeros((int(allowed[-1]) if len(allowed) else 0) // 8 * 8 + 8, np.uint8)
    bits[allowed] = 1
    packed = np.packbits(bits, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
    selector.bits_alive = packed  # Faiss keeps only the address
    return selector
