"""The cache of thumbnails: bounded, shared, and never in the way."""

from __future__ import annotations

import pytest

from lookalike.faces.server.thumbnails import ThumbnailCache


@pytest.fixture
def cache(tmp_path):
    cache = ThumbnailCache(tmp_path)
    yield cache
    cache.close()


def test_what_was_put_is_there_again_after_opening_anew(tmp_path, cache):
    cache.put("a", 320, b"small")
    cache.put("a", 640, b"large")
    cache.put("a", 320, b"newer")
    cache.close()
    again = ThumbnailCache(tmp_path)
    assert (again.get("a", 320), again.get("a", 640), again.get("b", 320)) == (b"newer", b"large", None)
    again.close()


def test_the_oldest_make_room(tmp_path):
    cache = ThumbnailCache(tmp_path, max_bytes=1000)
    for number in range(25):
        cache.put(str(number), 320, bytes(100))
    kept = [number for number in range(25) if cache.get(str(number), 320)]
    assert kept == list(range(kept[0], 25)) and 8 <= len(kept) <= 10
    cache.close()


def test_two_servers_share_it(tmp_path, cache):
    other = ThumbnailCache(tmp_path)
    cache.put("a", 320, b"one")
    assert other.get("a", 320) == b"one"
    other.close()


@pytest.mark.parametrize("damage", ["header", "middle", "text"])
def test_a_damaged_file_is_started_anew(tmp_path, cache, damage):
    for number in range(50):
        cache.put(str(number), 320, bytes([number]) * 3000)
    cache.close()
    path = tmp_path / "thumbnails.sqlite"
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:100] = bytes(100)
    elif damage == "middle":
        content[4096:20_000] = b"\xff" * (20_000 - 4096)
    else:
        content = bytearray(b"not a database at all" * 500)
    path.write_bytes(content)
    again = ThumbnailCache(tmp_path)
    again.put("new", 320, b"picture")
    again.put("newer", 320, b"picture")
    assert again.get("newer", 320) == b"picture"
    again.close()


def test_a_folder_that_cannot_be_written_to_is_no_hindrance(tmp_path):
    (tmp_path / "thumbnails.sqlite").mkdir()  # root may write anywhere else
    cache = ThumbnailCache(tmp_path)
    cache.put("a", 320, b"kept in memory")
    assert cache.get("a", 320) == b"kept in memory"
    cache.close()
