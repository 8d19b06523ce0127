"""Where items come from: folders, files and lists, walked without trusting what lies there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from lookalike.errors import NotFoundError
from lookalike.records import FileStamp, Found

_FILE_SCHEME = "file://"
_COLLECTION_MARK = b"lkal"  # the application id of store.schema, which stages may not import


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
    """Tell whether nothing lies at a uri any more (a broken link still lies there)."""
    try:
        os.lstat(path_of(uri))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may well be there, behind a door that is closed to us
        return False
    return False


@dataclass(slots=True)
class Walk:
    """Walks paths given by the user; afterwards `closed` holds the folders that could not be looked into.

    Folders are walked with all that lies below; hidden files and folders (a leading dot) and other
    collections are left out unless named. Links to folders are followed once.
    """

    paths: list[Path]
    closed: list[str] = field(default_factory=list)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def files(self) -> Iterator[Found]:
        """Yield every file, in the order of the directory; one that cannot be read comes with its problem."""
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


def examine(path: str) -> Found:
    """Return a file with its stamp, or with the reason why there is nothing to read."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # as above
    except OSError as error:
        return Found(uri_of(path), None, _stat_problem(path, error))
    if not stat.S_ISREG(facts.st_mode):
        return Found(uri_of(path), None, f"not a regular file ({_kind(facts.st_mode)})")
    return Found(uri_of(path), FileStamp(facts.st_size, facts.st_mtime_ns))


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
        raise NotFoundError(f"no such file or folder: {', '.join(map(str, absent))}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a looping link
        return False


def _is_collection(folder: str) -> bool:
    """Tell a collection by what SQLite wrote into its store's header for us."""
    try:
        with open(os.path.join(folder, "store.sqlite"), "rb") as file:  # noqa: PTH118, PTH123
            return file.read(72)[68:] == _COLLECTION_MARK
    except OSError:
        return False


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
