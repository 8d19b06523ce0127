"""Every error that lookalike raises on purpose, as one tree.

::

    LookalikeError
    ├── UsageError              what was asked for makes no sense (a bad filter, k below 1)
    ├── NotFoundError           a path, an item or a collection that is not there
    ├── CollectionError         the collection cannot be used as it is
    │   ├── NotACollectionError     the folder is something else
    │   ├── NewerFormatError        written by a newer lookalike
    │   ├── ModelMismatchError      its vectors come from another model
    │   ├── DamagedError            bytes on disk are not what was written
    │   └── StorageError            the disk is full, read-only or failing
    │       ├── BusyError               another process or thread keeps it locked
    │       └── UnreachableError        the engine that keeps it does not answer, or not yet
    ├── QueryError              the query is not a photo that can be read
    ├── ModelError              a model's files are missing, changed or unfit
    │   └── UntrustedModelError     a collection names a model that its user has not agreed to
    ├── NotAFileError           a pipe, a device, a socket or a folder where a file should be; an OSError, too
    ├── FetchError              something could not be downloaded
    └── MissingExtraError       an optional package is not installed

An input that cannot become an item is not an error but a `records.Skipped` result. Messages say what was got,
what was expected and the way out, in one line; only the faces print them.
"""

from __future__ import annotations

import errno
from pathlib import Path


class LookalikeError(Exception):
    """Anything that lookalike reports to its user; the message is one readable line."""


class UsageError(LookalikeError):
    """The request itself makes no sense."""


class NotFoundError(LookalikeError):
    """A path, an item or a collection that is not there."""


class CollectionError(LookalikeError):
    """The collection cannot be used as it is."""


class NotACollectionError(CollectionError):
    """The folder or file is something else than a collection."""


class NewerFormatError(CollectionError):
    """The collection was written by a newer version of lookalike."""


class ModelMismatchError(CollectionError):
    """The collection's vectors were made by another model."""


class DamagedError(CollectionError):
    """Bytes on disk are not what was written."""


class StorageError(CollectionError):
    """The disk is full, read-only or failing."""


class BusyError(StorageError):
    """Another process or thread keeps the collection locked; later it can be used again."""


class UnreachableError(StorageError):
    """The engine that keeps the collection does not answer, or not yet; later it may."""


class QueryError(LookalikeError):
    """The query cannot be read as a photo."""


class ModelError(LookalikeError):
    """A model's files are missing, changed or unfit."""


class UntrustedModelError(ModelError):
    """A collection names a model that did not come with lookalike, and its user has not agreed to it."""


class NotAFileError(LookalikeError, OSError):
    """A pipe, a device, a socket or a folder where a file should be.

    An `OSError`, too, so that it is met where a file that cannot be opened is.
    """

    def __init__(self, path: Path, kind: str) -> None:
        OSError.__init__(self, errno.EINVAL, f"it is {kind}, not a file", str(path))
        self._line = f"{path} is {kind}, not a file"

    def __str__(self) -> str:
        return self._line


class FetchError(LookalikeError):
    """Something could not be downloaded."""


class MissingExtraError(LookalikeError):
    """An optional package is needed; the message holds the exact install line."""

    def __init__(self, what: str, extra: str) -> None:
        from lookalike.install import install_line  # not for decode workers, which start without it

        super().__init__(f"{what} needs an optional package: {install_line(extra)}")
