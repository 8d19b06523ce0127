"""Picture files written byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, *, colour_type: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)


def write_grey_png(path: Path, width: int, height: int) -> Path:
    """Write an all-black PNG without ever holding it."""
    deflate = zlib.compressobj(1)
    row = bytes(1 + width)
    data = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    path.write_bytes(png_header(width, height) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b""))
    return path


def jpeg_header(width: int, height: int) -> bytes:
    """The start of a baseline grey JPEG; no picture follows."""
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    scan = struct.pack(">BBBBBB", 1, 1, 0, 0, 63, 0)
    return (
        b"\xff\xd8"
        + (b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64))
        + (b"\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame)
        + (b"\xff\xda" + struct.pack(">H", 2 + len(scan)) + scan)
        + bytes(64)
    )


def gif_header(width: int, height: int) -> bytes:
    """A GIF whose only frame is as large as its screen; no picture follows."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x01\x00\x00;"
    return b"GIF89a" + screen + frame
