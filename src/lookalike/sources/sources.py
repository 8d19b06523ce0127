"""Where items come from: folders, files and lists, walked without trusting what lies there."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from lookalike.errors import NotFoundError
from lookalike.records import FileStamp, Found, Kind

_FILE_SCHEME = "file://"
_MOST_NAMED = 5
_LOOKED_AT = 1_000  # files
TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt", ".md", ".markdown")
_PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp"),
    *(".avif", ".heic", ".heif", ".jp2"),
)
_MOST_BYTES = 1 << 28  # of a file that is read into memory as a whole


def uri_of(path: str | Path) -> str:
    """Return the uri of a file: its absolute path, or a percent-encoded file: URI where it is not UTF-8."""
    absolute = os.path.abspath(path)  # noqa: PTH100  # Path.absolute keeps ".." parts
    try:
        absolute.encode()
    except UnicodeEncodeError:  # a name in some older encoding, held as lone surrogates (PEP 383)
        return _FILE_SCHEME + quote_from_bytes(os.fsencode(absolute))
    return absolute


def path_of(uri: str) -> str:
    """Return the path that `uri_of` was given, made absolute."""
    if uri.startswith(_FILE_SCHEME):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix(_FILE_SCHEME)))
    return uri


def is_gone(uri: str) -> bool:
    """Tell whether nothing lies at a uri any more (a broken link still lies there).

    An empty folder in its place is most likely a disk that is not mounted: what was on it is not gone.
    """
    folder = _folder_left(path_of(uri))
    return folder is not None and _is_empty(folder) is False


def emptied_folder(uri: str) -> str | None:
    """Return the empty folder that is left where the file was, or None where another reason holds."""
    folder = _folder_left(path_of(uri))
    return folder if folder is not None and _is_empty(folder) else None


def _folder_left(path: str) -> str | None:
    """Return the nearest folder that is left of the way to a path; None if something is, or may be, there."""
    if not os.path.isabs(path):  # noqa: PTH117  # an address, of which nothing lies on this machine
        return None
    way = path
    while True:
        try:
            facts = os.lstat(way)
        except (FileNotFoundError, NotADirectoryError):
            way = os.path.dirname(way)  # noqa: PTH120  # names may not be UTF-8
        except (OSError, ValueError):  # it may well be there, behind a door that is closed to us
            return None
        else:
            break
    if way == path:
        return None
    return way if not stat.S_ISREG(facts.st_mode) else os.path.dirname(way)  # noqa: PTH120


def _is_empty(folder: str) -> bool | None:
    """Tell whether a folder holds nothing that a walk would see; None if it cannot be looked into."""
    try:
        with os.scandir(folder) as entries:
            return all(entry.name.startswith(".") for entry in entries)
    except OSError:
        return None


@dataclass(slots=True)
class Walk:
    """Walks paths given by the user; afterwards `closed` holds the folders that could not be looked into.

    Folders are walked with all that lies below. Left out unless named: hidden files and folders (a leading
    dot), folders that are collections by name, and always `own`, the folder of the collection that is added
    to. Links to folders are followed once.
    """

    paths: list[Path]
    own: Path | None = None
    closed: list[str] = field(default_factory=list)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def files(self) -> Iterator[Found]:
        """Yield every file, in the order of the directory; one that cannot be read comes with its problem."""
        with suppress(OSError):  # it may not exist
            facts = os.stat(self.own or "")  # noqa: PTH116
            self._entered.add((facts.st_dev, facts.st_ino))
        for path in self.paths:
            if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a link leads to no permission
                yield from self._folder(str(path))
            else:
                yield examine(str(path))

    def _folder(self, folder: str) -> Iterator[Found]:
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            try:
                facts = os.stat(current)  # noqa: PTH116  # names may not be UTF-8; Path is slower here
                if (facts.st_dev, facts.st_ino) in self._entered:
                    continue
                self._entered.add((facts.st_dev, facts.st_ino))
                with os.scandir(current) as entries:
                    children = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.closed.append(uri_of(current))
                yield Found(uri_of(current), None, f"a folder that cannot be looked into: {error.strerror}")
                continue
            folders = []
            for entry in children:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    if not _is_collection(entry.path):
                        folders.append(entry.path)
                else:
                    yield examine(entry.path)
            waiting.extend(reversed(folders))


def kind_of(paths: list[Path]) -> Kind | None:
    """Tell by names whether texts or photos lie at `paths`; None where that cannot be told.

    A look at the first files is enough; a folder of both is taken for one of photos.
    """
    names = [found.uri for found in islice(Walk(paths).files(), _LOOKED_AT)]
    texts = sum(name.lower().endswith(TEXT_SUFFIXES) for name in names)
    photos = sum(name.lower().endswith(_PHOTO_SUFFIXES) for name in names)
    if photos:
        return "photo"
    return "text" if texts else None


def examine(path: str) -> Found:
    """Return a file with its stamp, or with the reason why there is nothing to read."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # as above
    except OSError as error:
        return Found(uri_of(path), None, _stat_problem(path, error))
    if not stat.S_ISREG(facts.st_mode):
        return Found(uri_of(path), None, f"not a regular file ({_kind(facts.st_mode)})")
    return Found(uri_of(path), FileStamp(facts.st_size, facts.st_mtime_ns))


