"""RAW files made up of directories and pictures, as cameras of several makers arrange them."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

CFA, JPEG_OLD, JPEG_NEW, NIKON = 32803, 6, 7, 34713


def picture(size=(640, 424), seed=1, quality=90) -> tuple[Image.Image, bytes]:
    """A photo and its JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return image, file.getvalue()


class Layout:
    """Puts directories and data one behind the other; offsets are known as soon as something is added."""

    def __init__(self, order: str = "<", magic: int = 42, head: bytes = b"") -> None:
        self.order = order
        start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", magic)
        self.data = bytearray(start + bytes(4) + head)

    def add(self, data: bytes) -> int:
        """Return where `data` lies now."""
        if len(self.data) % 2:
            self.data += b"\0"
        at = len(self.data)
        self.data += data
        return at

    def directory(self, fields: dict[int, object], following: int = 0) -> int:
        """Add a directory: numbers as LONG, tuples of them, bytes as they are, texts as ASCII."""
        entries = b""
        for tag, value in sorted(fields.items()):
            kind, count, data = self._field(value)
            if len(data) > 4:
                data = struct.pack(self.order + "I", self.add(data))
            entries += struct.pack(self.order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
        count = struct.pack(self.order + "H", len(fields))
        return self.add(count + entries + struct.pack(self.order + "I", following))

    def _field(self, value: object) -> tuple[int, int, bytes]:
        if isinstance(value, str):
            return 2, len(value) + 1, value.encode() + b"\0"
        if isinstance(value, bytes):
            return 7, len(value), value
        numbers = value if isinstance(value, tuple) else (value,)
        return 4, len(numbers), struct.pack(f"{self.order}{len(numbers)}I", *numbers)

    def finish(self, first: int) -> bytes:
        """Return the file, whose first directory is at `first`."""
        self.data[4:8] = struct.pack(self.order + "I", first)
        return bytes(self.data)


def sensor(layout: Layout, **more: object) -> int:
    """A directory of a picture as the sensor has it."""
    at = layout.add(bytes(5000))
    fields = {256: 3000, 257: 2000, 259: 1, 262: CFA, 273: at, 279: 5000}
    return layout.directory({**fields, **{int(key[1:]): value for key, value in more.items()}})


def taken(layout: Layout) -> dict[int, object]:
    """The facts that all of them state."""
    details = layout.directory({36867: "2019:06:30 12:34:56", 34855: 400})
    return {271: "", 272: "", 34665: details}


def nef(jpeg: bytes, turned: int = 1, order: str = ">") -> bytes:
    """A small uncompressed picture first; the JPEG and the sensor's below it."""
    layout = Layout(order)
    large = layout.directory({259: JPEG_OLD, 513: layout.add(jpeg), 514: len(jpeg)})
    below = (large, sensor(layout, t259=NIKON))
    small = layout.add(bytes(160 * 120 * 3))
    fields = {**taken(layout), 271: "NIKON CORPORATION", 272: "NIKON D70", 274: turned, 254: 1, 330: below}
    fields |= {256: 160, 257: 120, 258: 8, 259: 1, 262: 2, 273: small, 277: 3, 278: 120, 279: 160 * 120 * 3}
    return layout.finish(layout.directory(fields))


def cr2(jpeg: bytes, turned: int = 1) -> bytes:
    """The JPEG as the only strip of the first directory, the sensor's as a lossless one in the last."""
    layout = Layout(head=b"CR\2\0" + bytes(4))
    last = layout.directory({259: JPEG_OLD, 273: layout.add(b"\xff\xd8\xff\xc4" + bytes(900)), 279: 904})
    fields = {**taken(layout), 271: "Canon", 272: "Canon EOS 350D", 274: turned, 259: JPEG_OLD}
    at = layout.add(jpeg)
    return layout.finish(layout.directory({**fields, 273: at, 279: len(jpeg)}, last))


def arw(jpeg: bytes, turned: int = 1) -> bytes:
    """The JPEG in the first directory."""
    layout = Layout()
    fields = {**taken(layout), 271: "SONY", 272: "DSLR-A100", 274: turned, 259: JPEG_OLD}
    fields |= {513: layout.add(jpeg), 514: len(jpeg), 330: sensor(layout, t259=32767)}
    return layout.finish(layout.directory(fields))


def dng(jpeg: bytes, turned: int = 1) -> bytes:
    """Previews as strips below the first directory; the sensor's in tiles that are JPEGs themselves."""
    layout = Layout()
    tiles = [layout.add(picture((256, 256), seed)[1]) for seed in range(4)]
    lengths = tuple(len(picture((256, 256), seed)[1]) for seed in range(4))
    raw = layout.directory({259: 34892, 262: 34892, 324: tuple(tiles), 325: lengths, 322: 256, 323: 256})
    small = layout.directory({259: JPEG_NEW, 262: 6, 273: layout.add(jpeg), 279: len(jpeg)})
    fields = {**taken(layout), 271: "Leica", 272: "Leica M9", 274: turned, 330: (raw, small)}
    return layout.finish(layout.directory({**fields, 50706: b"\1\4\0\0"}))


def rw2(jpeg: bytes, turned: int = 1) -> bytes:
    """The JPEG as a field of the first directory."""
    layout = Layout(magic=85)
    fields = {**taken(layout), 271: "Panasonic", 272: "DMC-LX3", 274: turned, 0x2E: jpeg}
    return layout.finish(layout.directory(fields))


def orf(jpeg: bytes, turned: int = 1) -> bytes:
    """The JPEG where only the notes of its maker say."""
    layout = Layout(magic=0x4F52)
    layout.add(jpeg)
    at = layout.add(bytes(3000))
    fields = {**taken(layout), 271: "OLYMPUS", 272: "E-M5", 274: turned}
    fields |= {262: CFA, 273: at, 279: 3000}
    return layout.finish(layout.directory(fields))


def raf(jpeg: bytes, turned: int = 1) -> bytes:
    """The JPEG with all facts of its own, behind a header."""
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "FUJIFILM", "FinePix S5Pro", turned
    exif.get_ifd(0x8769)[36867] = "2019:06:30 12:34:56"
    file = BytesIO()
    Image.open(BytesIO(jpeg)).save(file, "JPEG", quality=95, exif=exif)
    inside = file.getvalue()
    head = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 148, len(inside))
    return head.ljust(148, b"\0") + inside + bytes(4000)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def cr3(jpeg: bytes, turned: int = 1) -> bytes:
    """Boxes: the facts in three small TIFFs, the JPEG among the data."""
    photo, shot = Layout(), Layout()
    first = photo.finish(photo.directory({271: "Canon", 272: "Canon EOS M50", 274: turned}))
    second = shot.finish(shot.directory({36867: "2019:06:30 12:34:56", 34855: 400}))
    facts = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + box(b"CMT1", first) + box(b"CMT2", second)
    head = box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", box(b"uuid", facts))
    return head + box(b"mdat", bytes(3000) + jpeg + bytes(3000))


def crw(jpeg: bytes, turned: int = 1) -> bytes:
    """A heap whose directory is at its end; the facts are not in EXIF."""
    return b"II\x1a\0\0\0HEAPCCDR" + bytes(500) + jpeg + bytes(500)


MAKERS = {"NEF": nef, "CR2": cr2, "ARW": arw, "DNG": dng, "RW2": rw2, "ORF": orf, "RAF": raf, "CR3": cr3}
MAKERS["CRW"] = crw


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
