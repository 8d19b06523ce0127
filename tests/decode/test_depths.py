"""More than 8 bits a sample: as bright as they are meant, whatever the file's arrangement."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from pictures import png_chunk
from tiffs import write_tiff

from lookalike.records import Photo, Skipped, View

SMALL = View(8, resample="BOX")
LEFT, RIGHT = np.array([0.75, 0.25, 0.1]), np.array([0.1, 0.5, 1.0])  # of white


def grey(white, kind, left=0.25, right=1.0):
    values = np.full((32, 32), left * white)
    values[:, 16:] = right * white
    return values.astype(kind)


def colours(white, kind=np.uint16, alpha=None):
    values = np.zeros((32, 32, 3))
    values[:, :16], values[:, 16:] = LEFT * white, RIGHT * white
    if alpha is not None:
        values = np.dstack([values, np.full((32, 32), alpha)])
    return np.round(values).astype(kind)


def write_png(path, values, sbit=None):
    """A PNG of 16 bits a sample that states how many of them mean something."""
    samples = values.shape[2] if values.ndim == 3 else 1
    kind = {1: 0, 3: 2, 4: 6}[samples]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 16, kind, 0, 0, 0))
    if sbit is not None:
        chunks += png_chunk(b"sBIT", bytes([sbit] * samples))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    )
    return path


def check(result, left, right, tolerance=2):
    """`left` and `right` are shares of white, of grey or of three colours."""
    assert isinstance(result, Photo), result
    seen = result.pixels.astype(int)
    assert np.abs(seen[:, :4] - np.round(np.multiply(left, 255))).max() <= tolerance, seen[0, 0]
    assert np.abs(seen[:, 4:] - np.round(np.multiply(right, 255))).max() <= tolerance, seen[0, 7]


@pytest.mark.parametrize("sbit", [9, 10, 12, 14])
def test_a_png_that_uses_some_of_its_16_bits_is_as_bright_as_it_says(sbit, tmp_path, read):
    white = (1 << sbit) - 1
    check(read(write_png(tmp_path / "a.png", grey(white, np.uint16), sbit), SMALL), 0.25, 1.0)
    check(read(write_png(tmp_path / "b.png", colours(white), sbit), SMALL), LEFT, RIGHT, 3)


@pytest.mark.parametrize("alpha", [4095, 65535])
def test_so_it_is_with_alpha_of_as_many_bits_or_of_16(alpha, tmp_path, read):
    path = write_png(tmp_path / "a.png", colours(4095, alpha=alpha), 12)
    check(read(path, SMALL), LEFT, RIGHT, 3)


@pytest.mark.parametrize("sbit", [None, 8, 12, 16])
def test_a_png_that_is_scaled_to_16_bits_as_the_standard_has_it_stays_as_it_is(sbit, tmp_path, read):
    check(read(write_png(tmp_path / "a.png", grey(65535, np.uint16), sbit), SMALL), 0.25, 1.0)
    check(read(write_png(tmp_path / "b.png", colours(65535), sbit), SMALL), LEFT, RIGHT)


def test_a_dark_png_without_such_a_statement_stays_dark(tmp_path, read):
    check(read(write_png(tmp_path / "a.png", grey(0x400, np.uint16)), SMALL), 1 / 255, 4 / 255, 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("white", [1023, 4095, 16383, 65535])
def test_a_grey_tiff_of_any_depth_in_16_bits(white, deflated, order, tmp_path, read):
    path = write_tiff(tmp_path / "a.tiff", grey(white, np.uint16), order=order, deflated=deflated)
    check(read(path, SMALL), 0.25, 1.0)


@pytest.mark.parametrize("order", "<>")
def test_a_grey_tiff_of_12_packed_bits(order, tmp_path, read):
    path = write_tiff(tmp_path / "a.tiff", grey(4095, np.uint16), order=order, packed_bits=12)
    check(read(path, SMALL), 0.25, 1.0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("arranged", ["", "planar", "deflated", "planar deflated", "rows", "planar rows"])
@pytest.mark.parametrize("white", [1023, 4095, 65535])
def test_a_colour_tiff_of_16_bits_however_it_is_arranged(white, arranged, order, tmp_path, read):
    options = {"planar": "planar" in arranged, "deflated": "deflated" in arranged}
    rows = 5 if "rows" in arranged else None
    for name, values in (("rgb", colours(white)), ("rgba", colours(white, alpha=white))):
        path = write_tiff(tmp_path / f"{name}.tiff", values, order=order, rows=rows, **options)
        if options["planar"] and white < 65535:
            assert read(path, SMALL).reason == "10 or 12 bits a sample in planes of 16 bits are not read"
            continue
        check(read(path, SMALL), LEFT, RIGHT, 3)


@pytest.mark.parametrize("planar", [False, True])
def test_a_cmyk_tiff_of_16_bits(planar, tmp_path, read):
    values = np.zeros((32, 32, 4), np.uint16)
    values[:, :16, 1:3], values[:, 16:, 3] = 65535, 32768
    path = write_tiff(tmp_path / "a.tiff", values, photometric=5, planar=planar)
    check(read(path, SMALL), [1, 0, 0], 0.5)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize(
    "white, kind",
    [(255, np.uint8), (1023, np.uint16), (4095, np.uint16), (65535, np.uint16), (1, np.float32)],
    ids=str,
)
def test_white_may_be_zero(white, kind, deflated, order, tmp_path, read):
    values = grey(white, kind, left=1.0, right=0.25)
    path = write_tiff(tmp_path / "a.tiff", values, photometric=0, order=order, deflated=deflated)
    check(read(path, SMALL), 0.0, 0.75)


@pytest.mark.parametrize("order", "<>")
def test_so_it_may_be_in_12_packed_bits(order, tmp_path, read):
    values = grey(4095, np.uint16, left=1.0, right=0.25)
    path = write_tiff(tmp_path / "a.tiff", values, photometric=0, order=order, packed_bits=12)
    check(read(path, SMALL), 0.0, 0.75)


def marked(mark, share, kind=np.float32, low=0.0, high=1.0):
    """Grey halves with marks for "no value" in the lower right corner."""
    rng = np.random.default_rng(0)
    values = np.full((64, 64), low + 0.25 * (high - low), kind)
    values[:, 32:] = low + 0.75 * (high - low)
    values[0, 0], values[0, 63] = low, high
    values += (rng.random((64, 64)) * 1e-3 * (high - low)).astype(kind)
    count = max(1, int(share * 8))
    values[64 - count :, 64 - count :] = mark
    return values


@pytest.mark.parametrize("mark", [np.nan, np.inf, -np.inf, -9999.0, -3.4e38, 1e30, 32767.0])
@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("low, high", [(0, 1), (0, 255), (-50, 50), (200, 1500)])
def test_marks_for_no_value_do_not_spoil_the_rest(mark, share, low, high, tmp_path, read):
    path = write_tiff(tmp_path / "a.tiff", marked(mark, share, low=low, high=high))
    result = read(path, SMALL)
    assert isinstance(result, Photo), result
    assert np.abs(result.pixels[1:7, 1:3].astype(int) - 64).max() <= 4
    assert np.abs(result.pixels[1:6, 5:7].astype(int) - 191).max() <= 4


def test_a_stated_mark_may_be_any_number(tmp_path, read):
    values = marked(2.0, 1, low=0, high=1)
    path = write_tiff(tmp_path / "a.tiff", values, extra=((42113, 2, b"2\0"),))
    assert np.abs(read(path, SMALL).pixels[1:7, 1:3].astype(int) - 64).max() <= 4


@pytest.mark.parametrize("values", [np.full((9, 9), np.nan), np.full((9, 9), 3.0), np.full((9, 9), -1.0)])
def test_nothing_but_marks_or_one_value_is_a_flat_picture(values, tmp_path, read):
    result = read(write_tiff(tmp_path / "a.tiff", values.astype(np.float32)), SMALL)
    assert isinstance(result, Photo), result
    assert np.ptp(result.pixels) == 0


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_signed_numbers_span_from_black_to_white(kind, tmp_path, read):
    values = np.tile(np.linspace(-3000, 1000, 32), (32, 1)).astype(kind)
    result = read(write_tiff(tmp_path / "a.tiff", values), SMALL)
    assert result.pixels[0, 0, 0] < 20 and result.pixels[0, 7, 0] > 235


def test_what_no_reader_has_is_skipped_and_says_so(tmp_path, read):
    for name, values in (("float colours", colours(1, np.float32)), ("double", grey(1, np.float64))):
        result = read(write_tiff(tmp_path / f"{name}.tiff", values), SMALL)
        assert isinstance(result, Skipped)
        assert result.reason == "damaged, or an unsupported variant of its format: unknown pixel mode"


def test_a_thumbnail_is_as_bright_as_the_square(tmp_path, read, pool):
    from io import BytesIO

    from PIL import Image

    from lookalike.decode.requests import ThumbnailRequest

    path = write_tiff(tmp_path / "a.tiff", colours(4095))
    with Image.open(BytesIO(pool.thumbnail(ThumbnailRequest(str(path), 64)))) as shown:
        left = np.asarray(shown)[:, :12].mean((0, 1)) / 255
    assert np.abs(left - LEFT).max() < 0.05
