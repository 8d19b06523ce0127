"""A Faiss index by its factory string, trained on a sample and filled block by block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from lookalike.errors import StorageError, UsageError
from lookalike.records import Vectors

SHARE_SCANNED = 1 / 16
"""Of the lists of an inverted file, unless whoever reads it says another `nprobe`."""

_BLOCK_BYTES = 16 << 20
_SAMPLE_BYTES = 1 << 29
_PER_CENTROID = 256  # rows; Faiss uses no more
_LEAST_SAMPLE = 10_000
_LISTS = re.compile(r"(?:^|,)IVF(\d+)([kM]?)")


class Factory:
    """A factory string that suits `count` vectors of `dim` numbers; raises `UsageError` for any other.

    See https://github.com/facebookresearch/faiss/wiki/The-index-factory.
    """

    def __init__(self, text: str, dim: int, count: int) -> None:
        self.text = text
        self.dim = dim
        if match := _LISTS.search(text):  # first, because they take memory
            lists = int(match[1]) * {"": 1, "k": 1 << 10, "M": 1 << 20}[match[2]]
            self._need(lists, count, "lists")
        self.index = self._made(text, dim)
        inverted = faiss.try_extract_index_ivf(self.index)
        self.lists = int(inverted.nlist) if inverted is not None else 0
        self.codes = max(_codes(each) for each in (self.index, inverted, _inner(self.index)))
        self._need(self.codes, count, "codes")

    @property
    def is_l2(self) -> bool:
        """Whether it compares by distance, as kinds do that know no inner product."""
        return bool(self.index.metric_type == faiss.METRIC_L2)

    def sample_rows(self) -> int:
        """How many rows to train on at most."""
        wanted = max(_LEAST_SAMPLE, _PER_CENTROID * max(self.lists, self.codes))
        return int(min(wanted, max(1, _SAMPLE_BYTES // (4 * self.dim))))

    def _made(self, text: str, dim: int) -> Any:
        try:
            try:
                return faiss.index_factory(dim, text, faiss.METRIC_INNER_PRODUCT)
            except RuntimeError as error:
                if "METRIC_L2" not in str(error):
                    raise
                return faiss.index_factory(dim, text, faiss.METRIC_L2)  # ranks unit vectors alike
        except (RuntimeError, MemoryError, ValueError, TypeError) as error:
            why = reason(error) + _fitting(text, dim)
            raise UsageError(f"Faiss makes no index {text!r} for {dim:,} numbers: {why}") from error

    def _need(self, wanted: int, count: int, what: str) -> None:
        if wanted > count:
            raise UsageError(
                f"{self.text} learns {wanted:,} {what}, for which {count:,} vectors are too few; "
                "name a smaller index, or Flat"
            )


def _fitting(text: str, dim: int) -> str:
    """Name the numbers of codes next to the one asked for that divide a vector, where that is wrong."""
    asked = re.search(r"PQ(\d+)", text)
    if asked is None or int(asked[1]) < 1 or dim % int(asked[1]) == 0:
        return ""
    few = most_codes(dim, int(asked[1]))
    many = next((each for each in range(int(asked[1]), dim + 1) if dim % each == 0), few)
    return "; " + " or ".join(f"PQ{each}" for each in sorted({few, many})) + " would do"


def most_codes(dim: int, limit: int = 16) -> int:
    """Return how many codes a vector can have at most, up to `limit`: Faiss wants them to divide it."""
    return next(each for each in range(limit, 0, -1) if dim % each == 0)


def build(factory: Factory, vectors: Path, path: Path, on_rows: Callable[[int], None]) -> int:
    """Train and fill an index with the array at `vectors`, its ids being row numbers; write it to `path`.

    Returns how many rows it was trained on. Raises `UsageError` where Faiss cannot, `StorageError`.
    """
    rows = np.load(vectors, mmap_mode="r", allow_pickle=False)
    chosen = np.arange(len(rows))
    if len(rows) > factory.sample_rows():
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), factory.sample_rows(), replace=False))
    size = max(1, _BLOCK_BYTES // (4 * factory.dim))
    blocks = (np.ascontiguousarray(rows[at : at + size], np.float32) for at in range(0, len(rows), size))
    index = factory.index
    try:
        was_trained = fill(factory, lambda: np.ascontiguousarray(rows[chosen], np.float32), blocks, on_rows)
        inverted = faiss.try_extract_index_ivf(index)
        if inverted is not None:
            inverted.nprobe = default_nprobe(factory)
    except (RuntimeError, MemoryError, AssertionError) as error:
        raise UsageError(f"Faiss cannot build {factory.text!r}: {reason(error)}") from error
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        raise StorageError(f"cannot write {path.name}: {reason(error)}") from error
    return len(chosen) if was_trained else 0


def fill(
    factory: Factory,
    sample: Callable[[], Vectors],
    blocks: Iterable[Vectors],
    on_rows: Callable[[int], object] = lambda _: None,
) -> bool:
    """Train an index on a sample, where it needs one, and add the blocks, ids being row numbers.

    `on_rows` hears how many are in. Returns whether it was trained. Raises what Faiss does.
    """
    index = factory.index
    needs_training = not index.is_trained
    if needs_training:
        _allow_few(index)
        index.train(sample())
    first = 0
    for block in blocks:
        if isinstance(index, faiss.IndexIDMap):
            index.add_with_ids(block, np.arange(first, first + len(block)))
        else:
            index.add(block)
        first += len(block)
        on_rows(first)
    return needs_training


def default_nprobe(factory: Factory) -> int:
    """How many lists of an inverted file are scanned unless something else is said."""
    return max(1, round(factory.lists * SHARE_SCANNED))


def _inner(index: Any) -> Any:
    """Return what a chain of transforms or ids holds."""
    while isinstance(index, faiss.IndexPreTransform | faiss.IndexIDMap):
        index = faiss.downcast_index(index.index)
    return index


def _codes(index: Any) -> int:
    """How many codes a product quantizer learns for each part of a vector."""
    quantizer = getattr(index, "pq", None)
    return int(quantizer.ksub) if quantizer is not None else 0


def _allow_few(index: Any) -> None:
    """Keep Faiss from printing that more vectors would be better; `Factory` refuses what cannot be."""
    parts = (index, faiss.try_extract_index_ivf(index), _inner(index))
    for trained in (*parts, *(getattr(part, "pq", None) for part in parts)):
        settings = getattr(trained, "cp", None)
        if settings is not None:
            settings.min_points_per_centroid = 1


def reason(error: BaseException) -> str:
    """Return what Faiss says, without where in its source it says so."""
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return "it needs more memory than there is"
    text = " ".join(str(error).split())
    text = text.rpartition(".cpp:")[2].partition(": ")[2] or text
    return (text.rpartition("failed: ")[2] or text)[:200]
