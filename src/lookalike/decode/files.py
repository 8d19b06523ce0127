"""Files of pictures as the decoders want them: whole, or a stretch of a larger one."""

from __future__ import annotations

import io
from io import BufferedReader, BytesIO
from typing import IO

File = BufferedReader | BytesIO


def file_size(file: IO[bytes] | None) -> int:
    """Return the length in bytes, leaving the position as it is."""
    if file is None:
        return 0
    here = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(here)
    return size


def stretch(file: File, start: int, length: int | None = None) -> BufferedReader:
    """Return `length` bytes from `start` on, or all that follows, as a file of its own."""
    return BufferedReader(_Stretch(file, start, length))


class _Stretch(io.RawIOBase):
    """A read-only window on another file, which stays open when this is closed."""

    def __init__(self, file: File, start: int, length: int | None) -> None:
        super().__init__()
        rest = max(0, file_size(file) - start)
        self._file, self._start, self._at = file, start, 0
        self._length = rest if length is None else min(length, rest)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        wanted = min(len(buffer), max(0, self._length - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
