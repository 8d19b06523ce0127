"""Reads a Faiss index in a process of its own: damaged and hostile ones end the process that reads them.

It prints one line of JSON for what it found, or `{"problem": …}`. Before that, `{"decoding": …}` names the
kind of index of which a vector is decoded next, should that end the process, and `{"checked": …}` tells that
it is alive. Where its ids are no row numbers, `{"ids": [some of them]}` asks for those that the rows have:
their number and they themselves are read from standard input, little-endian int64. Then follow the vectors
as little-endian float32, row by row. Every vector was decoded once before the line is printed, so that what
cannot be decoded is known before anything is done with it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import faiss
import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 4 << 20
_Ids = npt.NDArray[np.int64]
_FLAT = (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSWFlat, faiss.IndexNSGFlat)


@dataclass(frozen=True, slots=True)
class _Vectors:
    """An index, and for each row which of its vectors that is."""

    index: Any
    keys: _Ids

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
        vectors = _vectors(index, lambda some: _asked(out, some))
        _say(out, {"decoding": type(index).__name__})
        _try_one(vectors, type(index).__name__)
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


def _vectors(index: Any, ask: Callable[[list[int]], _Ids]) -> _Vectors:
    """Return the vectors of an index in the order of its rows; `ask` hears ids that are no row numbers."""
    ids = None
    if isinstance(index, faiss.IndexIDMap):  # also those that can decode by id
        ids = faiss.vector_to_array(index.id_map)
        index = faiss.downcast_index(index.index)
    if not index.ntotal:
        raise _UnfitError("it holds no vectors")
    lists = faiss.try_extract_index_ivf(index)
    lists = None if lists is None else faiss.downcast_index(lists)
    if isinstance(lists, faiss.IndexIVFFastScan) and not isinstance(index, faiss.IndexRefine):
        kind = type(lists).__name__  # faiss-cpu 1.15.1 ends or gives other vectors when asked
        raise _UnfitError(f"Faiss cannot give the vectors of an {kind} (fast scan) back")
    if ids is not None:
        if lists is not None:
            lists.make_direct_map()
        return _Vectors(index, _rows_of(ids, index.ntotal, ask))
    if lists is None:
        return _Vectors(index, np.arange(index.ntotal, dtype=np.int64))
    ids = _ids_in_lists(lists)
    order = _rows_of(ids, index.ntotal, ask)
    if np.array_equal(np.sort(ids), np.arange(index.ntotal)):
        lists.make_direct_map()
        return _Vectors(index, np.arange(index.ntotal, dtype=np.int64))
    lists.set_direct_map_type(faiss.DirectMap.Hashtable)  # decodes by any id
    return _Vectors(index, ids[order])


def _try_one(vectors: _Vectors, kind: str) -> None:
    """Decode one vector: many at once end the process where it cannot be done."""
    try:
        vectors.index.reconstruct(int(vectors.keys[0]))
    except RuntimeError as error:
        raise _UnfitError(f"Faiss cannot give the vectors of an {kind} back: {_reason(error)}") from error


def _rows_of(ids: _Ids, count: int, ask: Callable[[list[int]], _Ids]) -> _Ids:
    """Return where each row is, given the id of each vector: its row, or one of those that `ask` returns."""
    order = np.argsort(ids, kind="stable").astype(np.int64)
    ordered = ids[order]
    if len(ids) != count:
        raise _UnfitError(f"it has {len(ids):,} ids for {count:,} vectors")
    if np.array_equal(ordered, np.arange(count)):
        return order
    if (ordered[1:] == ordered[:-1]).any():
        twice = int(ordered[1:][ordered[1:] == ordered[:-1]][0])
        raise _UnfitError(f"its ids are not the row numbers of a list, and it has the id {twice} twice")
    wanted = ask([int(each) for each in ids[:3]])
    at = np.searchsorted(ordered, wanted).clip(max=count - 1)
    absent = wanted[ordered[at] != wanted]
    if len(absent):
        raise _UnfitError(f"the table has ids that the index lacks, such as {int(absent[0])}")
    if len(wanted) < count:
        other = int(np.setdiff1d(ids, wanted)[0])
        raise _UnfitError(f"it has ids that the table lacks, such as {other}")
    rows: _Ids = order[at]
    return rows


def _asked(out: IO[bytes], some: list[int]) -> _Ids:
    """Ask for the ids of the rows, and return them."""
    _say(out, {"ids": some})
    size = int.from_bytes(sys.stdin.buffer.read(8), "little")
    return np.frombuffer(sys.stdin.buffer.read(8 * size), "<i8").astype(np.int64)


def _ids_in_lists(index: Any) -> _Ids:
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
