"""Photos that come as bytes are decoded as files are, and no more of them are held than was agreed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lookalike.decode import pool as pools
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.records import FileStamp, Photo, Skipped, View

VIEW, STAMP = View(32), FileStamp(7, 123)


@pytest.fixture(scope="module")
def pool():
    with DecodePool(workers=2) as made:
        yield made


def test_bytes_give_what_their_file_gives(pool, tmp_path, make_photo):
    path = make_photo(tmp_path / "1.png", 1)
    content = path.read_bytes()
    (near,) = pool.photos([PhotoRequest(str(path), str(path), VIEW)])
    far, copy = pool.photos(
        [
            PhotoRequest(
                "s3://b/1.png", "", VIEW, stamp=STAMP, content=content, facts={"label": 3, "width": 9}
            ),
            PhotoRequest("s3://b/1.png", str(path), VIEW, stamp=STAMP, is_copy=True),
        ]
    )
    assert isinstance(near, Photo) and isinstance(far, Photo) and isinstance(copy, Photo)
    assert np.array_equal(near.pixels, far.pixels) and np.array_equal(near.pixels, copy.pixels)
    assert far.metadata == {**near.metadata, "label": 3} and copy.metadata == near.metadata
    assert far.stamp == copy.stamp == STAMP != near.stamp
    assert (far.uri, far.content_hash) == ("s3://b/1.png", near.content_hash)


def test_bytes_that_are_known_are_not_decoded(pool, tmp_path, make_photo):
    content = make_photo(tmp_path / "1.png", 1).read_bytes()
    known = hashlib.sha256(content).digest()
    (photo,) = pool.photos([PhotoRequest("x", "", VIEW, (known,), STAMP, content, facts={"label": 3})])
    assert photo.pixels is None and photo.metadata["width"] == 96 and photo.metadata["label"] == 3
    (bad,) = pool.photos([PhotoRequest("x", "", VIEW, (), STAMP, b"no photo")])
    assert isinstance(bad, Skipped) and bad.stamp == STAMP and bad.lasting


def test_large_contents_are_not_taken_far_ahead(pool, tmp_path, make_photo, monkeypatch):
    content = make_photo(tmp_path / "1.png", 1).read_bytes()
    monkeypatch.setattr(pools, "_MOST_AHEAD", 5 * len(content))
    monkeypatch.setattr(pools, "_MOST_IN_CHUNK", 2 * len(content))
    taken = 0

    def requests():
        nonlocal taken
        for n in range(60):
            taken += 1
            yield PhotoRequest(str(n), "", VIEW, stamp=STAMP, content=content)

    for at, photo in enumerate(pool.photos(requests())):
        assert photo.uri == str(at)
        assert taken - at <= 8  # what may be ahead, and a chunk more
    assert taken == 60
