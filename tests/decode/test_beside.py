"""What lies beside the pixels never decides about a picture; damage in the pixels does."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest
from pictures import png_chunk
from PIL import Image
from tiffs import write_tiff

from lookalike.decode.formats import jpeg_start
from lookalike.records import Photo, Skipped

ARITHMETIC = base64.b64decode(
    """
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB
RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P
T09PT09PT09PT09PT0//yQARCAAwAEgDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDSZG9r+W1ALQ/3nlZ3
VIzqtxzNNXBa890jpGcsxVqRVY79OwpvtnMUih2XZ4xzZ3O+otxsuXqSH9mJEr8jw9OyHd8uGdoEyVz4wKoGfLwYNkq2FkcT
h+FyhEoiogAscdp62pTwPDrrJB9cWEKVYO/rImZra/kjjGATmPuwAhLcxdW1obAux3zCmaL5Uyv/AMwJZV+A9tGfVxR49vc5
gffsTyum3ejj0vcQg1JSRvzFsH4bF/wLutujlCE1g5MCnafHWQLLs27zK1LLgpTY00EDBzsglpkUGNgZZwb7Zi8gpd3Szr7x
4k282U+bz8KcuiFT0WLgFi6VxS1jIEBtRh8qtExmP3a/Xy6D4arvdaX9jJpjPfy9Z0bRGpSu/IwD0iJZ1fw2a4ovx/qMKxnK
qrSwFQsbM3mpC0EneGcZcol3kWe8dJDj9PqS6VpeUXAuO8x0kmQW135M+7qb9Hq0R6zQj13KLyBShmdcKvdZBc066DUvMjq8
dKVR0+r9cOGjCaCzBzL6wAmegMH+T6LHYXZnnW1J7Ffy+WLftNmuFrdb5+mYcDFFGVMR4JHXpOlTcbTgaTQG+ZC0hq48HYA3
k97vJdeR5rzOtZ95jPhj36GiC3LtiLKL2DAcE0OvrI+mUFJDon6662plwQVWd7SGdjnFswbvSMp65a/bJIGm4s4tdqUpJMD/
2Q==
"""
)
MIB = 1 << 20


def chunks(png):
    """Yield the chunks of a PNG."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at : at + 12 + length]
        at += 12 + length


def with_chunk(png, chunk, *, after=False):
    """A PNG with one more chunk, before or behind its pixels."""
    out, pixels_seen = png[:8], False
    for each in chunks(png):
        kind = each[4:8]
        if (after and kind == b"IEND") or (not after and kind == b"IDAT" and not pixels_seen):
            out += chunk
        pixels_seen |= kind == b"IDAT"
        out += each
    return out


def bad_sum(chunk):
    return chunk[:-4] + bytes([chunk[-4] ^ 0xFF]) + chunk[-3:]


def text(size, *, packed):
    letters = b"node graph of a picture generator " * (size // 34 + 1)
    return zlib.compress(letters[:size]) if packed else letters[:size]


ADDED = {
    "packed text of 2 MiB": png_chunk(b"zTXt", b"workflow\0\0" + text(2 * MIB, packed=True)),
    "packed text of 100 MiB": png_chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(100 * MIB), 1)),
    "text of 2 MiB": png_chunk(b"tEXt", b"workflow\0" + text(2 * MIB, packed=False)),
    "many texts": png_chunk(b"tEXt", b"a\0" + text(MIB, packed=False)) * 70,
    "packed Unicode": png_chunk(b"iTXt", b"workflow\0\1\0\0\0" + text(2 * MIB, packed=True)),
    "XMP bomb": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(50 * MIB))),
    "text packed in no known way": png_chunk(b"zTXt", b"workflow\0\7scrap"),
    "text without an end": png_chunk(b"iTXt", b"workflow"),
    "profile of 6 MiB": png_chunk(b"iCCP", b"own\0\0" + zlib.compress(bytes(6 * MIB))),
    "profile packed in no known way": png_chunk(b"iCCP", b"own\0\5scrap"),
    "empty profile": png_chunk(b"iCCP", b""),
    "empty EXIF": png_chunk(b"eXIf", b""),
    "short gamma": png_chunk(b"gAMA", b"\0"),
    "short size": png_chunk(b"pHYs", b"\0\0"),
    "short colours": png_chunk(b"cHRM", b"\0\0"),
    "frame of no animation": png_chunk(b"fcTL", b"\0"),
    "animation of no frame": png_chunk(b"acTL", b"\0"),
    "wrong sum of a text": bad_sum(png_chunk(b"tEXt", b"a\0b")),
    "wrong sum of a time": bad_sum(png_chunk(b"tIME", bytes(7))),
    "wrong sum of a size": bad_sum(png_chunk(b"pHYs", bytes(9))),
    "wrong sum of EXIF": bad_sum(png_chunk(b"eXIf", b"II*\0" + bytes(12))),
    "wrong sum of something private": bad_sum(png_chunk(b"prVt", b"secret")),
}


