"""SQLite's write-ahead log, read before SQLite reads it, to see whether it ends too early.

After a kill the log holds what was committed last. SQLite takes it up to the first frame that is not what was
written, and drops all that follow without a word, though every one of them was acknowledged. Here the frames
behind a bad one are held against the checksums that they carry themselves: a log that goes on behind it has
been damaged, and `mend_log` makes it whole but for that one page, which the checks of rows then find.

The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lookalike.durable import sync_folder, written_whole
from lookalike.files import read_bytes

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, pages after a commit or 0, two salts, two checksums
_MAGIC, _VERSION = 0x377F0682, 3007000
_PAGE_SIZES = {1 << power for power in range(9, 17)}
_MASK = 0xFFFFFFFF

_Sums = tuple[int, int]


LogState = Literal["sound", "unsure", "damaged"]
"""What a log is: as it was written, perhaps with the beginning of a transaction at its end; with damage in
the last transaction, which a power cut may have torn before it was acknowledged; or damaged for certain."""


def log_of(path: Path) -> Path:
    """Return where SQLite keeps the log of a file."""
    return path.with_name(f"{path.name}-wal")


def read_log(path: Path) -> LogState:
    """Look at the log of the store at `path`, to which nobody may be writing; an empty one is sound."""
    log = _Log.read(log_of(path))
    if log is None or not log.frames:
        return "sound"
    broken = next((at for at, frame in enumerate(log.frames) if not frame.sound), None)
    behind = log.frames[broken + 1 :] if broken is not None else []
    commit = next((at for at, frame in enumerate(behind) if frame.sound and frame.pages), None)
    if not log.header or (commit is not None and any(frame.sound for frame in behind[commit + 1 :])):
        return "damaged"  # the next transaction began when this one was on disk
    return "sound" if broken is None else "unsure"


def mend_log(path: Path) -> None:
    """Give every frame of the log the checksum of what it holds, so that SQLite reads on behind a bad one."""
    log = _Log.read(log_of(path))
    if log is None:
        return
    with written_whole(log_of(path)) as new:
        new.write_bytes(b"".join(log.mended()))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # an index of the log as it was
    sync_folder(path.absolute().parent)


@dataclass(frozen=True, slots=True)
class _Frame:
    page: int
    pages: int
    """How many the file has after this commit; 0 for a frame that is none."""
    content: bytes
    sound: bool


@dataclass(frozen=True, slots=True)
class _Log:
    big_endian: bool
    page_size: int
    checkpoint: int
    salts: _Sums
    header: bool
    frames: list[_Frame]

    @classmethod
    def read(cls, path: Path) -> _Log | None:
        """Return the frames of the log's last round, its later commits included; None for an empty log."""
        try:
            content = read_bytes(path)
        except FileNotFoundError:
            return None
        if len(content) < _HEADER.size + _FRAME.size:
            return None
        magic, version, page_size, checkpoint, *rest = _HEADER.unpack_from(content)
        big_endian, salts, sums = bool(magic & 1), (rest[0], rest[1]), (rest[2], rest[3])
        header = magic & ~1 == _MAGIC and sums == _checksum(content[:24], (0, 0), big_endian)
        if not header:  # the frames tell what it said
            page_size, salts = _guess(content, page_size)
            big_endian = magic == _MAGIC | 1
        if page_size not in _PAGE_SIZES or (header and version != _VERSION):
            return None  # SQLite takes it for no log either
        frames = list(_frames(content, page_size, salts, sums, big_endian))
        return cls(big_endian, page_size, checkpoint, salts, header, frames)

    def mended(self) -> Iterator[bytes]:
        head = struct.pack(
            ">6I", _MAGIC | self.big_endian, _VERSION, self.page_size, self.checkpoint, *self.salts
        )
        sums = _checksum(head, (0, 0), self.big_endian)
        yield head + struct.pack(">2I", *sums)
        size, last = 0, len(self.frames) - 1
        for at, frame in enumerate(self.frames):
            size, pages = max(size, frame.page if frame.sound else 0), frame.pages
            if not frame.sound and (pages or at == last):  # how many it said may be what was damaged
                pages = size
            size = max(size, pages)
            begin = struct.pack(">2I", frame.page, pages)
            sums = _checksum(begin + frame.content, sums, self.big_endian)
            yield begin + struct.pack(">4I", *self.salts, *sums) + frame.content


def _frames(
    content: bytes, page_size: int, salts: _Sums, before: _Sums, big_endian: bool
) -> Iterator[_Frame]:
    """Yield the frames of the log's round: while they bear its salts, or a later one does."""
    step = _FRAME.size + page_size
    starts = range(_HEADER.size, len(content) - step + 1, step)
    last = max((at for at in starts if _FRAME.unpack_from(content, at)[2:4] == salts), default=-1)
    for at in starts:
        if at > last:
            return
        page, pages, one, two, *sums = _FRAME.unpack_from(content, at)
        whole = content[at : at + 8] + content[at + _FRAME.size : at + step]
        sound = (one, two) == salts and _checksum(whole, before, big_endian) == (sums[0], sums[1])
        yield _Frame(page, pages, whole[8:], sound)
        before = (sums[0], sums[1])


def _guess(content: bytes, page_size: int) -> tuple[int, _Sums]:
    """Return page size and salts of a log whose header is damaged, as its first two frames agree on them."""
    for size in (page_size, *sorted(_PAGE_SIZES)):
        second = _HEADER.size + _FRAME.size + size
        if size in _PAGE_SIZES and len(content) >= second + _FRAME.size:
            one, other = _FRAME.unpack_from(content, _HEADER.size), _FRAME.unpack_from(content, second)
            if one[2:4] == other[2:4]:
                return size, (one[2], one[3])
    first = _FRAME.unpack_from(content, _HEADER.size)
    return len(content) - _HEADER.size - _FRAME.size, (first[2], first[3])


def _checksum(data: bytes, before: _Sums, big_endian: bool) -> _Sums:
    """Return SQLite's checksum of data whose length is a multiple of 8, going on from `before`."""
    one, two = before
    words = struct.unpack(f"{'>' if big_endian else '<'}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two
