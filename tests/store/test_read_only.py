"""A collection where nothing can be written, as on an archive disk, answers and stays as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import CountingDecoder, answers, execute, fingerprint
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError
from lookalike.store import Store

pytest_plugins = ["store_fixtures"]


def run(*command: object) -> bool:
    """Tell whether a command worked."""
    return subprocess.run([str(each) for each in command], capture_output=True, check=False).returncode == 0


@pytest.fixture
def archived(photos, watched, tmp_path) -> Iterator[Path]:
    """A folder that is read-only below `archive`: root mounts it so, others lack the right to write."""
    watched.add(photos)
    watched.collection.close()
    archive = tmp_path / "archive"
    archive.mkdir()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if not run("mount", "--bind", tmp_path, archive):
            pytest.skip("root may not mount here")
        try:
            if not run("mount", "-o", "remount,ro,bind", archive):
                pytest.skip("root may not mount read-only here")
            yield archive / "photos.lookalike"
        finally:
            assert run("umount", archive) or run("umount", "--lazy", archive)
        return
    shutil.copytree(watched.collection.path, archive / "photos.lookalike")
    for path in (*archive.glob("photos.lookalike/*"), archive / "photos.lookalike"):
        path.chmod(path.stat().st_mode & ~0o222)
    yield archive / "photos.lookalike"
    (archive / "photos.lookalike").chmod(0o755)


def test_it_answers(archived, tmp_path, photos):
    with Collection(tmp_path / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        expected = answers(collection, range(1, 7))
    before = fingerprint(archived)
    with Collection(archived, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        assert answers(collection, range(1, 7)) == expected
        assert collection.search(photos / "1.png", 1)[0].uri == str(photos / "1.png")
        assert len(collection.search(1, 3, where=["width>1"])) == 3
        assert collection.info().items == 6
        assert collection.verify().sound
        assert collection.verify(repair=True).sound
    assert fingerprint(archived) == before


def test_writing_says_what_is_wrong(archived, photos):
    with Collection(archived, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        for use in (lambda: collection.add(photos), lambda: collection.remove(1)):
            with pytest.raises(StorageError, match=r"photos\.lookalike cannot be written to"):
                use()
        assert collection.info().items == 6


def test_damage_is_named_and_its_repair_refused(archived, tmp_path):
    execute(archived.parent.parent / "photos.lookalike", "UPDATE items SET metadata = '{}' WHERE id = 3")
    with Collection(archived, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        if collection.verify().sound:
            pytest.skip("the archive is a copy")
        with pytest.raises(StorageError, match="cannot be written to"):
            collection.verify(repair=True)


def test_changes_that_are_still_in_the_log_are_not_left_out_silently(archived, photos, make_photo, tmp_path):
    """The log of a process that was killed cannot be moved over here."""
    if archived.stat().st_dev != tmp_path.stat().st_dev or not archived.samefile(
        tmp_path / "photos.lookalike"
    ):
        pytest.skip("the archive is a copy")
    writable = tmp_path / "photos.lookalike"
    with Store(writable).database.writing() as connection:
        connection.execute("DELETE FROM items WHERE id = 1")
    log = (writable / "store.sqlite-wal").read_bytes()
    main = (writable / "store.sqlite").read_bytes()
    assert log
    for name in ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"):
        (writable / name).unlink()
    (writable / "store.sqlite").write_bytes(main)
    (writable / "store.sqlite-wal").write_bytes(log)
    with pytest.raises(StorageError, match="last changes"):
        Store(archived)
