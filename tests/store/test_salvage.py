"""Whole pages of the store file are overwritten: what can still be read is rescued, row by row."""

from __future__ import annotations

import os
import sqlite3
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from helpers import CountingDecoder, Watched, answers, execute, rows_of, select
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError
from lookalike.store.rows import ITEM_COLUMNS, item_is_sound
from lookalike.store.salvage import rescue

pytest_plugins = ["store_fixtures"]


@pytest.fixture
def large(tmp_path, make_photo) -> Watched:
    for seed in range(300):
        make_photo(tmp_path / "photos" / f"{seed:03}.png", seed, (8, 6))
    watched = Watched(tmp_path / "photos.lookalike")
    watched.add(tmp_path / "photos")
    yield watched
    watched.collection.close()


def pages_of(folder, table) -> list[int]:
    sql = f"SELECT pageno FROM dbstat WHERE name = '{table}' AND pagetype = 'leaf'"
    try:
        return [row[0] for row in select(folder, sql)]
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no dbstat to find pages by")


@pytest.mark.parametrize(
    "table", ["items", "vectors_1", "sqlite_autoindex_items_1", "items_by_hash", "skipped"]
)
def test_a_broken_page_is_rescued_around(large, table, tmp_path):
    folder = large.collection.path
    before, ids = answers(large.collection, range(1, 300, 7), 3), large.ids()
    large.collection.close()
    pages = pages_of(folder, table)
    with (folder / "store.sqlite").open("r+b") as file:
        file.seek((pages[len(pages) // 2] - 1) * 4096)
        file.write(b"\xa5" * 4096)
    broken = (folder / "store.sqlite").read_bytes()
    with pytest.raises(DamagedError) if table == "skipped" else nullcontext():
        assert not large.collection.verify().sound
        if table == "skipped":
            large.collection.skipped()
    large.collection.close()

    report = large.collection.verify(repair=True)
    assert report.sound, report.damage
    assert report.repaired
    assert (folder / "store.damaged").read_bytes() == broken
    kept = large.ids()
    assert kept.items() <= ids.items()
    if table == "items":
        assert 200 < len(kept) < 300
    else:
        assert kept == ids
    large.add(tmp_path / "photos")
    again = large.ids()
    assert again.keys() == ids.keys()
    assert {n for name, n in again.items() if name not in kept}.isdisjoint(ids.values())
    assert large.collection.verify().sound
    if table != "items":
        assert answers(large.collection, range(1, 300, 7), 3) == before


def test_every_row_of_a_rescued_store_is_sound(photos, watched):
    watched.add(photos)
    folder = watched.collection.path
    watched.collection.close()
    flipped = "UPDATE vectors_1 SET vector = zeroblob(128) WHERE item_id = 3"
    execute(folder, "UPDATE spaces SET is_default = 0", flipped)
    watched.collection.verify(repair=True)
    rows = select(folder, f"SELECT {ITEM_COLUMNS} FROM items")
    assert len(rows) == 6
    assert all(item_is_sound(row) for row in rows)
    assert select(folder, "SELECT count(*) FROM vectors_1") == [(6,)]
    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        assert rows_of(collection) == [(n + 1, uri) for n, (_, uri) in enumerate(rows_of(collection))]


def broken_photos(watched: Watched, photos: Path) -> tuple[Path, bytes]:
    """A collection whose file must be rescued, and the bytes of that file."""
    watched.add(photos)
    folder = watched.collection.path
    watched.collection.close()
    execute(folder, "UPDATE spaces SET is_default = 0")
    return folder, (folder / "store.sqlite").read_bytes()


@pytest.mark.parametrize("step", range(1, 9))
def test_killed_between_the_renames_of_a_rescue(photos, watched, monkeypatch, step):
    """Whoever opens the collection next finds it whole, or as broken as it was."""
    folder, broken = broken_photos(watched, photos)
    (folder / "store.sqlite-shm").write_bytes(b"left by a killed process")
    taken = 0

    def stopping(do):
        def counted(*paths, **how):
            nonlocal taken
            taken += 1
            if taken == step:
                raise KeyboardInterrupt
            return do(*paths, **how)

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", stopping(os.link))
        for name in ("replace", "unlink"):
            patched.setattr(Path, name, stopping(getattr(Path, name)))
        with suppress(KeyboardInterrupt):
            rescue(folder / "store.sqlite")
    assert taken == step or step > taken >= 4
    assert (folder / "store.sqlite").exists()  # the broken one, or the rescued one
    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        assert collection.verify(repair=True).sound
        assert collection.info().items == 6
        assert len(collection.search(1, 5)) == 5
        assert collection.verify().sound
    kept = [path.read_bytes() for path in folder.glob("store.damaged*")]
    assert broken in kept or step == 1  # nothing of it had begun
    assert {
        path.name for path in folder.iterdir() if "rescue" in path.name or path.name.endswith("new")
    } == set()


def test_each_rescue_keeps_its_broken_file(photos, watched):
    folder, broken = broken_photos(watched, photos)
    rescue(folder / "store.sqlite")
    for n in range(2):
        execute(folder, f"UPDATE items SET uri = '/other{n}' WHERE id = {n + 1}")
        rescue(folder / "store.sqlite")
    kept = sorted(folder.glob("store.damaged*"))
    assert [path.name for path in kept] == ["store.damaged", "store.damaged-2", "store.damaged-3"]
    assert kept[0].read_bytes() == broken
    assert len({path.read_bytes() for path in kept}) == 3


def test_the_folder_is_synced_after_the_last_rename(photos, watched, monkeypatch):
    folder, _ = broken_photos(watched, photos)
    steps = []
    replace, fsync = Path.replace, os.fsync
    monkeypatch.setattr(Path, "replace", lambda *paths: (steps.append("replace"), replace(*paths)))
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file)))
    rescue(folder / "store.sqlite")
    assert steps[-2:] == ["replace", "fsync"]
