"""The list of tables when a page of it is damaged: all rows are had back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from lookalike import Collection
from lookalike.embed.fake import FakeTextEmbedder
from lookalike.store.schema import lacks_tables
from lookalike.store.schema_pages import read_list, rebuild_list
from text_helpers import write_csv

TEXTS = [f"a text about {thing}" for thing in ("cats", "dogs", "trees", "ships", "bread", "snow")]
PAGE = 4096


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    path = folder / "t.lookalike"
    with Collection(path, embedder=FakeTextEmbedder()) as collection:
        collection.add(write_csv(folder / "t.csv", TEXTS), column="text")
        collection.vote("a query", 3, 1)
        collection.remove(6)
    return path


@pytest.fixture
def copy(filled, tmp_path):
    return shutil.copytree(filled, tmp_path / "copy.lookalike")


def damaged_bits():
    """Some bits of every byte of the tree's head, of the places of its cells, and of its cells."""
    return [(at, at % 8) for at in (*range(100, 124), *range(PAGE - 24, PAGE))]


def leaves(store):
    """Where the pages begin that hold rows of the list."""
    content = store.read_bytes()
    pages = range(PAGE, len(content), PAGE)
    return [at for at in pages if content[at] == 13 and b"CREATE TABLE items (" in content[at : at + PAGE]]


def damage(store, at, bit):
    content = bytearray(store.read_bytes())
    content[at] ^= 1 << bit
    store.write_bytes(content)


def check(folder):
    """Repaired, it has all of its items, its vote and its removal."""
    with Collection(folder, embedder=FakeTextEmbedder()) as collection:
        assert collection.verify(repair=True).sound
        assert [item.text for item in collection.items()] == TEXTS[:5]
        assert {hit.text for hit in collection.search(2, 4)} == set(TEXTS[:5]) - {TEXTS[1]}
        assert [(vote.item_id, vote.value) for vote in collection.votes()] == [(3, 1)]
        with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_list_is_a_tree(filled):
    """Else these tests would say nothing."""
    assert (filled / "store.sqlite").read_bytes()[100] == 5


@pytest.mark.parametrize(("at", "bit"), damaged_bits())
def test_a_flip_in_its_first_page(copy, at, bit):
    damage(copy / "store.sqlite", at, bit)
    check(copy)


@pytest.mark.parametrize("bit", range(8))
def test_a_flip_in_the_head_of_a_page_of_rows(filled, tmp_path, bit):
    """Its kind, its count of rows, the places of its first rows, that of the items among them."""
    (leaf,) = leaves(filled / "store.sqlite")
    for byte in range(16):
        copy = shutil.copytree(filled, tmp_path / f"{byte}.lookalike")
        damage(copy / "store.sqlite", leaf + byte, bit)
        check(copy)


def test_a_first_page_that_is_zeros_behind_the_header(copy):
    content = bytearray((copy / "store.sqlite").read_bytes())
    content[100:PAGE] = bytes(PAGE - 100)
    (copy / "store.sqlite").write_bytes(content)
    check(copy)


def test_what_stands_in_the_log_is_taken_over(filled, tmp_path):
    """As a killed process leaves it: the damaged page is in the file, the last rows are in its log."""
    copy = tmp_path / "copy.lookalike"
    with Collection(filled, embedder=FakeTextEmbedder()) as collection:
        collection.vote("another", 4, -1)
        shutil.copytree(filled, copy)
        assert (copy / "store.sqlite-wal").stat().st_size > 0
        collection.vote("another", 4, 0)
    damage(copy / "store.sqlite", PAGE - 5, 3)
    with Collection(copy, embedder=FakeTextEmbedder()) as collection:
        assert collection.verify(repair=True).sound
        assert sorted((vote.item_id, vote.value) for vote in collection.votes()) == [(3, 1), (4, -1)]


def test_the_pages_tell_what_sqlite_lists(copy):
    store = copy / "store.sqlite"
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("CREATE TABLE dropped (a)")
        connection.execute("DROP TABLE dropped")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        listed = connection.execute("SELECT * FROM sqlite_master").fetchall()
    assert sorted(read_list(store), key=str) == sorted(listed, key=str)
    rebuild_list(store)
    with closing(sqlite3.connect(store)) as connection:
        assert not lacks_tables(connection)
        assert sorted(connection.execute("SELECT * FROM sqlite_master").fetchall(), key=str) == sorted(
            listed, key=str
        )
