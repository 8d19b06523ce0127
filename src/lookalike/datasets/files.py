"""Photos out of archives onto the disk: checked, whole or not at all, under harmless names."""

from __future__ import annotations

import re
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from lookalike.errors import FetchError, StorageError
from lookalike.files import open_bytes

MAX_PHOTO_BYTES = 20 * 1024 * 1024

_HALF_WRITTEN = ".lookalike-part"
_BLOCK = 1 << 20


def safe_name(name: str) -> str:
    """Return the last part of a member's name, without anything that a file system reads as more than a name.

    >>> safe_name("val2014/../../C:evil.jpg")
    'C_evil.jpg'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", re.split(r"[/\\]", name)[-1])


def is_there(path: Path, size: int) -> bool:
    """Tell whether the file exists with exactly this many bytes."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def is_whole(path: Path, info: zipfile.ZipInfo) -> bool:
    """Tell whether the file has the size and the CRC-32 that an archive says."""
    if not is_there(path, info.file_size):
        return False
    crc = 0
    with open_bytes(path) as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc == info.CRC


def make_folder(folder: Path) -> None:
    """Create the folder where it is missing, and clear what a killed run left half-written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in folder.glob(f".*{_HALF_WRITTEN}"):
            half_written.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error


def check_size(info: zipfile.ZipInfo) -> None:
    """Raise FetchError for a member that claims to be huge."""
    size = max(info.file_size, info.compress_size)
    if size > MAX_PHOTO_BYTES:
        raise FetchError(f"{info.filename!r} claims {size:,} bytes, at most {MAX_PHOTO_BYTES:,} are read")


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return one member's bytes, checked against its CRC-32; raises FetchError when it claims to be huge."""
    check_size(info)
    # zipfile stops at the size that the table of contents gives, so a member cannot unpack to more than that.
    return archive.read(info)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name never shows half of it, even when the process is killed."""
    temporary = path.with_name(f".{path.name}{_HALF_WRITTEN}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
