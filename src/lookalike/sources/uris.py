"""Uris of files: how a path is written down, and whether something still lies there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from lookalike.sources.remote.addresses import is_address, split_member
from lookalike.sources.spelling import spelled

_FILE_SCHEME = "file://"


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


def container_of(uri: str) -> str | None:
    """Return the shard or table that a uri names a part of; None for a file or object of its own."""
    parts = split_member(uri)
    if parts is None or (not is_address(uri) and os.path.lexists(path_of(uri))):
        return None
    return parts[0]


def is_fetched(uri: str) -> bool:
    """Whether what a uri names is no file of its own on this machine, so that its bytes must be fetched."""
    return is_address(uri) or container_of(uri) is not None


def is_gone(uri: str) -> bool:
    """Tell whether nothing lies at a uri any more (a broken link still lies there).

    A remote place is asked; while it does not say so, nothing is gone. What is in a shard or table goes with
    it, and else only when that is read again.

    An empty folder in its place is most likely a disk that is not mounted: what was on it is not gone. Where
    a disk ignores upper and lower case, a file that is listed under another spelling now is gone from this.
    """
    uri = container_of(uri) or uri
    if is_address(uri):
        from lookalike.sources.remote.presence import is_absent  # loads much that files do without

        return is_absent(uri)
    path = path_of(uri)
    folder = _folder_left(path)
    if folder is None:
        return os.path.isabs(path) and os.path.lexists(path) and spelled(path) != path  # noqa: PTH117
    return _is_empty(folder) is False


def emptied_folder(uri: str) -> str | None:
    """Return the empty folder that is left where the file was, or None where another reason holds."""
    folder = _folder_left(path_of(container_of(uri) or uri))
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
