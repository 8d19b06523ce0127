"""Arrays of vectors in `.npy` files, read block by block; and what makes a row fit for a collection."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lookalike import files
from lookalike.errors import DamagedError, NotFoundError, UsageError
from lookalike.files import open_bytes
from lookalike.records import Vectors

MAX_DIM = 65_536

_FLOATS = (2, 4, 8)  # bytes: float16, float32, float64
_MAGIC = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"


class VectorFile(Protocol):
    """Vectors that lie somewhere: `rows` of them with `dim` numbers each.

    `approximate` ones were decoded from a lossy index.
    """

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def dim(self) -> int:
        """How many numbers each has."""

    @property
    def approximate(self) -> bool:
        """Whether they are not those that the model gave."""

    def identity(self) -> str:
        """Return a sha256 of what they are."""

    def head(self, size: int) -> npt.NDArray[Any]:
        """Return up to `size` of the first ones, which `blocks` yields all the same."""

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Yield them in order, up to `size` at a time, as floats of any length `(n, dim)`; once."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True, slots=True)
class NpyFile:
    """An array `(rows, dim)` of floats in a file that `numpy.save` wrote."""

    path: Path
    rows: int
    dim: int
    approximate: bool = False

    def identity(self) -> str:
        """See `VectorFile`."""
        return sha256_of(self.path)

    def head(self, size: int) -> npt.NDArray[Any]:
        """See `VectorFile`."""
        return next(self.blocks(size))

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """See `VectorFile`; raises `DamagedError` when the file has become shorter."""
        mapped = _mapped(self.path)
        dtype, at, by_column = mapped.dtype, mapped.offset, not mapped.flags.c_contiguous
        if by_column:
            for first in range(0, self.rows, size):
                yield np.array(mapped[first : first + size])
            return
        del mapped  # plain reading fails with an error where a map of a file cut short would end the process
        with open_bytes(self.path) as file:
            file.seek(at)
            for first in range(0, self.rows, size):
                count = min(size, self.rows - first)
                content = file.read(count * self.dim * dtype.itemsize)
                if len(content) < count * self.dim * dtype.itemsize:
                    raise DamagedError(f"{self.path} became shorter while it was read")
                yield np.frombuffer(content, dtype).reshape(count, self.dim)

    def close(self) -> None:
        """See `VectorFile`."""


@dataclass(frozen=True, slots=True)
class JoinedFiles:
    """Several files of vectors, one after the other."""

    parts: Sequence[NpyFile]
    approximate: bool = False

    @property
    def rows(self) -> int:
        """See `VectorFile`."""
        return sum(part.rows for part in self.parts)

    @property
    def dim(self) -> int:
        """See `VectorFile`."""
        return self.parts[0].dim

    def identity(self) -> str:
        """See `VectorFile`."""
        return hashlib.sha256(" ".join(part.identity() for part in self.parts).encode()).hexdigest()

    def head(self, size: int) -> npt.NDArray[Any]:
        """See `VectorFile`."""
        return self.parts[0].head(size)

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """See `VectorFile`; a block may be smaller than `size` where a file ends."""
        for part in self.parts:
            yield from part.blocks(size)

    def close(self) -> None:
        """See `VectorFile`."""


def open_npy(path: Path) -> NpyFile:
    """Open a file of vectors; raises `NotFoundError`, `UsageError` for other content, `DamagedError`."""
    check_file(path)
    with open_bytes(path) as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC:
        refuse_pickle(path, "save the array with numpy.save")
        what = " (an .npz archive, it seems)" if head.startswith(_ZIP) else ""
        raise UsageError(f"{path} is no .npy file{what}; save the array with numpy.save")
    mapped = _mapped(path)
    if mapped.dtype.kind != "f" or mapped.dtype.itemsize not in _FLOATS:
        raise UsageError(f"{path} holds {mapped.dtype} values; expected float16, float32 or float64")
    if mapped.ndim != 2 or 0 in mapped.shape:
        raise UsageError(f"{path} has the shape {mapped.shape}; expected (vectors, numbers of each)")
    rows, dim = mapped.shape
    check_dim(path, dim)
    return NpyFile(path, rows, dim)


def unit_rows(block: npt.NDArray[Any]) -> tuple[Vectors, dict[int, str]]:
    """Return the rows of `(n, dim)` scaled to length 1, and why some of them cannot be, by their place."""
    rows = block.astype(np.float64)
    problems: dict[int, str] = {}
    peaks = np.abs(rows).max(axis=1)
    for at in np.flatnonzero(~np.isfinite(peaks)).tolist():
        if np.isnan(rows[at]).all():
            problems[at] = f"it has no vector of {rows.shape[1]:,} numbers"
            continue
        problems[at] = "its vector holds what is no finite number"
    for at in np.flatnonzero(peaks == 0).tolist():
        problems[at] = "its vector is all zeros, so it has no direction"
    rows[list(problems)] = 1
    rows /= np.abs(rows).max(axis=1, keepdims=True)  # squares of huge and tiny numbers leave the range
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows, np.float32), problems


def check_file(path: Path) -> None:
    """Raise `NotFoundError` where nothing is there, `NotAFileError` for what is no regular file."""
    if not path.exists():
        raise NotFoundError(f"no such file: {path}")
    files.check_file(path)


def check_dim(path: Path, dim: int) -> None:
    """Refuse vectors of more numbers than any model gives."""
    if dim > MAX_DIM:
        raise UsageError(f"{path} has vectors of {dim:,} numbers; up to {MAX_DIM:,} are read")


def refuse_pickle(path: Path, way_out: str) -> None:
    """Raise `UsageError` for a pickle, by its name or first bytes."""
    with open_bytes(path) as file:
        head = file.read(2)
    by_name = path.suffix.lower() in (".pkl", ".pickle", ".joblib")
    if by_name or (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise UsageError(f"{path} is a pickle, which may run any program when it is read; {way_out}")


def refuse_archive(path: Path) -> None:
    """Raise `UsageError` for an archive or a table of another program, by its name or first bytes."""
    with open_bytes(path) as file:
        head = file.read(512)
    is_tar = head[257:262] == b"ustar" or bool(re.search(r"\.(tar|tgz|tar\.\w+)$", path.name.lower()))
    if is_tar or (head.startswith(_ZIP) and path.suffix.lower() != ".npz"):
        how = f"tar -xf {path.name}" if is_tar else f"unzip {path.name}"
        raise UsageError(
            f"{path} is an archive, not vectors: unpack it ({how}), then bring in its photos with lookalike "
            f"add "
            "FOLDER, or the vectors in it with lookalike import"
        )
    if head.startswith((b"PAR1", b"ARROW1", b"\x89HDF\r\n", b"\xff\xff\xff\xff")):
        raise UsageError(
            f"{path} is a table or array in another format, or under another name: write it as a file "
            "*.parquet, such as pandas' to_parquet and datasets' to_parquet do, or as .npy"
        )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with open_bytes(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mapped(path: Path) -> np.memmap[Any, Any]:
    """Map an array whose header is sound and that is as long as its header says."""
    try:
        files.check_file(path)
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # numpy evaluates the header, and lets through what Python's parser raises
        if "Python objects" in str(error):
            raise UsageError(
                f"{path} holds Python objects as pickles, which may run any program when they are read; "
                "save the array as float32"
            ) from error
        if "mmap length" in str(error):
            raise DamagedError(f"{path} is damaged: it is shorter than its header says") from error
        raise DamagedError(f"{path} is damaged: {_one_line(error)}") from error
    if not isinstance(mapped, np.memmap):
        raise UsageError(f"{path} is no array of vectors")
    return mapped


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:160]
