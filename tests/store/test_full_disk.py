"""A disk that is full: one clear error, what was committed stays, and it goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from helpers import CountingDecoder, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError

pytestmark = pytest.mark.slow

DIM = 1024  # 4 KiB a photo


def opened(folder: Path) -> Collection:
    return Collection(folder, embedder=FakeEmbedder(DIM), decoder=CountingDecoder())


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 3 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk(small_disk, tmp_path, make_photo):
    count = 500
    for n in range(count):
        make_photo(tmp_path / "photos" / f"{n:03}.png", n, (8, 6))
    (small_disk / "ballast").write_bytes(bytes(1_500_000))
    path = small_disk / "photos.lookalike"
    told = []
    with opened(path) as collection:
        with pytest.raises(StorageError, match="is full; what was committed before is kept") as caught:
            collection.add(tmp_path / "photos", on_commit=told.append)
        assert "\n" not in str(caught.value)
        kept = {each.uri for each in told}
        assert 0 < len(kept) < count
        assert {uri for _, uri in rows_of(collection)} == kept
        assert collection.search(1, 5).hits[0].id != 1  # search goes on
        assert collection.verify().sound
        with pytest.raises(StorageError, match="is full"):
            collection.add(tmp_path / "photos")
        assert len(collection.search(1, 5)) == 5

        (small_disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
        report = collection.add(tmp_path / "photos")
        assert (report.added, report.unchanged) == (count - len(kept), len(kept))
        assert collection.verify().sound
        assert len(rows_of(collection)) == count


def test_a_collection_on_a_full_disk_opens_or_says_why(small_disk, tmp_path, make_photo):
    for n in range(50):
        make_photo(tmp_path / "photos" / f"{n:03}.png", n, (8, 6))
    path = small_disk / "photos.lookalike"
    with opened(path) as collection:
        collection.add(tmp_path / "photos")
    with (small_disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    with opened(path) as collection:
        try:
            assert len(collection.search(1, 5)) == 5
        except StorageError as error:
            assert "is full" in str(error)
    (small_disk / "ballast").unlink(missing_ok=True)
    with opened(path) as collection:
        assert len(collection.search(1, 5)) == 5
        assert collection.verify().sound


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with Collection(sys.argv[1], embedder=FakeEmbedder(1024), decoder=CountingDecoder()) as collection:
    try:
        collection.add(sys.argv[2], on_commit=lambda each: print(each.uri))
    except StorageError as error:
        print("StorageError", error)
    print(len(collection.search(1, 5)))
"""


def test_files_that_may_not_grow(tmp_path, make_photo):
    """The portable variant: writes behind a file size fail."""
    pytest.importorskip("resource", reason="this system has no limits on processes")
    count = 300
    for n in range(count):
        make_photo(tmp_path / "photos" / f"{n:03}.png", n, (8, 6))
    path = tmp_path / "photos.lookalike"
    arguments = [str(path), str(tmp_path / "photos"), "700000", str(Path(__file__).parents[1])]
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], capture_output=True, check=False, text=True
    )
    assert ran.returncode == 0, ran.stderr
    *told, error, answered = ran.stdout.splitlines()
    assert error.startswith(f"StorageError cannot use {path}")
    assert answered == "5"
    assert 0 < len(told) < count
    with opened(path) as collection:
        assert {uri for _, uri in rows_of(collection)} == set(told)
        assert collection.verify().sound
        assert collection.add(tmp_path / "photos").added == count - len(told)
        assert collection.verify().sound
