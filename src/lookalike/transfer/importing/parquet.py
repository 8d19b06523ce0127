"""Opens Parquet files; what goes wrong is said in our words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lookalike.errors import DamagedError, MissingExtraError, NotAFileError
from lookalike.files import check_file


def open_parquet(path: Path) -> Any:
    """Return an open `pyarrow.parquet.ParquetFile`.

    Raises `DamagedError`, `NotAFileError`, `MissingExtraError`.
    """
    try:
        from pyarrow import parquet  # an optional package
    except ImportError:
        raise MissingExtraError("reading Parquet files", "parquet") from None
    try:
        check_file(path)
        return parquet.ParquetFile(path)
    except NotAFileError:
        raise
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors, too
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> DamagedError:
    """Return what to raise where Arrow failed."""
    return DamagedError(f"{path} is damaged: {str(error).splitlines()[0]}")