def read_recorded(uri: str, content_hash: bytes) -> bytes:
    """Return the content of a recorded file, whose sha256 is `content_hash`.

    Raises `NotFoundError` when it is gone, cannot be read, or holds something else now: whatever another
    program put in its place, a link to elsewhere too, is not handed out.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not block
    try:
        with open(path_of(uri), "rb", opener=lambda path, _: os.open(path, flags)) as file:
            facts = os.fstat(file.fileno())
            is_file = stat.S_ISREG(facts.st_mode)
            if is_file and facts.st_size > _MOST_BYTES:
                raise NotFoundError(f"files above {_MOST_BYTES >> 20} MiB are not sent as a whole")
            content = file.read(facts.st_size) if is_file else b""
    except (OSError, ValueError) as error:
        raise NotFoundError(f"the file of this item cannot be read: {_reason(error)}") from error
    if hashlib.sha256(content).digest() != content_hash:
        raise NotFoundError("the file of this item has changed since it was added; add it again")
    return content


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its name is not valid here"


def read_list(lines: Iterable[str], base: Path) -> list[Path]:
    """Return the paths of a list file, one per line; relative ones are taken from `base`."""
    return [base / line for raw in lines if (line := raw.rstrip("\r\n"))]


def split_present(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the paths at which something lies, and those at which nothing does."""
    present: list[Path] = []
    absent: list[Path] = []
    for path in paths:
        (present if os.path.lexists(path) else absent).append(path)
    return present, absent


def require_some(present: list[Path], absent: list[Path]) -> None:
    """Refuse a request of which nothing is there."""
    if absent and not present:
        more = f" and {len(absent) - _MOST_NAMED:,} more" if len(absent) > _MOST_NAMED else ""
        raise NotFoundError(f"no such file or folder: {', '.join(map(str, absent[:_MOST_NAMED]))}{more}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a looping link
        return False


def _is_collection(folder: str) -> bool:
    """Tell a collection by its names alone.

    To open and close its store would drop the locks that this process may hold on it (POSIX), and with them
    what other processes have committed.
    """
    return folder.endswith(".lookalike") and os.path.exists(os.path.join(folder, "store.sqlite"))  # noqa: PTH110, PTH118


def _stat_problem(path: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads in circles"
    if isinstance(error, FileNotFoundError):
        return "a link to nothing" if os.path.islink(path) else "no such file"  # noqa: PTH114
    return f"cannot be read: {error.strerror}"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "of an unknown kind")
