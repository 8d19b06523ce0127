"""Where items come from: folders, files and lists, walked without trusting what lies there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lookalike.files import kind_of_file
from lookalike.records import FileStamp, FoundFile, Kind
from lookalike.sources.uris import uri_of

_LOOKED_AT = 1_000  # files
_PLAIN_TEXTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".json", ".txt", ".md", ".markdown")
TEXT_SUFFIXES = (*_PLAIN_TEXTS, *(f"{suffix}.gz" for suffix in _PLAIN_TEXTS))
_PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp"),
    *(".avif", ".heic", ".heif", ".jp2"),
)


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

    def files(self) -> Iterator[FoundFile]:
        """Yield every file, in the order of the directory; one that cannot be read comes with its problem."""
        with suppress(OSError):  # it may not exist
            facts = os.stat(self.own or "")  # noqa: PTH116
            self._entered.add((facts.st_dev, facts.st_ino))
        for path in self.paths:
            if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a link leads to no permission
                yield from self._folder(str(path))
            else:
                yield examine(str(path))

    def _folder(self, folder: str) -> Iterator[FoundFile]:
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
                yield FoundFile(
                    uri_of(current), None, f"a folder that cannot be looked into: {error.strerror}"
                )
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


def examine(path: str) -> FoundFile:
    """Return a file with its stamp, or with the reason why there is nothing to read."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # as above
    except OSError as error:
        return FoundFile(uri_of(path), None, _stat_problem(path, error))
    if not stat.S_ISREG(facts.st_mode):
        return FoundFile(uri_of(path), None, f"not a regular file ({kind_of_file(facts.st_mode)})")
    return FoundFile(uri_of(path), FileStamp(facts.st_size, facts.st_mtime_ns))


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
