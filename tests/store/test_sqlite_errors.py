"""What SQLite's errors mean, said so that one knows what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from helpers import CountingDecoder
from lookalike import Collection
from lookalike.durable import remove_file
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import BusyError, DamagedError, StorageError, UsageError
from lookalike.faces.cli.options import open_collection
from lookalike.index.file import load_index, read_header
from lookalike.store import sqlite_errors
from lookalike.store.sqlite_errors import translate

pytest_plugins = ["store_fixtures"]


def raised(name: str, kind: type[sqlite3.DatabaseError] = sqlite3.OperationalError) -> sqlite3.DatabaseError:
    error = kind("as SQLite says it")
    error.sqlite_errorname = name
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("SQLITE_IOERR_SHMMAP", StorageError, "cannot share memory or lock files"),
        ("SQLITE_IOERR_SHMOPEN", StorageError, "cannot share memory or lock files"),
        ("SQLITE_IOERR_SHMLOCK", StorageError, "cannot share memory or lock files"),
        ("SQLITE_IOERR_LOCK", StorageError, "cannot share memory or lock files"),
        ("SQLITE_PROTOCOL", StorageError, "cannot share memory or lock files"),
        ("SQLITE_FULL", StorageError, "is full; what was committed before is kept"),
        ("SQLITE_IOERR_READ", StorageError, "as SQLite says it (SQLITE_IOERR_READ)"),
        ("SQLITE_READONLY", StorageError, "cannot be written to"),
        ("SQLITE_BUSY", BusyError, "kept locked by another process"),
        ("SQLITE_CORRUPT", DamagedError, "is damaged"),
        ("SQLITE_NOTADB", DamagedError, "is damaged"),
    ],
)
def test_each_says_what_is_wrong_and_only_damage_is_called_so(tmp_path, name, kind, said):
    error = translate(raised(name), tmp_path / "store.sqlite")
    assert type(error) is kind and said in str(error)
    assert ("damaged" in str(error)) == (kind is DamagedError)
    assert "\n" not in str(error)


def test_a_full_temporary_folder_is_told_from_a_full_disk(tmp_path, monkeypatch):
    collection, temporary = tmp_path / "c", tmp_path / "t"
    monkeypatch.setenv("SQLITE_TMPDIR", str(temporary))
    for full, said in (
        (temporary, f"temporary folder {temporary} is full"),
        (collection, "the disk that holds"),
    ):
        monkeypatch.setattr(sqlite_errors, "_is_full", lambda folder, full=full: folder == full)
        assert said in str(translate(raised("SQLITE_FULL"), collection / "store.sqlite"))


def test_a_file_that_cannot_be_removed_is_said(tmp_path, monkeypatch):
    file = tmp_path / "x.ivf"
    file.write_bytes(b"x")

    def failing(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "unlink", failing)
    with pytest.raises(StorageError, match=r"cannot remove .*x\.ivf: Input/output error"):
        remove_file(file)


HEADS = [
    b'{"space":1,"model_id":"x","seq":1,"built_count":1,"changed":0,"recall":1.0,"nprobe":1,"depth":1}',
    b'{"space":"a","model_id":"x","seq":"1","built_count":1,"changed":0,"recall":1.0,"nprobe":1,"depth":1}',
    b'{"space":"a","model_id":"x","seq":1,"built_count":1,"changed":0,"recall":"high","nprobe":1,"depth":1}',
    b'{"space":"a","model_id":"x","seq":1,"built_count":1,"changed":0,"recall":1,"nprobe":1,"depth":1,"damaged":7}',
    b"[" * 100_000,
    b'{"space":' * 50_000,
    b"null",
    b"[]",
    b"\xff\xfe",
    b"",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_a_hostile_head_of_an_index_file_is_damage(tmp_path, head):
    import hashlib

    content = b"lookalike index 1\n" + head + b"\nbody"
    file = tmp_path / "x.ivf"
    file.write_bytes(content + hashlib.sha256(content).digest())
    for read in (read_header, load_index):
        with pytest.raises(DamagedError):
            read(file)


def test_without_a_home_only_what_needs_one_says_so(monkeypatch, tmp_path, photos):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it is where nobody has that number
    for name in ("HOME", "XDG_DATA_HOME", "LOOKALIKE_COLLECTION", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no home folder, where the collection is kept by default: name one"):
        open_collection(None)
    with pytest.raises(UsageError, match="no such home folder"):
        Collection("~/photos.lookalike")
    with Collection(
        tmp_path / "c.lookalike", embedder=FakeEmbedder(), decoder=CountingDecoder()
    ) as collection:
        assert collection.add(photos).added == 6
        assert len(collection.search(1, 5)) == 5
    assert not (tmp_path / "~").exists()
