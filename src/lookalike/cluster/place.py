"""Where an embedding lies: a folder, or a bucket by its address; every file is there whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from lookalike.durable import make_folder, sync_folder
from lookalike.errors import LookalikeError, MissingExtraError, NotFoundError, StorageError, UsageError
from lookalike.files import open_bytes, read_bytes
from lookalike.sources.remote.addresses import is_address, normal, scheme_of
from lookalike.sources.remote.stores import extra_of
from lookalike.sources.remote.troubles import trouble_of

_FILE = "file://"
_COLLAPSED = re.compile(r"^([a-z][a-z0-9+.-]+):[/\\](?=[^/\\])", re.IGNORECASE)
_NEW = ".new-"
_WRITTEN_AT_ONCE = frozenset({"s3", "gs", "az", "abfs", "abfss", "adl", "oss", "memory"})
"""Stores that show an object when it is complete; others are given a temporary name first."""

_S3_LIMITS = {"connect_timeout": 4, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
_ATTEMPTS = 4
_FIRST_PAUSE = 0.5  # seconds; doubled each time

_T = TypeVar("_T")


class Place(Protocol):
    """A folder of files, wherever it lies; names are relative, with / between their parts."""

    @property
    def address(self) -> str:
        """What the user calls it."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of the files in one folder of it, in order; none where there is no such folder."""

    def read(self, name: str) -> bytes:
        """Return what a file holds; raises `NotFoundError`, `StorageError`."""

    def open(self, name: str) -> Any:
        """Return a context manager with a file to read and seek in; raises as `read`."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole; one of that name is replaced. Raises `StorageError`."""

    def remove(self, name: str) -> None:
        """Remove a file that may not be there."""


def address_of(path: Path | str) -> str:
    """Return what the user wrote: a path makes one / of the two in s3://bucket."""
    return _COLLAPSED.sub(r"\1://", str(path)) if isinstance(path, Path) else path


def is_remote(path: Path | str) -> bool:
    """Whether what was named is an address, also one that became a path on the way."""
    return is_address(address_of(path))


def place_at(address: str) -> Place:
    """Return the place at a path, or at an address such as `s3://bucket/photos`.

    Raises `UsageError` for an address with a password in it, or of what cannot be written to,
    `MissingExtraError`.
    """
    if address.startswith(_FILE):
        return Folder(Path(address.removeprefix(_FILE)))
    if not is_address(address):
        return Folder(Path(address))
    scheme = scheme_of(address)
    if scheme in ("http", "https"):
        raise UsageError(f"{scheme}:// addresses can be read, not written to")
    return Bucket(normal(address), scheme)


class Folder:
    """A folder of this machine, or one that all machines of the cluster see at the same path."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def address(self) -> str:
        """See `Place`."""
        return str(self.path)

    def names(self, folder: str = "") -> list[str]:
        """See `Place`; files that were being written when something was killed are not among them."""
        try:
            with os.scandir(self.path / folder) as entries:
                return sorted(each.name for each in entries if not each.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StorageError(f"{self.path}: {error.strerror}") from error

    def read(self, name: str) -> bytes:
        """See `Place`."""
        with self._said(name):
            return read_bytes(self.path / name)

    def open(self, name: str) -> IO[bytes]:
        """See `Place`."""
        with self._said(name):
            return open_bytes(self.path / name)

    def write(self, name: str, content: bytes) -> None:
        """See `Place`."""
        path = self.path / name
        new = path.with_name(f"{_NEW}{path.name}-{secrets.token_hex(4)}")  # another may write the same
        with self._said(name):
            make_folder(path.parent)
            try:
                with new.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)

    def remove(self, name: str) -> None:
        """See `Place`."""
        with self._said(name):
            (self.path / name).unlink(missing_ok=True)

    def sweep(self, folder: str) -> None:
        """Remove what was left half written by something that was killed."""
        with suppress(OSError):
            for each in (self.path / folder).glob(f"{_NEW}*"):
                each.unlink(missing_ok=True)

    @contextmanager
    def _said(self, name: str) -> Iterator[None]:
        try:
            yield
        except LookalikeError:
            raise
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"no such file: {self.path / name}") from error
        except OSError as error:
            raise StorageError(f"{self.path / name}: {error.strerror or error}") from error


class Bucket:
    """A place that fsspec knows, with the credentials that its library finds in the environment.

    What fails for a moment is tried again, with longer and longer pauses.
    """

    def __init__(self, address: str, protocol: str) -> None:
        self._address, self._protocol = address, protocol
        self._root, self._files = _file_system(address, protocol)

    @property
    def address(self) -> str:
        """See `Place`."""
        return self._address

    def names(self, folder: str = "") -> list[str]:
        """See `Place`."""

        def listed() -> list[str]:
            self._files.invalidate_cache()
            found = self._files.ls(self._path(folder), detail=True)
            names = (each["name"].rpartition("/")[2] for each in found if each["type"] == "file")
            return sorted(name for name in names if name and not name.startswith("."))

        try:
            return self._tried(folder or "the place", listed)
        except NotFoundError:
            return []

    def read(self, name: str) -> bytes:
        """See `Place`."""
        return bytes(self._tried(name, lambda: self._files.cat_file(self._path(name))))

    def open(self, name: str) -> Any:
        """See `Place`."""
        return self._tried(name, lambda: self._files.open(self._path(name), "rb"))

    def write(self, name: str, content: bytes) -> None:
        """See `Place`."""

        def put() -> None:
            if self._protocol in _WRITTEN_AT_ONCE:
                self._files.pipe_file(self._path(name), content)
                return
            folder, _, last = self._path(name).rpartition("/")
            new = f"{folder}/{_NEW}{last}-{secrets.token_hex(4)}"
            self._files.makedirs(folder, exist_ok=True)
            self._files.pipe_file(new, content)
            self._files.mv(new, self._path(name))

        try:
            self._tried(name, put)
        except NotFoundError:
            raise StorageError(
                f"{self._address}: there is no such bucket, or nothing can be put there"
            ) from None

    def remove(self, name: str) -> None:
        """See `Place`."""
        with suppress(NotFoundError):
            self._tried(name, lambda: self._files.rm_file(self._path(name)))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _tried(self, name: str, call: Callable[[], _T]) -> _T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call()
            except FileNotFoundError as error:
                raise NotFoundError(f"no such file: {self._address}/{name}") from error
            except Exception as error:  # each of the libraries beneath has errors of its own
                trouble = trouble_of(error)
                if not trouble.is_passing or attempt == _ATTEMPTS:
                    raise StorageError(f"{self._address}/{name}: {trouble.reason}") from None
            time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _file_system(address: str, protocol: str) -> tuple[str, Any]:
    """Return the path within a file system of fsspec, and that."""
    try:
        import fsspec  # an optional package
    except ImportError:
        raise MissingExtraError(f"{protocol}:// addresses", extra_of(protocol)) from None
    more = {"config_kwargs": _S3_LIMITS} if protocol == "s3" else {}
    try:
        kind = fsspec.get_filesystem_class(protocol)
        files = fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True, **more)
    except ImportError:
        raise MissingExtraError(f"{protocol}:// addresses", extra_of(protocol)) from None
    except Exception as error:  # as of credentials that cannot be read
        raise StorageError(f"{address}: {trouble_of(error).reason}") from None
    return str(kind._strip_protocol(address)).rstrip("/"), files
