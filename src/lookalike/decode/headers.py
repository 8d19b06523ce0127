"""What the first bytes of a file say of its picture where the reader would decode it to tell."""

from __future__ import annotations

from lookalike.decode.files import File

_HEAD = 1 << 16
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)


def size_in_header(file: File, name: str) -> tuple[int, int] | None:
    """Return width and height of a WebP or JPEG XL that is not opened yet; None where they are not told."""
    if name not in ("WEBP", "JXL"):
        return None
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    return _size_of_webp(head) if name == "WEBP" else _size_of_jxl(head)


def _size_of_webp(head: bytes) -> tuple[int, int] | None:
    """RFC 9649, 2.5 to 2.7."""
    kind, data = head[12:16], head[20:30]
    if len(data) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None


def _size_of_jxl(head: bytes) -> tuple[int, int] | None:
    """ISO/IEC 18181-1, D.2: fields of bits, the lowest first; the codestream may lie in a box."""
    at = head.find(b"\xff\x0a") if not head.startswith(b"\xff\x0a") else 0
    box = min((each for each in (head.find(b"jxlc"), head.find(b"jxlp")) if each >= 0), default=-1)
    if box >= 0:
        at = head.find(b"\xff\x0a", box)
    if at < 0:
        return None
    bits = _Bits(head[at + 2 : at + 16])
    small = bits.take(1)
    height = bits.side(small)
    ratio = bits.take(3)
    if ratio == 0:
        return bits.side(small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


class _Bits:
    """Numbers of some bits each, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value

    def side(self, small: int) -> int:
        if small:
            return 8 * (1 + self.take(5))
        return 1 + self.take(_SIZE_BITS[self.take(2)])


def levels_of_jpeg2000(file: File) -> int:
    """Return how many times a JPEG 2000 can be halved while it is decoded (ISO/IEC 15444-1, A.6.1)."""
    file.seek(0)
    head = file.read(_HEAD)
    at = head.find(b"\xff\x4f\xff\x51") + 2
    while 2 <= at <= len(head) - 12:
        marker, length = head[at : at + 2], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker == b"\xff\x52":
            return head[at + 9]
        if marker in (b"\xff\x90", b"\xff\xd9") or length < 2:
            break
        at += 2 + length
    return 0
