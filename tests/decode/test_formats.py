"""Formats are told by content; HEIC is read with its extra and explained without."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, features

from lookalike.decode.formats import HAS_HEIF, sniff
from lookalike.records import Photo

NO_EXTRA = """
import sys
sys.modules["pillow_heif"] = sys.modules["pillow_jxl"] = None  # not installed
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name.startswith("pillow_") else found(name, *more)
from lookalike.decode.requests import PhotoRequest
from lookalike.decode.worker import prepare_worker, read_photos
from lookalike.records import View
prepare_worker(1 << 40)
print(read_photos((PhotoRequest("", sys.argv[1], View(8)),))[0].reason)
"""


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"])
def test_a_format_is_told_by_its_first_bytes_whatever_the_name(format_, tmp_path, make_photo, read):
    if format_ == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / "misleading.txt"
    original = make_photo(tmp_path / "a.png", 1)
    with Image.open(original) as image:
        image.save(path, format_)
    assert sniff(path.read_bytes()[:64]) == format_
    result = read(path)
    assert isinstance(result, Photo)
    assert result.metadata == {"width": 96, "height": 64, "format": format_}
    assert np.abs(result.pixels.astype(int) - read(original).pixels).mean() < 8


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"RIFF\x10\0\0\0WAVE",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        b"\0\0\0\x14ftypqt  \0\0\0\0qt  heic",  # the brands end before "heic"
        b"8BPS",
        b"%PDF-1.7",
        b"<svg xmlns=",
        b"\0\0\0\x0cjP2 \r\n\x87\n",
    ],
)
def test_anything_else_is_no_photo(head):
    assert sniff(head) is None


def test_a_compatible_brand_is_enough():
    assert sniff(b"\0\0\0\x1cftypmsf1\0\0\0\0miafavis") == "AVIF"
    assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic") == "HEIF"


@pytest.mark.skipif(not HAS_HEIF, reason="pillow-heif is not installed")
def test_heic_is_read_upright(tmp_path, make_photo, read):
    import pillow_heif

    original = make_photo(tmp_path / "a.png", 1)
    path = tmp_path / "a.heic"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(original) as image:
        lying = image.transpose(Image.Transpose.ROTATE_90)
    pillow_heif.from_pillow(lying).save(path, exif=exif.tobytes(), quality=90)
    result = read(path)
    assert isinstance(result, Photo)
    assert result.metadata == {"width": 96, "height": 64, "format": "HEIF"}
    assert np.abs(result.pixels.astype(int) - read(original).pixels).mean() < 8


def test_heic_without_its_extra_says_what_to_install(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    command = [sys.executable, "-c", NO_EXTRA, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "HEIC photos need an optional package: pip install 'lookalike[heic]'\n"


def test_so_does_jpeg_xl(tmp_path):
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100))
    run = subprocess.run(
        [sys.executable, "-c", NO_EXTRA, str(path)], capture_output=True, text=True, check=True
    )
    wanted = "JPEG XL photos need a package that lookalike does not bring: pip install pillow-jxl-plugin\n"
    assert run.stdout == wanted
