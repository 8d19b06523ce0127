"""Python environments for reference implementations, which must not mix with our own packages.

They lie in `.cache/` beside the tests, are made from a list of exact versions, and again when it changes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


def reference_python(name: str, requirements: Path) -> Path:
    """Return the interpreter of an environment with these requirements, making it where it is missing."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    CACHE.mkdir(exist_ok=True)
    with _locked(CACHE / f"{name}.lock"):  # two test processes may want it at once
        if not stamp.exists() or stamp.read_text() != wanted:
            _make(folder)
            run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements])
            stamp.write_text(wanted)
    return python


def run(command: list[object], **environment: str) -> None:
    """Run a program to its end; what it printed is part of the error if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-4000:]}"
        )


def _make(folder: Path) -> None:
    """Make an empty environment, by virtualenv where this Python comes without venv's pip (Debian)."""
    try:
        run([sys.executable, "-m", "venv", folder])
    except RuntimeError:
        tools = CACHE / "virtualenv"
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", tools, "virtualenv"])
        run([sys.executable, "-m", "virtualenv", "--quiet", folder], PYTHONPATH=str(tools))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl  # these tests run on Linux and macOS

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