@pytest.fixture
def photo(tmp_path, make_photo, read):
    """A PNG's bytes, and the square they make."""
    path = make_photo(tmp_path / "plain.png", 5)
    return path.read_bytes(), read(path).pixels


def check_same(path, content, pixels, read):
    path.write_bytes(content)
    result = read(path)
    assert isinstance(result, Photo), result
    assert np.array_equal(result.pixels, pixels)


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("name", ADDED)
def test_a_png_is_read_whatever_lies_beside_its_pixels(name, after, photo, tmp_path, read):
    png, pixels = photo
    check_same(tmp_path / "a.png", with_chunk(png, ADDED[name], after=after), pixels, read)


def test_a_png_is_read_whatever_follows_its_end(photo, tmp_path, read):
    png, pixels = photo
    for tail in (b"\0" * 1000, b"PK\3\4 and so on", png):
        check_same(tmp_path / "a.png", png + tail, pixels, read)


def test_damage_in_what_makes_the_picture_is_told(photo, tmp_path, read):
    png, _ = photo
    parts = list(chunks(png))
    damaged = {
        "header": png[:8] + bad_sum(parts[0]) + b"".join(parts[1:]),
        "unknown but needed": with_chunk(png, png_chunk(b"NEED", b"")),
        "cut": png[: len(png) * 2 // 3],
        "no pixels": png[:8] + parts[0] + parts[-1],
    }
    pixels = next(part for part in parts if part[4:8] == b"IDAT")
    wrong = pixels[:60] + bytes(each ^ 0x55 for each in pixels[60:-4]) + pixels[-4:]
    damaged["pixels"] = png[:8] + parts[0] + wrong + parts[-1]
    for name, content in damaged.items():
        (tmp_path / f"{name}.png").write_bytes(content)
        result = read(tmp_path / f"{name}.png")
        assert isinstance(result, Skipped), name
        assert "damaged" in result.reason or "truncated" in result.reason


def test_a_palette_with_a_wrong_sum_is_damage(tmp_path, read):
    Image.linear_gradient("L").convert("P").save(tmp_path / "a.png")
    parts = list(chunks((tmp_path / "a.png").read_bytes()))
    spoilt = [bad_sum(part) if part[4:8] == b"PLTE" else part for part in parts]
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(spoilt))
    assert isinstance(read(tmp_path / "b.png"), Skipped)


def segment(marker, data):
    return struct.pack(">HH", marker, len(data) + 2) + data


@pytest.fixture
def jpeg(tmp_path, make_photo, read):
    path = make_photo(tmp_path / "plain.jpg", 5)
    return path.read_bytes(), read(path).pixels


