"""Awkward files: each is a photo or is skipped with a reason."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from lookalike.decode.pool import DecodeLimits, DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.records import Photo, Skipped, View


def read_all(paths: list[Path], pool: DecodePool) -> list[Photo | Skipped]:
    return list(pool.photos(PhotoRequest(path.name, str(path), View(224)) for path in paths))


def told(result: Photo | Skipped) -> object:
    if isinstance(result, Skipped):
        return result
    assert result.pixels is not None
    return result.uri, result.stamp, result.content_hash, result.pixels.tobytes(), result.metadata


def test_every_odd_file_is_a_photo_or_skipped_with_a_reason_the_same_each_time(shared_data, worker_processes):
    paths = sorted(path for path in (shared_data / "odd").rglob("*") if path.is_file())
    assert len(paths) == 265
    limits = DecodeLimits(memory_bytes=1 << 30)
    with DecodePool(workers=2, limits=limits) as pool:
        results = read_all(paths, pool)
        workers = worker_processes()
        if sys.platform == "linux":
            assert max(peak_address_space(worker.pid) for worker in workers) <= limits.memory_bytes
        again = read_all(paths, pool)
        assert {each.pid for each in worker_processes()} == {each.pid for each in workers}  # none died
    assert [told(each) for each in again] == [told(each) for each in results]
    assert [each.uri for each in results] == [path.name for path in paths]
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, Skipped):
            assert result.reason and result.reason.isprintable() and len(result.reason) <= 200
            assert result.lasting
        else:
            assert result.pixels is not None and result.pixels.shape == (224, 224, 3)
            assert result.content_hash == hashlib.sha256(path.read_bytes()).digest()
            assert result.stamp.size == path.stat().st_size


def peak_address_space(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("VmPeak:")[1].split()[0])


@pytest.mark.parametrize(
    "name, reason",
    [
        ("pillow/truncated_jpeg.jpg", "truncated"),
        ("pillow/truncated_image.png", "truncated"),
        ("pillow/hopper.ppm", "not a photo in a format that is read"),
        ("pillow/decompression_bomb.gif", "over the limit of 250 megapixels"),
        ("pngsuite/xdtn0g01.png", "damaged"),
        ("pngsuite/xs1n0g01.png", "not a photo in a format that is read"),
    ],
)
def test_the_reason_says_what_is_wrong(name, reason, shared_data, read):
    result = read(shared_data / "odd" / name)
    assert isinstance(result, Skipped)
    assert reason in result.reason


def test_damaged_pngs_are_skipped(shared_data, read):
    suite = sorted((shared_data / "odd" / "pngsuite").glob("x*.png"))
    assert len(suite) == 14
    photos = [path.name for path in suite if isinstance(read(path), Photo)]
    assert photos in ([], ["xcsn0g01.png"])  # only the checksum of its pixels is wrong


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty file"),
        (b"not a photo at all", "not a photo in a format that is read"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "damaged"),
        (b"RIFF\x10\x00\x00\x00WEBP" + bytes(8), "damaged"),
        (b"II*\x00\xff\xff\xff\xff", "damaged"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(80), "not a photo in a format that is read"),
    ],
)
def test_scraps_are_skipped(content, reason, tmp_path, read):
    path = tmp_path / "scrap.jpg"
    path.write_bytes(content)
    result = read(path)
    assert isinstance(result, Skipped)
    assert reason in result.reason


def test_a_photo_cut_off_anywhere_is_skipped(tmp_path, make_photo, read):
    for suffix in (".jpg", ".png"):
        whole = make_photo(tmp_path / f"whole{suffix}", 1, size=(256, 256)).read_bytes()
        for share in (0.1, 0.5, 0.9):
            path = tmp_path / f"cut{suffix}"
            path.write_bytes(whole[: int(len(whole) * share)])
            result = read(path)
            assert isinstance(result, Skipped), (suffix, share)
            assert "truncated" in result.reason or share == 0.1
