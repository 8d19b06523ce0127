"""Another disk, for what goes across."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk than `tmp_path`: memory that is there, or that is mounted."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and memory.stat().st_dev != tmp_path.stat().st_dev:
        folder = Path(tempfile.mkdtemp(dir=memory))
        yield folder
        shutil.rmtree(folder)
        return
    folder = tmp_path / "other"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("there is no second disk here, and mounting one needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False).returncode:
        pytest.skip("there is no second disk here, and mounting one is not allowed")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
