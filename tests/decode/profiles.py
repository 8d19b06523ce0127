"""ICC profiles, written byte by byte (ICC.1:2001-04), since there is no telling what a system has."""

from __future__ import annotations

import struct

import numpy as np

_D50 = np.array([0.9642, 1.0, 0.8249])
_D65 = np.array([0.3127 / 0.329, 1.0, (1 - 0.3127 - 0.329) / 0.329])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(value)) for value in values)


def _profile(
    space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connected: bytes = b"XYZ "
) -> bytes:
    tags = {b"desc": _text(b"made up"), b"wtpt": _xyz(_D50), **tags}
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = at + len(data)
    head = struct.pack(">I", size) + bytes(4) + b"\x02\x10\0\0" + kind + space + connected
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(_fixed(float(value)) for value in _D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _text(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(12 + 67)


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    levels = np.linspace(0, 1, 1024)
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *np.round(light * 65535).astype(int))


def rgb_profile(primaries: tuple[tuple[float, float], ...], gamma: float | None) -> bytes:
    """A screen's profile by the xy of its primaries at D65; gamma None is the curve of sRGB."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, _D65)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65)) @ _BRADFORD
    matrix = adapt @ matrix
    tags = {b"rXYZ": _xyz(matrix[:, 0]), b"gXYZ": _xyz(matrix[:, 1]), b"bXYZ": _xyz(matrix[:, 2])}
    return _profile(b"RGB ", {**tags, **{name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}})


def grey_profile(gamma: float) -> bytes:
    """A profile of grey."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """A printer's profile: pale inks, each of which takes some light and shifts the hue."""
    grid = []
    for inks in np.ndindex(2, 2, 2, 2):  # 16-bit Lab of version 2
        cyan, magenta, yellow, black = inks
        light = 65280 * 0.8 ** (cyan + magenta + 0.3 * yellow) * 0.4**black
        grid.append((int(light), 32768 + 6000 * (magenta - cyan), 32768 + 9000 * (yellow - cyan)))
    ends = struct.pack(">2H", 0, 65535)
    table = b"mft2" + bytes(4) + bytes([4, 3, 2, 0])
    table += b"".join(_fixed(one) for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)) + struct.pack(">HH", 2, 2)
    table += ends * 4 + b"".join(struct.pack(">3H", *point) for point in grid) + ends * 3
    return _profile(b"CMYK", {b"A2B0": table}, b"prtr", b"Lab ")
