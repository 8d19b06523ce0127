"""Tar shards and tables of pictures for tests, good and bad ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

Members = list[tuple[str, bytes | tarfile.TarInfo]]


def tar_of(members: Members) -> bytes:
    """A tar file of names and contents; a `TarInfo` stands for what has none, such as a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A link, device or pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def packed(content: bytes) -> bytes:
    """The same packed by gzip."""
    return gzip.compress(content, mtime=0)


def parquet_of(path: Path, columns: dict[str, list], group: int | None = None) -> Path:
    """A table in a Parquet file, in groups of so many rows."""
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path, row_group_size=group)
    return path
