"""The binary of the Milvus server out of the wheel `milvus`, and what each way to run it needs."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import lzma
import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FIRST_PORT, _LAST_PORT = 20_000, 32_000  # below those that systems hand out to clients
_BLOCK = 32
_START_LINES = 15

Settings = Mapping[str, Any]


class MilvusMissingError(RuntimeError):
    """The server cannot be run here: the wheel is not installed, which there is for Linux on x86-64 only."""


class MilvusStartError(RuntimeError):
    """The server did not start; what it logged is in the message."""


def binaries() -> Path:
    """The folder with `milvus` and its libraries, unpacked once for all runs.

    LOOKALIKE_MILVUS_CACHE names another place than the user's cache folder. Raises MilvusMissingError.
    """
    wheel = importlib.util.find_spec("milvus")  # not imported: that would set up a server
    packed = Path(wheel.origin).parent / "data" / "bin" if wheel and wheel.origin else None
    if packed is None or not packed.is_dir() or not sys.platform.startswith("linux"):
        raise MilvusMissingError(
            "the Milvus server is not installed: pip install --no-deps milvus==2.3.5 (Linux on x86-64 only)"
        )
    size = sum(file.stat().st_size for file in packed.iterdir())  # another wheel is another folder
    cache = Path(os.environ.get("LOOKALIKE_MILVUS_CACHE") or _user_cache())
    folder = cache / f"milvus-{size}"
    if not folder.is_dir():
        _unpack(packed, folder)
    return folder


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookalike"


def _unpack(packed: Path, folder: Path) -> None:
    """Unpack beside and rename: of several who do it at once, one wins and all find it whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unpacking-"))
    try:
        for file in packed.glob("*.lzma"):
            target = beside / file.name.removesuffix(".lzma")
            with lzma.open(file) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            target.chmod(0o755)
        with contextlib.suppress(OSError):  # another one was first
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def reserve_ports(count: int) -> tuple[list[int], int]:
    """Ports that nothing listens on, on any interface, and the descriptor of the lock that keeps them ours.

    The lock keeps off others that ask here. It is needed until the ports are in use: a Milvus that finds
    a port taken answers at another one and tells nobody. At most 32 ports.
    """
    locks = Path(tempfile.gettempdir()) / f"lookalike-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    blocks = list(range(_FIRST_PORT, _LAST_PORT, _BLOCK))
    random.shuffle(blocks)
    for block in blocks:
        lock = os.open(locks / str(block), os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):  # locked, or a port is in use
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(block, block + count):
                with socket.socket() as one:
                    one.bind(("", port))
            return list(range(block, block + count)), lock
        os.close(lock)
    raise OSError(f"no {count} free ports in a row from {_FIRST_PORT} to {_LAST_PORT}")


def merged(settings: Settings, more: Settings) -> dict[str, Any]:
    """The settings with some of another mapping, which go first, at every depth."""
    both = dict(settings)
    for key, value in more.items():
        inner = both.get(key)
        both[key] = (
            merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
        )
    return both


def why_it_ended(lines: list[str]) -> str:
    """The lines of a log that tell why a server ended: where it panicked, or the last ones."""
    panics = [at for at, line in enumerate(lines) if line.startswith("panic:")]
    first = panics[0] if panics else max(len(lines) - _START_LINES, 0)
    return "\n".join(line[:300] for line in lines[first : first + _START_LINES])
