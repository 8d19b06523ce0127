"""Files that are read in stretches: on this machine, or in a store that is asked for ranges."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lookalike.files import open_bytes
from lookalike.sources.remote.addresses import is_address
from lookalike.sources.remote.fetching import Ahead, Stretch, look_at, read_stretch, read_stretches
from lookalike.sources.remote.patience import Patience
from lookalike.sources.remote.troubles import RemoteError, Trouble

_STRETCH = 8 << 20  # bytes asked for at once
_AHEAD = Ahead(4, 64 << 20)
_SPARE = 256 << 20  # bytes of the disk that others may need


class RangedFile(io.RawIOBase):
    """A remote object as a file that can be read anywhere, each time from the store."""

    def __init__(self, uri: str, patience: Patience | None = None) -> None:
        self.uri, self._patience, self._at = uri, patience, 0
        facts = look_at(uri, patience=patience)
        if facts.size is None:
            raise RemoteError(Trouble("the other side does not tell how large it is"))
        self._size = facts.size
        self.stamp = facts.stamp

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read anywhere: always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is asked."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with what lies at this place; raises `RemoteError`."""
        length = max(0, min(len(buffer), self._size - self._at))
        if length:
            buffer[:length] = read_stretch(Stretch(self.uri, self._at, length), patience=self._patience)
            self._at += length
        return length


@contextmanager
def opened(uri: str, path: str, patience: Patience | None = None) -> Iterator[IO[bytes]]:
    """Give the content of a large file, to be read anywhere: of a remote one what is wanted, when it is.

    Raises `RemoteError`, `OSError`.
    """
    if is_address(uri):
        yield io.BufferedReader(RangedFile(uri, patience), 1 << 16)
        return
    with open_bytes(path) as file:
        yield file


@contextmanager
def brought_here(uri: str, path: str) -> Iterator[IO[bytes]]:
    """Give the content of a large file; a remote one is first fetched whole into a temporary file.

    Raises `RemoteError`, also where it changes meanwhile or the disk has no room for it, and `OSError`.
    """
    if not is_address(uri):
        with open_bytes(path) as file:
            yield file
        return
    facts = look_at(uri)
    if facts.size is None:
        raise RemoteError(Trouble("the other side does not tell how large it is"))
    check_room(facts.size)
    with tempfile.TemporaryFile(prefix="lookalike-") as file:
        places = range(0, facts.size, _STRETCH)
        wanted = (Stretch(uri, at, min(_STRETCH, facts.size - at)) for at in places)
        for content in read_stretches(wanted, ahead=_AHEAD):
            file.write(content)
        if look_at(uri).stamp != facts.stamp:
            raise RemoteError(Trouble("it changed while it was being read"))
        file.seek(0)
        yield file


@contextmanager
def as_file(uri: str) -> Iterator[str]:
    """Give the path of a temporary file with the content of a remote object, and its name's endings.

    Raises `RemoteError`, `OSError`.
    """
    name = uri.rpartition("/")[2].partition("?")[0]
    kind = "".join(each for each in PurePosixPath(name).suffixes[-2:] if each[1:].isalnum())
    with brought_here(uri, "") as content, tempfile.TemporaryDirectory(prefix="lookalike-") as folder:
        path = Path(folder) / f"content{kind}"
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
        yield str(path)


def check_room(size: int) -> None:
    """Raise `RemoteError` where the disk of temporary files has no room for so many bytes."""
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < size + _SPARE:
        raise RemoteError(
            Trouble(f"no room for its {size >> 20:,} MiB in {folder}; name a larger disk in TMPDIR")
        )


def check_unchanged(file: IO[bytes]) -> None:
    """Raise `RemoteError` where a remote file of `opened` is not what it was then."""
    ranged = getattr(file, "raw", None)
    if isinstance(ranged, RangedFile) and look_at(ranged.uri).stamp != ranged.stamp:
        raise RemoteError(Trouble("it changed while it was being read"))
