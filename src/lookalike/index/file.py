"""Index files: written new, synced and renamed, and verified before Faiss reads a byte.

Layout: the line `lookalike index 1`, one line of JSON, Faiss' bytes, and the sha256 of all before.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from lookalike.durable import sync_folder
from lookalike.errors import DamagedError, StorageError
from lookalike.files import open_bytes, read_bytes
from lookalike.index.ivf import IvfIndex, Settings

_MAGIC = b"lookalike index 1\n"
_LONGEST_HEADER = 100_000_000  # it lists damaged items
_LEFTOVER_SECONDS = 3600  # no save takes so long, so an older new file is of a killed process


@dataclass(frozen=True, slots=True)
class Header:
    """What an index file says of itself. It holds the space as it was when the clock showed `seq`."""

    space: str
    model_id: str
    seq: int
    built_count: int
    """Items when it was trained and measured; it may hold more by now."""
    changed: int
    """Items written and removed since then, over all runs."""
    recall: float
    nprobe: int
    depth: int
    damaged: tuple[int, ...] = ()
    """Items that it lacks because their stored vector was damaged when it was built."""
    measured: int = 0
    """How many of the changes recall was measured with."""


def save_index(path: Path, index: IvfIndex, header: Header) -> None:
    """Write an index file; killed or failing at any moment, the old one stays whole."""
    head = _MAGIC + json.dumps(asdict(header)).encode() + b"\n"
    body = index.to_bytes()
    digest = hashlib.sha256(head)
    digest.update(body)
    try:
        path.parent.mkdir(exist_ok=True)
        _replace(path, (head, body, digest.digest()))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def load_index(path: Path) -> tuple[IvfIndex, Header]:
    """Read an index file; raises `FileNotFoundError`, or `DamagedError` when a byte is not as written."""
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedError(f"cannot read {path}: {error.strerror}") from error
    view = memoryview(content)
    if hashlib.sha256(view[:-32]).digest() != content[-32:]:
        raise DamagedError(f"{path} is damaged: its checksum does not match")
    end = content.find(b"\n", len(_MAGIC))
    header = _parse(path, content[: len(_MAGIC)], content[len(_MAGIC) : end])
    settings = Settings(header.nprobe, header.depth)
    try:
        return IvfIndex.from_bytes(view[end + 1 : -32], settings, header.recall), header
    except Exception as error:  # Faiss raises RuntimeError and more at what another version wrote
        raise DamagedError(f"{path} was written by another version of Faiss") from error


def remove_leftovers(path: Path) -> None:
    """Remove new files that killed processes left beside `path`, and none that is being written."""
    for leftover in path.parent.glob(f"{path.name}.*.new"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


def read_header(path: Path) -> Header:
    """Read what an index file says of itself, unverified; raises `OSError` or `DamagedError`."""
    with open_bytes(path) as file:
        magic, line = file.readline(200), file.readline(_LONGEST_HEADER)
    return _parse(path, magic, line)


def _parse(path: Path, magic: bytes, line: bytes) -> Header:
    try:
        if magic != _MAGIC:
            raise ValueError("unknown kind of file")
        return msgspec.json.decode(line, type=Header)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise DamagedError(f"{path} is damaged: {error}") from error


def _replace(path: Path, parts: tuple[bytes, ...]) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with new.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    sync_folder(path.parent)
