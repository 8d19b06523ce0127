"""Reads a Faiss index in a process of its own: damaged and hostile ones end the process that reads them.

It prints one line of JSON for what it found, or `{"problem": …}`; before that, `{"checked": …}` tells that it
is alive. Then follow the vectors as little-endian float32, row by row. Every vector was decoded once before
the line is printed, so that what cannot be decoded is known before anything is done with it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import faiss
import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 4 << 20
_FLAT = (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSWFlat, faiss.IndexNSGFlat)


@dataclass(frozen=True, slots=True)
class _Vectors:
    """An index, and for each row which of its vectors that is."""

    index: Any
    keys: npt.NDArray[np.int64]

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        size = max(1, _BLOCK_BYTES // (4 * self.index.d))
        for first in range(0, len(self.keys), size):
            yield self.index.reconstruct_batch(self.keys[first : first + size])


class _UnfitError(Exception):
    """An index whose vectors cannot be had back."""


def main() -> None:
    """Read the index named by the first argument, within the bytes of memory given by the second."""
    path, memory_bytes = sys.argv[1], int(sys.argv[2])
    _limit(memory_bytes)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Faiss prints warnings
    try:
        index = faiss.read_index(path)
        vectors = _vectors(index)
        for done, _ in enumerate(vectors.blocks()):
            if done % 64 == 0:
                _say(out, {"checked": done})
        facts = {
            "rows": len(vectors.keys),
            "dim": vectors.index.d,
            "type": type(index).__name__,
            "exact": _is_exact(index),
        }
    except _UnfitError as error:
        _say(out, {"problem": str(error)})
        return
    except (RuntimeError, ValueError, TypeError, MemoryError, AssertionError) as error:
        _say(out, {"problem": _reason(error)})
        return
    _say(out, facts)
    for block in vectors.blocks():
        out.write(np.ascontiguousarray(block, "<f4").tobytes())
    out.flush()


def _vectors(index: Any) -> _Vectors:
    ids = None
    if isinstance(index, faiss.IndexIDMap):  # also those that can decode by id
        ids = faiss.vector_to_array(index.id_map)
        index = faiss.downcast_index(index.index)
    if not index.ntotal:
        raise _UnfitError("it holds no vectors")
    lists = faiss.try_extract_index_ivf(index)
    if isinstance(lists, faiss.IndexIVFFastScan):  # faiss-cpu 1.15.1 crashes when asked
        raise _UnfitError(f"Faiss cannot give the vectors of an {type(lists).__name__} back")
    if lists is not None:
        if ids is None:
            _rows_of(_ids_in_lists(lists), index.ntotal)
        lists.make_direct_map()
    keys = np.arange(index.ntotal, dtype=np.int64) if ids is None else _rows_of(ids, index.ntotal)
    try:
        index.reconstruct(0)  # many at once end the process where it cannot be done
    except RuntimeError as error:
        kind = type(index).__name__
        raise _UnfitError(f"Faiss cannot give the vectors of an {kind} back: {_reason(error)}") from error
    return _Vectors(index, keys)


def _rows_of(ids: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Return where each row is, given the row of each; refuses ids that are no row numbers."""
    order = np.argsort(ids, kind="stable").astype(np.int64)
    if len(ids) != count or not np.array_equal(ids[order], np.arange(count)):
        some = ", ".join(str(each) for each in ids[:3].tolist())
        raise _UnfitError(f"its ids ({some} …) are not the row numbers 0 to {count - 1:,} of a list")
    return order


def _ids_in_lists(index: Any) -> npt.NDArray[np.int64]:
    lists = index.invlists
    sizes = [lists.list_size(each) for each in range(lists.nlist)]
    parts = [
        np.array(faiss.rev_swig_ptr(lists.get_ids(each), size)) for each, size in enumerate(sizes) if size
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _is_exact(index: Any) -> bool:
    """Whether an index holds the vectors as they were put in."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexIDMap):
        return _is_exact(index.index)
    if isinstance(index, faiss.IndexRefine):
        return _is_exact(index.refine_index)
    return isinstance(index, _FLAT)


def _limit(memory_bytes: int) -> None:
    if sys.platform != "win32":
        import resource  # absent on Windows

        with suppress(ValueError, OSError):  # macOS may refuse
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reason(error: BaseException) -> str:
    """Return what Faiss says, without where in its source it says so."""
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return "it claims more memory than its size allows for"
    text = " ".join(str(error).split())
    return text.rpartition(".cpp:")[2].partition(": ")[2][:200] or text[:200] or type(error).__name__


def _say(out: IO[bytes], what: dict[str, Any]) -> None:
    out.write(json.dumps(what).encode() + b"\n")
    out.flush()
