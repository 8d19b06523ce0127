"""No picture takes more than 768 MiB of a worker; what would is skipped and says so."""

from __future__ import annotations

import sys
from pathlib import Path

import large
import pytest
from PIL import Image, features

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest, ThumbnailRequest
from lookalike.records import Photo, Skipped, View

LIMIT = 768 << 20
CROP, STEPS = View(224), View(224, fit="steps", short_side=256)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a worker from /proc")

READ = {
    "grey.png": lambda path: large.png(path, 16_000, 15_000),
    "grey of 16 bits.png": lambda path: large.png(path, 16_000, 15_000, bits=16),
    "palette.png": lambda path: large.png(path, 16_000, 15_000, colour=3),
    "colours.png": lambda path: large.png(path, 13_000, 12_000, colour=2),
    "colours of 16 bits.png": lambda path: large.png(path, 13_000, 12_000, colour=2, bits=16),
    "interlaced.png": lambda path: large.png(path, 13_000, 12_000, colour=2, interlaced=True),
    "clear.png": lambda path: large.png(path, 13_000, 12_000, colour=6),
    "baseline.jpg": lambda path: large.jpeg(path, 16_320, 12_240),
    "full colour.jpg": lambda path: large.jpeg(path, 16_320, 12_240, sampling=0x11),
    "progressive.jpg": lambda path: large.jpeg(path, 16_320, 12_240, scans="progressive"),
    "separate scans.jpg": lambda path: large.jpeg(path, 16_320, 12_240, scans="separate"),
    "one strip.tiff": lambda path: large.tiff(path, 12_000, 12_000),
    "strips.tiff": lambda path: large.tiff(path, 12_000, 12_000, strips=100),
    "grey of 16 bits.tiff": lambda path: large.tiff(path, 16_000, 15_000, samples=1, bits=16, strips=100),
    "deflated strips.tiff": lambda path: large.tiff(path, 12_000, 12_000, strips=100, deflated=True),
    "on its side.tiff": lambda path: large.tiff(path, 9_000, 8_000, strips=50, turned=6),
    "true colours.bmp": lambda path: large.bmp(path, 12_000, 12_000),
}
REFUSED = {
    "colours.png": lambda path: large.png(path, 16_000, 15_000, colour=2),
    "clear.png": lambda path: large.png(path, 16_000, 15_000, colour=6, bits=16),
    "progressive.jpg": lambda path: large.jpeg(path, 16_320, 12_240, sampling=0x11, scans="progressive"),
    "separate scans.jpg": lambda path: large.jpeg(path, 16_320, 12_240, sampling=0x11, scans="separate"),
    "two strips.tiff": lambda path: large.tiff(path, 12_000, 12_000, strips=2),
    "deflated at once.tiff": lambda path: large.tiff(path, 12_000, 12_000, deflated=True),
    "on its side.tiff": lambda path: large.tiff(path, 11_000, 11_000, strips=100, turned=6),
    "true colours.bmp": lambda path: large.bmp(path, 15_000, 15_000),
    "lossless.webp": lambda path: path.write_bytes(large.webp_header(15_000, 15_000)) and path,
}


@pytest.fixture
def peak(worker_processes):
    """Read with a worker of its own; return the result and the most memory that it ever had."""

    def peak(ask) -> tuple[object, int]:
        with DecodePool(workers=1) as pool:
            result = ask(pool)
            (worker,) = worker_processes()
            status = Path(f"/proc/{worker.pid}/status").read_text()
            return result, 1024 * int(status.split("VmHWM:")[1].split()[0])

    return peak


def photo(path, view):
    return lambda pool: pool.photo(PhotoRequest(str(path), str(path), view))


QUICK = {"lossless.webp", "palette.png", "progressive.jpg", "grey of 16 bits.tiff"}


def some_slow(names):
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("view", [CROP, pytest.param(STEPS, marks=pytest.mark.slow)], ids=["crop", "steps"])
@pytest.mark.parametrize("name", some_slow(READ))
def test_a_large_picture_is_read_in_bounded_memory(name, view, tmp_path, peak):
    path = READ[name](tmp_path / name)
    result, most = peak(photo(path, view))
    assert isinstance(result, Photo), result
    assert most < LIMIT


@pytest.mark.parametrize("name", some_slow(["grey.png", "palette.png", "full colour.jpg", "progressive.jpg"]))
def test_a_thumbnail_takes_no_more(name, tmp_path, peak):
    path = READ[name](tmp_path / name)
    result, most = peak(lambda pool: pool.thumbnail(ThumbnailRequest(str(path), 320)))
    assert isinstance(result, bytes), result
    assert most < LIMIT


@pytest.mark.parametrize("name", some_slow(REFUSED))
def test_what_cannot_be_read_in_that_memory_is_skipped_for_that_reason(name, tmp_path, peak):
    path = REFUSED[name](tmp_path / name)
    result, most = peak(photo(path, CROP))
    assert isinstance(result, Skipped)
    assert "MiB of memory to decode, a worker may use 768" in result.reason
    assert result.lasting
    assert most < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["avif", "webp", "gif", "jp2", "heic", "jxl"])
def test_formats_that_decode_in_one_go_stay_within_it(ending, tmp_path, peak):
    """Of as many pixels as the cost that is reckoned lets through."""
    if ending == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if ending == "jxl":
        pytest.importorskip("pillow_jxl")
    if ending in ("avif", "webp", "jp2") and not features.check({"jp2": "jpg_2000"}.get(ending, ending)):
        pytest.skip(f"this Pillow has no {ending}")
    image = Image.radial_gradient("L").resize((7_000, 5_500), Image.Resampling.BILINEAR)
    image = image if ending == "gif" else image.convert("RGB")
    options = {"avif": {"speed": 10}, "webp": {"method": 0}, "jxl": {"effort": 1}}.get(ending, {})
    image.save(tmp_path / f"a.{ending}", **options)
    result, most = peak(photo(tmp_path / f"a.{ending}", STEPS))
    assert isinstance(result, Photo), result
    assert most < LIMIT
