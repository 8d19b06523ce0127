"""What one file may cost, and what becomes of those beside it."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import replace

import psutil
import pytest
from pictures import gif_header, jpeg_header, png_chunk, png_header

from lookalike.decode.pool import DecodeLimits, DecodePool
from lookalike.decode.requests import PhotoRequest, ThumbnailRequest
from lookalike.records import FileStamp, Photo, Skipped, View

VIEW = View(32)


def request(path, **more):
    return PhotoRequest(str(path), str(path), VIEW, **more)


@pytest.fixture
def chunk(tmp_path, make_photo):
    """Seven photos, which fill a task together with one more file."""
    return [make_photo(tmp_path / f"{seed}.png", seed) for seed in range(7)]


def check_only_the_bad_one_is_skipped(results, bad, reason, *, lasting):
    skipped = [each for each in results if isinstance(each, Skipped)]
    assert [(each.uri, each.lasting) for each in skipped] == [(str(bad), lasting)]
    assert reason in skipped[0].reason
    photos = [each for each in results if isinstance(each, Photo)]
    assert all(each.pixels is not None for each in photos)
    assert len(photos) == len(results) - 1


def test_a_file_that_needs_too_much_memory_is_skipped_alone(huge_png, chunk):
    files = [*chunk[:3], huge_png, *chunk[3:]]
    with DecodePool(workers=1, limits=DecodeLimits(memory_bytes=256 << 20)) as pool:
        results = list(pool.photos(map(request, files)))
    check_only_the_bad_one_is_skipped(results, huge_png, "memory", lasting=True)


def test_the_same_file_is_read_where_the_limit_allows_it(huge_png, read):
    result = read(huge_png)
    assert isinstance(result, Photo)
    assert (result.metadata["width"], result.metadata["height"]) == (16_000, 15_000)


@pytest.mark.parametrize(
    "name, content",
    [
        ("big.png", png_header(20_000, 20_000) + png_chunk(b"IDAT", b"x")),
        ("big.jpg", jpeg_header(20_000, 20_000)),
        ("big.gif", gif_header(65_535, 65_535)),
    ],
    ids=["png", "jpeg", "gif"],
)
def test_more_than_250_megapixels_are_refused_by_the_header(name, content, tmp_path, read):
    path = tmp_path / name
    path.write_bytes(content)
    size = "65,535 × 65,535" if name.endswith("gif") else "20,000 × 20,000"
    assert read(path).reason == f"{size} pixels: over the limit of 250 megapixels"


def test_a_file_that_takes_too_long_is_skipped_alone_and_tried_again_later(huge_png, chunk):
    files = [*chunk, huge_png]
    with DecodePool(workers=1, limits=DecodeLimits(seconds=0.2)) as pool:
        results = list(pool.photos(map(request, files)))
    skipped = next(each for each in results if isinstance(each, Skipped) and each.uri == str(huge_png))
    assert skipped.reason == "decoding it took longer than 0.2 s"
    assert not skipped.lasting


def test_a_hanging_worker_costs_no_photo(chunk, worker_processes):
    with DecodePool(workers=1, limits=DecodeLimits(seconds=2)) as pool:
        assert isinstance(pool.photo(request(chunk[0])), Photo)
        (worker,) = worker_processes()
        worker.suspend()
        results = list(pool.photos(map(request, chunk)))
        assert worker.pid not in {each.pid for each in worker_processes()}
    assert all(isinstance(each, Photo) for each in results)


def test_a_file_that_kills_its_worker_is_skipped_alone(huge_png, chunk, worker_processes):
    done = threading.Event()

    def kill_whoever_reads_it():
        while not done.is_set():
            for worker in worker_processes():
                try:
                    if str(huge_png) in {each.path for each in worker.open_files()}:
                        worker.kill()
                except psutil.Error:
                    continue  # it is gone already
            time.sleep(0.01)

    killer = threading.Thread(target=kill_whoever_reads_it)
    with DecodePool(workers=1) as pool:
        killer.start()
        try:
            results = list(pool.photos(map(request, [*chunk[:4], huge_png, *chunk[4:]])))
        finally:
            done.set()
            killer.join()
    check_only_the_bad_one_is_skipped(results, huge_png, "killed its worker", lasting=False)


def test_idle_workers_that_are_killed_cost_nothing(chunk, worker_processes):
    with DecodePool(workers=2) as pool:
        list(pool.photos(map(request, chunk * 4)))
        for worker in worker_processes():
            worker.kill()
            worker.wait()
        assert all(isinstance(each, Photo) for each in pool.photos(map(request, chunk)))


def test_workers_killed_again_and_again_cost_at_most_a_photo_each(chunk, worker_processes):
    results, kills = [], 0
    with DecodePool(workers=2) as pool:
        for result in pool.photos(map(request, chunk * 200)):
            results.append(result)
            if len(results) % 100 == 0:
                random.choice(worker_processes()).kill()
                kills += 1
    assert kills == 14
    assert [each.uri for each in results] == [str(path) for path in chunk * 200]
    skipped = [each for each in results if isinstance(each, Skipped)]
    assert len(skipped) <= kills
    assert {each.reason for each in skipped} <= {"decoding it killed its worker process"}


def test_a_pipe_that_took_the_name_of_a_photo_does_not_hang(tmp_path, read):
    os.mkfifo(tmp_path / "photo.jpg")
    assert read(tmp_path / "photo.jpg").reason == "not a regular file"


def test_a_folder_is_no_photo(tmp_path, read):
    assert read(tmp_path).reason == "a folder, not a photo"


def test_a_file_larger_than_the_limit_is_not_read(tmp_path, read):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert read(path).reason == "larger than 1,024 MiB"


def test_a_file_that_is_gone_is_tried_again_later(tmp_path, read):
    result = read(tmp_path / "gone.jpg")
    assert result == Skipped(result.uri, "no such file", None, lasting=False)


def test_known_content_is_not_decoded(tmp_path, make_photo, pool):
    path = make_photo(tmp_path / "a.png", 1)
    first = pool.photo(request(path))
    second = pool.photo(request(path, known=(b"\0" * 32, first.content_hash)))
    assert second.pixels is None
    assert second == replace(first, pixels=None, grey=None)


def test_the_stamp_of_a_refused_file_comes_back(tmp_path, pool):
    (tmp_path / "a.txt").write_text("no photo")
    stamp = FileStamp(8, 123)
    assert pool.photo(request(tmp_path / "a.txt", stamp=stamp)).stamp == stamp


def test_thumbnails_are_upright_jpegs_and_failures_are_told(tmp_path, make_photo, pool):
    from io import BytesIO

    from PIL import Image

    path = make_photo(tmp_path / "a.png", 1, size=(400, 100))
    with Image.open(BytesIO(pool.thumbnail(ThumbnailRequest(str(path), 200)))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (200, 50))
    (tmp_path / "a.txt").write_text("no photo")
    refused = pool.thumbnail(ThumbnailRequest(str(tmp_path / "a.txt"), 200))
    assert (refused.reason, refused.lasting) == ("not a photo in a format that is read", True)


def test_results_keep_the_order_and_read_a_bounded_number_ahead(chunk):
    asked = []

    def endless():
        for number in range(10_000):
            asked.append(number)
            path = chunk[number % 7]
            yield PhotoRequest(str(number), str(path), VIEW)

    with DecodePool(workers=2) as pool:
        results = pool.photos(endless())
        assert [next(results).uri for _ in range(100)] == [str(number) for number in range(100)]
        assert len(asked) < 300
        results.close()


def test_workers_that_cannot_start_are_one_clear_error(chunk):
    from lookalike.errors import LookalikeError

    with (
        DecodePool(workers=1, limits=DecodeLimits(memory_bytes=1 << 20)) as pool,
        pytest.raises(LookalikeError, match="decode workers cannot start, given 1 MiB of memory each"),
    ):
        pool.photo(request(chunk[0]))


def test_a_closed_pool_starts_anew(chunk):
    pool = DecodePool(workers=1)
    for _ in range(2):
        assert isinstance(pool.photo(request(chunk[0])), Photo)
        pool.close()
    pool.close()


def test_several_threads_share_a_pool(chunk, worker_processes):
    results = []
    with DecodePool(workers=2) as pool:
        threads = [
            threading.Thread(target=lambda: results.extend(pool.photos(map(request, chunk))))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(worker_processes()) <= 2
    assert len(results) == 42
    assert all(isinstance(each, Photo) for each in results)
    assert not worker_processes()
