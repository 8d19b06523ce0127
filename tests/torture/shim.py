"""The faults: builds `shim.c`, says what it is to do, and reads what it wrote down."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
WRITE, SYNC, SIZE, NAME, READ, GONE = 1, 2, 4, 8, 16, 32
CHANGES = WRITE | SYNC | SIZE | NAME | GONE
KILL_BEFORE, KILL_TORN, KILL_AFTER, FAIL_ONCE, FAIL_ON = 1, 2, 3, 4, 5
_HEAD = struct.Struct("=6q")


class UnavailableError(Exception):
    """There is no C compiler, or this system does not load libraries ahead."""


@dataclass(frozen=True)
class Fault:
    """What happens at the `at`-th call of the kinds in `mask`: an `action`, with the number of an `error`."""

    action: int = 0
    at: int = 0
    mask: int = CHANGES
    error: int = 0

    def __str__(self) -> str:
        names = ("nothing", "killed before", "killed within", "killed after", "fails once", "fails from")
        why = f" with {errno.errorcode[self.error]}" if self.error else ""
        return f"{names[self.action]} call {self.at}{why}"


def build() -> Path:
    """Return the compiled shim; raises `UnavailableError`."""
    if not sys.platform.startswith("linux"):
        raise UnavailableError("the torture bench preloads a library, as Linux does it")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise UnavailableError("the torture bench needs a C compiler (cc, or CC=…)")
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"lookalike-torture-{os.getuid()}-{digest}.so"
    if not built.exists():
        new = built.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O1", "-shared", "-fPIC", "-pthread", "-o", str(new), str(SOURCE)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise UnavailableError(f"the shim does not compile: {ran.stderr.strip()}")
        new.replace(built)
    return built


def preload() -> None:
    """Start this program again with the shim loaded, and with one thread for each product of matrices."""
    library = build()
    if os.environ.get("LD_PRELOAD") == str(library):
        return
    os.environ.update(LD_PRELOAD=str(library), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    os.execv(sys.executable, sys.orig_argv)


@lru_cache(1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    library.torture_count.restype = ctypes.c_long
    library.torture_arm.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_long,
        *[ctypes.c_int] * 2,
    ]
    library.torture_note.argtypes = [ctypes.c_char_p, ctypes.c_long]
    return library


def arm(folder: Path, fault: Fault, log: Path | None = None) -> None:
    """From now on, watch the files below `folder` in this process."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else -1
    _library().torture_arm(os.fsencode(folder), file, fault.mask, fault.at, fault.action, fault.error)


def note(line: bytes) -> None:
    """Put a line among the changes that are written down."""
    _library().torture_note(line, len(line))


def count() -> int:
    """Return how many calls were counted in this process."""
    return int(_library().torture_count())


@dataclass(frozen=True)
class Change:
    """One change of the disk: `kind` is its letter in `shim.c`, `n` is what was noted."""

    kind: str
    inode: int
    offset: int
    path: str
    target: str
    data: bytes


def read_log(path: Path) -> Iterator[Change]:
    """Yield what was written down, in order."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        kind, inode, offset, length, one, two = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        names = content[at : at + one].decode(), content[at + one : at + one + two].decode()
        at += one + two
        held = length if chr(kind) in "wn" else 0
        yield Change(chr(kind), inode, offset, *names, content[at : at + held])
        at += held
