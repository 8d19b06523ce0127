"""Faiss: an inverted file of 4-bit product-quantised codes, scanned with SIMD, as a source of candidates.

Inverted file: Sivic and Zisserman 2003; product quantisation: Jégou et al. 2011; its 4-bit SIMD scan: André
et al. 2015. One code is dim/8 bytes. The codes only rank candidates; exact scores come from the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

from lookalike.records import Ids, Vectors

TRAIN_ROWS = 65_536
_ROWS_PER_LIST = 40  # k-means wants about that many training rows per centroid


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

    @property
    def code_bytes(self) -> int:
        """Bytes per item, its id included."""
        return int(self._index.code_size) + 8

    def add(self, ids: Ids, rows: Vectors) -> None:
        """See `Index.add`."""
        if len(ids):
            self._index.add_with_ids(_padded(rows), ids)

    def remove(self, ids: Ids) -> None:
        """See `Index.remove`."""
        if len(ids):
            self._index.remove_ids(ids)

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> list[Ids]:
        """See `Index.search`; the candidates are the best by code, more than k of them."""
        depth = max(self.settings.depth, 4 * k)
        nprobe, selector = self.settings.nprobe, None
        if k > self.settings.depth // 4:  # far beyond what was tuned for
            nprobe *= 2
        if allowed is not None:
            nprobe = int(nprobe * max(1.0, 2 * len(self) / max(1, len(allowed))))
            selector = _selector(allowed)
        parameters = faiss.SearchParametersIVF(nprobe=min(nprobe, self.lists), sel=selector)
        _, found = self._index.search(_padded(queries), min(depth, max(1, len(self))), params=parameters)
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
    return int(np.clip(2 * np.sqrt(items), 16, TRAIN_ROWS // _ROWS_PER_LIST))


def train(rows: Vectors, items: int) -> IvfIndex:
    """Learn the lists and codes from sample `rows`; the index is empty and untuned."""
    sample = _padded(rows)
    dim = sample.shape[1]
    index = faiss.index_factory(dim, f"IVF{list_count(items)},PQ{dim // 4}x4fs", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # silences a warning; list_count keeps the proportion
    index.train(sample)
    return IvfIndex(index, Settings(nprobe=16, depth=64), recall=0.0)


def ladder(lists: int) -> Iterator[Settings]:
    """Yield the settings worth trying, cheapest first.

    Cost of a setting, from measurement: re-scoring one candidate from the store takes as long as scanning
    some 500 codes.
    """
    steps = [n for n in (2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512) if n < lists] + [lists]
    settings = [Settings(nprobe, depth) for nprobe in steps for depth in (32, 48, 64, 96, 128, 192, 256, 400)]
    codes_per_candidate = 500
    return iter(
        sorted(settings, key=lambda s: s.nprobe * codes_per_list(lists) + s.depth * codes_per_candidate)
    )


def codes_per_list(lists: int) -> float:
    """How many codes a list holds on average, the inverse of `list_count`."""
    return lists / 4


def _padded(rows: Vectors) -> Vectors:
    """Append zeros, which change no inner product, up to a multiple of 4 numbers."""
    missing = -rows.shape[1] % 4
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, missing))) if missing else rows)


def _selector(allowed: Ids) -> faiss.IDSelector:
    bits = np.zeros((int(allowed[-1]) if len(allowed) else 0) // 8 * 8 + 8, np.uint8)
    bits[allowed] = 1
    packed = np.packbits(bits, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
    selector.bits_alive = packed  # Faiss keeps only the address
    return selector
