"""The bytes of a file as it is, or as it was before gzip packed it; within limits."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

from lookalike import files
from lookalike.errors import QueryError

LONGEST_LINE = 64 << 20  # bytes
_PACKED = b"\x1f\x8b"
_MOST_UNPACKED = 1 << 30  # bytes, or …
_LARGEST_RATIO = 100  # … so many times those of the packed file; texts shrink to a tenth
_BUFFER = 256 << 10


def plain_name(name: str) -> str:
    """Return the name that a file had before it was packed."""
    return name[:-3] if name.lower().endswith(".gz") else name


def open_bytes(path: str, *, longest_line: int | None = None) -> io.BufferedReader:
    """Open a file; one that begins as gzip does is unpacked, whatever its name.

    Reading raises `QueryError` where the packed bytes are damaged or become far too many, and for a line of
    more than `longest_line` bytes.
    """
    file = files.open_bytes(path).detach()  # it is buffered below
    try:
        is_packed = file.read(2) == _PACKED
        file.seek(0)
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    except OSError:
        file.close()
        raise
    if not is_packed and plain_name(path) != path and size:
        file.close()
        raise QueryError("not packed by gzip, although its name says so")
    limit = max(_MOST_UNPACKED, _LARGEST_RATIO * size) if is_packed else None
    return io.BufferedReader(_Bounded(file, limit, longest_line), _BUFFER)


class _Bounded(io.RawIOBase):
    """Reads a file, unpacking it where `limit` says how many bytes may come of it."""

    def __init__(self, file: io.RawIOBase, limit: int | None, longest_line: int | None) -> None:
        super().__init__()
        self._file = file
        self._source: Any = file if limit is None else gzip.GzipFile(fileobj=file)
        self._limit = limit
        self._longest_line = longest_line
        self._unpacked = 0
        self._line = 0  # bytes since the last line end

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """See `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        try:
            block = self._source.read(len(view)) if self._limit is None else self._source.read1(len(view))
        except EOFError as error:
            raise QueryError("cut short: its packed bytes have no end") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise QueryError(f"its packed bytes are damaged ({error})") from error
        if self._limit is not None:
            self._unpacked += len(block)
            if self._unpacked > self._limit:
                raise QueryError(
                    f"becomes more than {self._limit >> 20:,} MiB when it is unpacked; unpack it first"
                )
        if self._longest_line is not None:
            self._measure_line(block)
        view[: len(block)] = block
        return len(block)

    def _measure_line(self, block: bytes) -> None:
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._line = self._line + len(block) if end < 0 else len(block) - end - 1
        if self._line > (self._longest_line or 0):
            raise QueryError(f"holds a line of more than {(self._longest_line or 0) >> 20:,} MiB")

    def close(self) -> None:
        """See `io.IOBase`."""
        self._file.close()
        super().close()
