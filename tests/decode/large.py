"""Large picture files, written without ever holding a picture: flat ones, mostly."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from pictures import png_chunk

_GREY, _COLOUR, _PALETTE = 0, 2, 3
_SAMPLES = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, 4: 2, 6: 4}


def png(
    path: Path, width: int, height: int, *, colour: int = _GREY, bits: int = 8, interlaced: bool = False
) -> Path:
    """A black PNG of any kind."""
    per_pixel = _SAMPLES[colour] * bits
    if interlaced:  # Adam7
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    else:
        sizes = [(width, height)]
    deflate = zlib.compressobj(1)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header))
        if colour == _PALETTE:
            file.write(png_chunk(b"PLTE", bytes([30, 60, 90] * 256)))
        for across, down in sizes:
            row = bytes(1 + (across * per_pixel + 7) // 8)
            for _ in range(down):
                if data := deflate.compress(row):
                    file.write(png_chunk(b"IDAT", data))
        file.write(png_chunk(b"IDAT", deflate.flush()) + png_chunk(b"IEND", b""))
    return path


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">HH", marker, 2 + len(data)) + data


def jpeg(path: Path, width: int, height: int, *, sampling: int = 0x22, scans: str = "baseline") -> Path:
    """A grey JPEG of three components whose blocks are one or two zero bits each.

    `sampling` is 0x22 for 4:2:0 and 0x11 for 4:4:4; `scans` is "baseline", "progressive" or "separate".
    """
    one_code = bytes([1] + [0] * 15) + b"\0"  # the code 0 alone: no difference, or the end of the block
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0])
    head = b"\xff\xd8" + _segment(0xFFDB, b"\0" + bytes([1] * 64))
    head += _segment(0xFFC2 if scans == "progressive" else 0xFFC0, frame)
    head += _segment(0xFFC4, b"\0" + one_code) + _segment(0xFFC4, b"\x10" + one_code)
    of_luma = (sampling >> 4) * (sampling & 15)
    units = -(-width // (8 * (sampling >> 4))) * -(-height // (8 * (sampling & 15)))
    with path.open("wb") as file:
        file.write(head)
        if scans == "progressive":
            file.write(_segment(0xFFDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0])))
            file.write(bytes((units * (of_luma + 2) + 7) // 8))
        elif scans == "separate":
            blocks = -(-width // 8) * -(-height // 8)
            for component in (1, 2, 3):
                file.write(_segment(0xFFDA, bytes([1, component, 0, 0, 63, 0])))
                of_chroma = -(-width // (8 * (sampling >> 4))) * -(-height // (8 * (sampling & 15)))
                file.write(bytes(((blocks if component == 1 else of_chroma) * 2 + 7) // 8))
        else:
            file.write(_segment(0xFFDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])))
            file.write(bytes((units * (of_luma + 2) * 2 + 7) // 8))
        file.write(b"\xff\xd9")
    return path


def tiff(
    path: Path,
    width: int,
    height: int,
    *,
    samples: int = 3,
    strips: int = 1,
    deflated: bool = False,
    turned: int = 1,
    bits: int = 8,
) -> Path:
    """A black TIFF; what is not deflated is a hole in the file."""
    rows = -(-height // strips)
    sizes = [min(rows, height - at * rows) * width * samples * bits // 8 for at in range(strips)]
    packed = [_deflated_zeros(size) if deflated else b"" for size in sizes]
    counts = [len(each) for each in packed] if deflated else sizes
    offsets = [4096 + sum(counts[:at]) for at in range(strips)]
    extra = 1024
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 8 if deflated else 1),
        (262, 3, 1, 2 if samples == 3 else 1),
        (273, 4, strips, offsets[0] if strips == 1 else extra),
        (274, 3, 1, turned),
        (277, 3, 1, samples),
        (278, 4, 1, rows),
        (279, 4, strips, counts[0] if strips == 1 else extra + 4 * strips),
    ]
    with path.open("wb") as file:
        file.write(struct.pack("<2sHIH", b"II", 42, 8, len(entries)))
        for tag, kind, count, value in entries:
            file.write(struct.pack("<HHII", tag, kind, count, value))
        file.write(bytes(4))
        file.seek(extra)
        if strips > 1:
            file.write(struct.pack(f"<{2 * strips}I", *offsets, *counts))
        file.seek(4096)
        for each in packed:
            file.write(each)
        file.truncate(4096 + sum(counts))
    return path


def _deflated_zeros(size: int) -> bytes:
    deflate = zlib.compressobj(1)
    step = bytes(1 << 20)
    data = b"".join(deflate.compress(step[: min(len(step), size - at)]) for at in range(0, size, len(step)))
    return data + deflate.flush()


def bmp(path: Path, width: int, height: int) -> Path:
    """A black BMP of 24 bits, a hole in the file."""
    size = (width * 3 + 3) // 4 * 4 * height
    with path.open("wb") as file:
        file.write(
            struct.pack(
                "<2sIIIIiiHHIIiiII", b"BM", 54 + size, 0, 54, 40, width, height, 1, 24, 0, size, 0, 0, 0, 0
            )
        )
        file.truncate(54 + size)
    return path


def webp_header(width: int, height: int) -> bytes:
    """The start of a lossless WebP; no picture follows."""
    data = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(64)
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data
