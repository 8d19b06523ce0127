"""TIFF files of any depth, written by hand, since Pillow writes few of them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_KINDS = {"u": 1, "i": 2, "f": 3}  # SampleFormat


def write_tiff(
    path: Path,
    values: np.ndarray,
    *,
    photometric: int | None = None,
    order: str = "<",
    planar: bool = False,
    rows: int | None = None,
    deflated: bool = False,
    packed_bits: int | None = None,
    extra: tuple[tuple[int, int, bytes], ...] = (),
) -> Path:
    """Write `values` of shape (height, width) or (height, width, samples) in their own type.

    `packed_bits` packs unsigned numbers tightly, as 12-bit TIFF has them.
    `extra` are tags: (number, type, data).
    """
    height, width = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    planes = [values[..., at] for at in range(samples)] if planar and samples > 1 else [values]
    rows = rows or height
    strips = [
        _bytes(plane[top : top + rows], order, packed_bits)
        for plane in planes
        for top in range(0, height, rows)
    ]
    if deflated:
        strips = [zlib.compress(strip) for strip in strips]
    bits = packed_bits or values.dtype.itemsize * 8
    if photometric is None:
        photometric = {1: 1, 3: 2, 4: 2}[samples]
    tags = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * samples),
        (259, 3, [8 if deflated else 1]),
        (262, 3, [photometric]),
        (273, 4, [0] * len(strips)),
        (277, 3, [samples]),
        (278, 4, [rows]),
        (279, 4, [len(strip) for strip in strips]),
        (284, 3, [2 if planar else 1]),
        (339, 3, [_KINDS[values.dtype.kind]] * samples),
    ]
    if samples == 4 and photometric == 2:
        tags.append((338, 3, [2]))
    entries = [(tag, kind, len(data), _packed(order, kind, data)) for tag, kind, data in tags]
    entries += [
        (tag, kind, len(data) // {2: 1, 7: 1, 3: 2, 4: 4, 5: 8}[kind], data) for tag, kind, data in extra
    ]
    entries.sort()
    start = 8 + 2 + 12 * len(entries) + 4
    beside = start + sum(len(data) + len(data) % 2 for *_, data in entries if len(data) > 4)
    offsets = [beside + sum(len(strip) for strip in strips[:at]) for at in range(len(strips))]
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(entries))
    out, tail = head, b""
    for tag, kind, count, data in entries:
        value = _packed(order, kind, offsets) if tag == 273 else data
        if len(value) > 4:
            place = start + len(tail)
            tail += value + bytes(len(value) % 2)
            value = struct.pack(order + "I", place)
        out += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    path.write_bytes(out + bytes(4) + tail + b"".join(strips))
    return path


def _packed(order: str, kind: int, data: list[int]) -> bytes:
    return struct.pack(order + {3: "H", 4: "I"}[kind] * len(data), *data)


def _bytes(rows: np.ndarray, order: str, packed_bits: int | None) -> bytes:
    if packed_bits is None:
        return rows.astype(rows.dtype.newbyteorder(order)).tobytes()
    flat = rows.reshape(rows.shape[0], -1).astype(">u2")
    bits = np.unpackbits(flat.view(np.uint8).reshape(*flat.shape, 2), axis=2)[..., 16 - packed_bits :]
    return b"".join(np.packbits(row.reshape(-1)).tobytes() for row in bits)
