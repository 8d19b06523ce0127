"""The cache of thumbnails: bounded, shared, and never in the way."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing

import pytest

from lookalike.faces.server.thumbnails import ThumbnailCache

FILE = "thumbnails.sqlite"


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


def picture_of(number):
    return random.Random(number).randbytes(2_000)


@pytest.fixture
def kept(tmp_path, cache):
    """A sound file of 12 thumbnails, one of them over several pages, as bytes."""
    for number in range(11):
        cache.put(f"{number:064x}", 320, picture_of(number))
    cache.put(f"{11:064x}", 1600, picture_of(11) * 10)
    cache.close()
    return (tmp_path / FILE).read_bytes()


def check_every_thumbnail(cache):
    """What is given is what was kept; what is not can be kept anew, at the second time at the latest."""
    wanted = {(f"{number:064x}", 320): picture_of(number) for number in range(11)}
    wanted[f"{11:064x}", 1600] = picture_of(11) * 10
    given = {key: cache.get(*key) for key in wanted}
    assert {key for key, picture in given.items() if picture not in (None, wanted[key])} == set()
    for _ in range(2):
        for key, picture in wanted.items():
            if cache.get(*key) is None:
                cache.put(*key, picture)
    assert {key: cache.get(*key) for key in wanted} == wanted
    return sum(picture is None for picture in given.values())


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_damaged_byte_wherever_never_gives_a_wrong_thumbnail(tmp_path, kept, mask):
    lost = []
    for at in [*range(200), *range(200, len(kept), 131)]:
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / (FILE + suffix)).unlink(missing_ok=True)
        (tmp_path / FILE).write_bytes(kept[:at] + bytes([kept[at] ^ mask]) + kept[at + 1 :])
        cache = ThumbnailCache(tmp_path)
        lost.append(check_every_thumbnail(cache))
        cache.close()
    assert {0, 1} < set(lost)  # most damage costs one thumbnail, not all


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_file_cut_short_never_gives_a_wrong_thumbnail(tmp_path, kept, share):
    (tmp_path / FILE).write_bytes(kept[: int(len(kept) * share)])
    cache = ThumbnailCache(tmp_path)
    check_every_thumbnail(cache)
    cache.close()


def test_damage_while_it_is_open_never_gives_a_wrong_thumbnail(tmp_path, kept):
    cache = ThumbnailCache(tmp_path)
    for at in range(0, len(kept), 397):
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(at)
            file.write(bytes([kept[at] ^ 0x40]))
        check_every_thumbnail(cache)
    cache.close()


def test_thumbnails_that_changed_places_are_not_given(tmp_path, kept):
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("UPDATE thumbnails SET content = 'x' WHERE n = 1")
        connection.execute("UPDATE thumbnails SET content = ? WHERE n = 2", (f"{0:064x}",))
        connection.execute("UPDATE thumbnails SET size = 640 WHERE n = 3")
        connection.commit()
    cache = ThumbnailCache(tmp_path)
    assert cache.get(f"{0:064x}", 320) is None and cache.get(f"{2:064x}", 640) is None
    assert cache.get(f"{3:064x}", 320) == picture_of(3)
    cache.close()


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_file_of_another_format_is_made_anew(tmp_path, version):
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute(
            "CREATE TABLE thumbnails (n INTEGER PRIMARY KEY, content TEXT NOT NULL, size INTEGER NOT NULL, "
            "picture BLOB NOT NULL, UNIQUE (content, size))"
        )
        connection.execute("INSERT INTO thumbnails (content, size, picture) VALUES ('a', 320, X'00')")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    cache = ThumbnailCache(tmp_path)
    assert cache.get("a", 320) is None
    cache.put("a", 320, b"made anew")
    cache.close()
    again = ThumbnailCache(tmp_path)
    assert again.get("a", 320) == b"made anew"
    again.close()


@pytest.mark.parametrize("opened", ["before", "meanwhile"])
def test_reading_does_not_wait_for_a_process_that_keeps(tmp_path, cache, opened):
    cache.put("a", 320, b"one")
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reader = cache if opened == "before" else ThumbnailCache(tmp_path)
        keeping = threading.Thread(target=reader.put, args=("b", 320, b"two"))
        keeping.start()
        assert reader.get("a", 320) == b"one"
        keeping.join(10)
        assert not keeping.is_alive() and reader.get("b", 320) is None
        other.execute("ROLLBACK")
    reader.put("b", 320, b"two")
    assert cache.get("b", 320) == b"two"
    reader.close()


def test_several_threads_share_it_whatever_happens_to_the_file(tmp_path, kept):
    cache = ThumbnailCache(tmp_path)
    wrong = []

    def use(seed):
        dice = random.Random(seed)
        for _ in range(150):
            number = dice.randrange(40)
            picture = cache.get(f"{number:064x}", 320)
            if picture not in (None, picture_of(number)):
                wrong.append(number)
            cache.put(f"{number:064x}", 320, picture_of(number))

    threads = [threading.Thread(target=use, args=[seed]) for seed in range(6)]
    for thread in threads:
        thread.start()
    for at in range(0, len(kept), 1_500):
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(at)
            file.write(b"\xff" * 40)
    for thread in threads:
        thread.join()
    cache.close()
    assert wrong == []
