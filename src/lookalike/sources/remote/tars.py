"""Tar shards in the layout of webdataset: pictures, and beside each what else is known of it.

No member is written to a disk, so that the names in a shard lead nowhere; what is no plain file is told.
Where the bytes of a member lie in its shard is kept in its stamp, as `mtime_ns`: the shard's own stamp tells
whether anything has changed, and one member is read again by asking for its bytes alone.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import quote_from_bytes

from lookalike.records import FileStamp
from lookalike.sources.kinds import is_photo
from lookalike.sources.remote.ranges import check_room
from lookalike.sources.remote.troubles import RemoteError, Trouble

_MOST_HEADER = 1 << 20  # bytes of one header, which tar may stretch without end
_MOST_BESIDE = 1 << 20  # bytes of what lies beside a picture
_MOST_UNPACKED = 64  # times its size: pictures hardly shrink
_BLOCK = 1 << 20
_TAR_BLOCK = 512
_LONGEST_NAME = 4096
_BESIDE = ("json", "txt", "caption", "text", "cls")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a shard: its name, where its bytes lie, and why it cannot be read, if anything is wrong."""

    name: str
    offset: int
    size: int
    problem: str | None = None

    @property
    def stamp(self) -> FileStamp:
        """Size and place."""
        return FileStamp(self.size, self.offset)


@dataclass(slots=True)
class Index:
    """What lies in a shard: the pictures, what lies beside them by their stems, and how many other files.

    `ends` is why it could not be read to its end; None where it was.
    """

    pictures: list[Entry] = field(default_factory=list)
    beside: dict[str, list[Entry]] = field(default_factory=dict)
    others: int = 0
    ends: str | None = None


class _Limited:
    """The file that tar's headers are read from, never much at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER:
            raise tarfile.ReadError("a header without end")
        return self._file.read(size)


@contextmanager
def plain(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a shard as it is without packing, in a temporary file where it is packed; raises `RemoteError`."""
    if file.read(2) != b"\x1f\x8b":
        file.seek(0)
        yield file
        return
    file.seek(0, 2)
    most = max(file.tell() * _MOST_UNPACKED, 64 << 20)
    file.seek(0)
    with tempfile.TemporaryFile(prefix="lookalike-") as made:
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                while block := packed.read(_BLOCK):
                    if made.tell() + len(block) > most:
                        raise RemoteError(Trouble("it unpacks to far more than it is", is_lasting=True))
                    if made.tell() % (256 << 20) < _BLOCK:
                        check_room(256 << 20)
                    made.write(block)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            pass  # what was unpacked ends where the damage is, which its index tells
        made.seek(0)
        yield made


def index_of(file: IO[bytes]) -> Index:
    """Return what lies in a plain tar file, as far as it can be read."""
    index, names = Index(), dict[str, int]()
    try:
        with tarfile.open(fileobj=_Limited(file), mode="r:", errorlevel=0) as tar:  # type: ignore[call-overload]
            while (info := tar.next()) is not None:
                tar.members = []  # it would keep all of them
                if not info.isdir():
                    _put(index, info, _entry(info, names))
            file.seek(tar.offset)
            if file.read(_TAR_BLOCK).count(0) != _TAR_BLOCK:
                index.ends = "it ends without a mark of its end: it may have been cut short"
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError, RecursionError, KeyError):
        index.ends = "it is cut short or damaged" if names else "no tar file that can be read"
    return index


def _entry(info: tarfile.TarInfo, names: dict[str, int]) -> Entry:
    name = info.name.removeprefix("./")
    names[name] = names.get(name, 0) + 1
    if names[name] > 1:
        name = f"{name}#{names[name]}"  # the same name again
    problem = None
    if not info.isreg():
        problem = "a link, not a file" if info.issym() or info.islnk() else "not a regular file"
    elif info.issparse():
        problem = "a sparse file"
    elif len(name) > _LONGEST_NAME:
        name, problem = name[:_LONGEST_NAME], "its name is too long"
    return Entry(name, info.offset_data, info.size, problem)


def _put(index: Index, info: tarfile.TarInfo, entry: Entry) -> None:
    stem, kind = _parts(entry.name)
    if is_photo(info.name):
        index.pictures.append(entry)
    elif kind in _BESIDE and entry.problem is None:
        index.beside.setdefault(stem, []).append(entry)
    else:
        index.others += 1


def _parts(name: str) -> tuple[str, str]:
    """Return what members of one sample share, all up to the first dot of their last part, and the rest."""
    folder, slash, last = name.rpartition("/")
    stem, _, kind = last.partition(".")
    return f"{folder}{slash}{stem}", kind.lower()


def facts_beside(file: IO[bytes], index: Index, picture: Entry) -> dict[str, Any]:
    """Return what lies beside a picture as names and values; what cannot be read says nothing."""
    facts: dict[str, Any] = {}
    for entry in index.beside.get(_parts(picture.name)[0], ()):
        if entry.size > _MOST_BESIDE:
            continue
        file.seek(entry.offset)
        content = file.read(entry.size)
        kind = _parts(entry.name)[1]
        text = content.decode("utf-8", "replace").strip()
        if kind == "json":
            facts.update(_of_json(content))
        elif kind == "cls":
            facts["cls"] = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text
        elif text:
            facts["caption"] = text
    return facts


def _of_json(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def member_uri(shard: str, name: str) -> str:
    """Return the uri of a member; letters that are no UTF-8 are percent-encoded."""
    try:
        name.encode()
    except UnicodeEncodeError:
        name = quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe="/ ")
    return f"{shard}#{name}"


def read_entry(file: IO[bytes], stamp: FileStamp, *, packed: bool) -> bytes:
    """Return the bytes that a member's stamp tells of, from its shard; raises `RemoteError`."""
    try:
        if packed:
            with gzip.GzipFile(fileobj=file, mode="rb") as content:
                content.seek(stamp.mtime_ns)
                found = content.read(stamp.size)
        else:
            file.seek(stamp.mtime_ns)
            found = file.read(stamp.size)
    except (EOFError, gzip.BadGzipFile, zlib.error, OSError, ValueError, OverflowError):
        found = b""
    if len(found) != stamp.size:
        raise RemoteError(Trouble("it is not in its shard any more"))
    return found
