"""Every row of the table in docs/formats.md, on a file of its kind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import large
import numpy as np
import pytest
from pictures import jpeg_header, png_chunk
from PIL import Image, features
from raws import MAKERS, picture
from test_beside import ARITHMETIC, bad_sum, with_chunk
from test_depths import colours, grey, marked, write_png
from test_formats import NO_EXTRA
from tiffs import write_tiff

from lookalike.records import Photo

TABLE = Path(__file__).parents[2] / "docs" / "formats.md"
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ((?:read|skipped)[^|]*) \|$", TABLE.read_text(), re.MULTILINE)
PHOTO = picture((96, 64))[0]


def saved(*modes, ending, **options):
    """Files of one format in several modes."""

    def write(folder):
        for mode in modes:
            PHOTO.convert(mode).save(folder / f"{mode}.{ending}", **options)

    return write


def several(ending, **options):
    def write(folder):
        pages = [PHOTO, PHOTO.transpose(Image.Transpose.ROTATE_180)]
        pages[0].save(folder / f"a.{ending}", save_all=True, append_images=pages[1:], **options)

    return write


def content(make):
    return lambda folder: [(folder / str(at)).write_bytes(each) for at, each in enumerate(make())]


def tiffs(*values, **options):
    return lambda folder: [
        write_tiff(folder / f"{at}.tiff", each, **options) for at, each in enumerate(values)
    ]


def with_extra(module, ending):
    def write(folder):
        pytest.importorskip(module)
        if module == "pillow_heif":
            import pillow_heif

            pillow_heif.register_heif_opener()
        PHOTO.save(folder / f"a.{ending}")

    return write


def jpeg():
    return picture()[1]


def png():
    from io import BytesIO

    file = BytesIO()
    PHOTO.save(file, "PNG")
    return file.getvalue()


def cut_pixels():
    return [png()[: len(png()) // 2]]


def psd(bits):
    """A white PSD of 8 × 8 pixels without layers."""
    head = b"8BPS\0\1" + bytes(6) + (3).to_bytes(2, "big") + (8).to_bytes(4, "big") * 2
    return (
        head
        + bits.to_bytes(2, "big")
        + (3).to_bytes(2, "big")
        + bytes(12)
        + b"\0\0"
        + b"\xff" * (192 * bits // 8)
    )


def twelve_bits():
    return [jpeg_header(64, 64).replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc1\x00\x0b\x0c")]


MADE = {
    "JPEG grey or colours, 8 bits": saved("L", "RGB", ending="jpg"),
    "JPEG progressive": saved("RGB", ending="jpg", progressive=True),
    "JPEG CMYK": saved("CMYK", ending="jpg"),
    "JPEG arithmetic-coded": content(lambda: [ARITHMETIC]),
    "JPEG behind a line feed, headers or up to 16 stray bytes": content(
        lambda: [b"\n" + jpeg(), b"A: b\r\n\r\n" + jpeg(), bytes(16) + jpeg()]
    ),
    "JPEG 12 bits": content(twelve_bits),
    "JPEG cut off": content(lambda: [jpeg()[: len(jpeg()) // 2]]),
    "PNG black and white, grey, palette, colours, with or without alpha": saved(
        "1", "L", "LA", "P", "RGB", "RGBA", ending="png"
    ),
    "PNG 16 bits, all or some of them used (sBIT)": lambda folder: [
        write_png(folder / f"{bits}.png", values(white), bits)
        for bits, white in ((None, 65535), (12, 4095))
        for values in (lambda white: grey(white, np.uint16), colours)
    ],
    "PNG animated": several("png"),
    "PNG with megabytes of text or a wrong checksum beside the pixels": content(
        lambda: [
            with_chunk(png(), png_chunk(b"tEXt", b"a\0" + bytes(3 << 20))),
            with_chunk(png(), bad_sum(png_chunk(b"tEXt", b"a\0b"))),
        ]
    ),
    "PNG with damage in the pixels": content(cut_pixels),
    "TIFF 1 to 8 bits, grey, palette, colours, CMYK, YCbCr, LAB": saved(
        "1", "L", "P", "RGB", "CMYK", "YCbCr", ending="tiff"
    ),
    "TIFF 12 bits, and 10, 12, 14 or 16 in 16, grey": lambda folder: [
        write_tiff(folder / "packed.tiff", grey(4095, np.uint16), packed_bits=12),
        tiffs(*(grey(white, np.uint16) for white in (1023, 4095, 16383, 65535)))(folder),
    ],
    "TIFF 10, 12 or 16 bits in 16, colours": tiffs(*(colours(white) for white in (1023, 4095, 65535))),
    "TIFF 16 bits, in planes": tiffs(colours(65535), planar=True),
    "TIFF 10 or 12 bits in 16, colours in planes": tiffs(colours(1023), colours(4095), planar=True),
    "TIFF whole numbers of 32 bits, signed ones, floats of 32 bits": tiffs(
        grey(1000, np.int32), grey(-500, np.int16), grey(1, np.float32)
    ),
    "TIFF floats with marks for no value": tiffs(marked(np.nan, 1), marked(-9999, 1)),
    "TIFF colours as floats, floats of 64 bits": tiffs(colours(1, np.float32), grey(1, np.float64)),
    "TIFF several pages": several("tiff"),
    "WebP lossy, lossless, with alpha": lambda folder: [
        saved("RGB", "RGBA", ending="webp")(folder),
        PHOTO.save(folder / "lossless.webp", lossless=True),
    ],
    "GIF still or animated": lambda folder: [several("gif")(folder), PHOTO.save(folder / "still.gif")],
    "BMP palette or colours": saved("P", "RGB", ending="bmp"),
    "AVIF 8 bits": saved("RGB", "RGBA", ending="avif"),
    "JPEG 2000 jp2 and codestreams, 8 and 16 bits": lambda folder: [
        saved("L", "RGB", "RGBA", ending="jp2")(folder),
        saved("RGB", ending="j2k")(folder),
        Image.fromarray(grey(65535, np.uint16)).save(folder / "deep.jp2"),
    ],
    "PSD 8 bits, with its flattened picture": content(lambda: [psd(8)]),
    "PSD 16 bits": content(lambda: [psd(16)]),
    "HEIC with the extra `heic`": with_extra("pillow_heif", "heic"),
    "JPEG XL where `pillow-jxl-plugin` is installed (GPL, so no extra)": with_extra("pillow_jxl", "jxl"),
    "RAW CR2, CR3, CRW, NEF, ARW, DNG, RAF, ORF, RW2 with an embedded picture": content(
        lambda: [make(jpeg()) for make in MAKERS.values()]
    ),
    "RAW without one of at least 200 pixels a side": content(
        lambda: [make(picture((160, 120))[1]) for make in MAKERS.values()]
    ),
    "any over 250 megapixels": content(lambda: [jpeg_header(20_000, 20_000)]),
    "any needing over 768 MiB to decode": content(lambda: [large.webp_header(15_000, 15_000)]),
}
WITHOUT = {"HEIC without": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "JPEG XL without": b"\xff\x0a" + bytes(9)}


def test_the_table_has_no_row_without_a_file():
    assert {f"{name} {kind}" for name, kind, _ in ROWS} == set(MADE) | set(WITHOUT)


@pytest.mark.parametrize("name, kind, outcome", ROWS)
def test_a_row_is_true(name, kind, outcome, tmp_path, read):
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    key = f"{name} {kind}"
    if key in WITHOUT:
        (tmp_path / "a").write_bytes(WITHOUT[key] + bytes(100))
        command = [sys.executable, "-c", NO_EXTRA, str(tmp_path / "a")]
        reason = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert outcome.removeprefix("skipped: ") in reason
        return
    MADE[key](tmp_path)
    paths = [path for path in tmp_path.iterdir() if path.is_file()]
    assert paths
    for path in paths:
        result = read(path)
        if outcome.startswith("read"):
            assert isinstance(result, Photo), (path, result)
        else:
            assert outcome.removeprefix("skipped: ") in result.reason