SEGMENTS = {
    "Photoshop that ends early": segment(0xFFED, b"Photoshop 3.0\0" + b"8BIM\x04"),
    "Photoshop without a name": segment(0xFFED, b"Photoshop 3.0\0" + b"8BIM\x03\xed"),
    "short resolution": segment(0xFFED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\0\0\0\2\0\0"),
    "short JFIF": segment(0xFFE0, b"JFIF\0"),
    "short Adobe": segment(0xFFEE, b"Adobe"),
    "a profile's second part of three": segment(0xFFE2, b"ICC_PROFILE\0\2\3" + bytes(50)),
    "a profile without numbers": segment(0xFFE2, b"ICC_PROFILE\0"),
    "an album of nothing": segment(0xFFE2, b"MPF\0" + b"II*\0\xff\xff\xff\xff"),
    "EXIF of nothing": segment(0xFFE1, b"Exif\0\0"),
    "EXIF that points far away": segment(0xFFE1, b"Exif\0\0MM\0*\x7f\xff\xff\xff"),
    "a resolution divided by zero": segment(
        0xFFE1,
        b"Exif\0\0II*\0\x08\0\0\0\2\0\x1a\1\5\0\1\0\0\0\x26\0\0\0\x28\1\3\0\1\0\0\0\2\0\0\0" + bytes(12),
    ),
    "long comments": segment(0xFFFE, bytes(65_000)) * 40,
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_jpeg_is_read_whatever_lies_beside_its_pixels(name, jpeg, tmp_path, read):
    content, pixels = jpeg
    check_same(tmp_path / "a.jpg", content[:2] + SEGMENTS[name] + content[2:], pixels, read)


@pytest.mark.parametrize("beside", [0, 64_500, 65_536 - 300, 200_000])
def test_an_arithmetic_coded_jpeg_is_read_wherever_its_pixels_lie(beside, tmp_path, read):
    padding = b"".join(segment(0xFFEF, bytes(min(65_000, beside - at))) for at in range(0, beside, 65_000))
    (tmp_path / "a.jpg").write_bytes(ARITHMETIC[:2] + padding + ARITHMETIC[2:])
    result = read(tmp_path / "a.jpg")
    assert isinstance(result, Photo), result
    assert (result.metadata["width"], result.metadata["height"]) == (72, 48)
    assert 100 < result.pixels.mean() < 140


def test_so_it_is_not_when_it_is_cut(tmp_path, read):
    (tmp_path / "a.jpg").write_bytes(ARITHMETIC[: len(ARITHMETIC) // 2])
    assert isinstance(read(tmp_path / "a.jpg"), Skipped)


JUNK = {
    "line feed": b"\n",
    "blank lines": b"\r\n\r\n",
    "mark of byte order": b"\xef\xbb\xbf",
    "mark and line": b"\xef\xbb\xbf\n",
    "zeros": bytes(9),
    "length": b"\x00\x01\x8f\x20",
    "headers": b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 12345\r\n\r\n",
    "part of a stream": b"--frame\r\nContent-Type: image/jpeg\r\n\r\n",
    "warning": b"<br />\n<b>Warning</b>:  session_start(): headers sent in <b>/x.php</b> on <b>3</b><br />\n",
}


@pytest.mark.parametrize("name", JUNK)
def test_a_jpeg_behind_stray_bytes_is_read(name, jpeg, tmp_path, read):
    content, pixels = jpeg
    check_same(tmp_path / "a.jpg", JUNK[name] + content, pixels, read)


def test_its_facts_and_its_damage_are_told_as_ever(tmp_path, read):
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "Brownie"
    Image.new("RGB", (60, 40), (9, 90, 200)).save(tmp_path / "a.jpg", exif=exif)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(b"\n" + content)
    facts = read(tmp_path / "b.jpg").metadata
    assert (facts["width"], facts["height"], facts["camera"]) == (40, 60, "Brownie")
    (tmp_path / "c.jpg").write_bytes(b"\n" + content[: len(content) // 2])
    assert isinstance(read(tmp_path / "c.jpg"), Skipped)


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\4\0\0\0\0\x10\0APIC\0\0\x10\0\0\0\0image/jpeg\0\3\0\xff\xd8\xff\xe0",
        b"fLaC\6\0\x10\0\0\0\0\3\0\0\0\x0aimage/jpeg\0\0\0\0" + bytes(20) + b"\xff\xd8\xff\xe0",
        b"a note that names \xff\xd8\xff in passing",
        b"\n" * 600 + b"\xff\xd8\xff",
    ],
    ids=["song", "lossless song", "note", "far away"],
)
def test_what_only_holds_a_jpeg_is_none(head):
    assert jpeg_start(head[:512]) is None


TAGS = {
    "resolution as text": (282, 2, b"seventy-two\0"),
    "resolution of nothing": (282, 5, b""),
    "unit as text": (296, 2, b"inch\0"),
    "a profile of numbers": (34675, 3, bytes(8)),
    "EXIF that is nowhere": (34665, 4, b"\xff\xff\xff\x7f"),
    "EXIF in the pixels": (34665, 4, b"\x40\x01\0\0"),
    "a place that is nowhere": (34853, 4, b"\xff\xff\xff\x7f"),
    "orientation as text": (274, 2, b"up\0"),
    "XMP of numbers": (700, 3, bytes(8)),
}


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("deflated", [False, True])
def test_a_tiff_is_read_whatever_its_other_tags_say(name, deflated, tmp_path, read):
    values = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    plain = read(write_tiff(tmp_path / "plain.tiff", values, deflated=deflated)).pixels
    path = write_tiff(tmp_path / "a.tiff", values, deflated=deflated, extra=(TAGS[name],))
    check_same(path, path.read_bytes(), plain, read)
