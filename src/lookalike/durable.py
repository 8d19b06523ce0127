"""Making a rename survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Put on disk which names a folder holds."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no such handle and journals renames itself
        return
    handle = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
