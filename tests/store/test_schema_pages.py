"""The list of tables when a page of it is damaged: all rows are had back."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.store import Store
from lookalike.store.salvage import rescue
from lookalike.store.schema import FORMAT
from lookalike.store.schema_pages import find_tables, rebuild_list
from lookalike.store.tables import listed_formats
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


def test_the_pages_tell_where_tables_begin(copy):
    store = copy / "store.sqlite"
    listing = "SELECT name, rootpage FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index')"
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("CREATE TABLE vectors_7 (a)")
        connection.execute("DROP TABLE vectors_7")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        listed = {name: page for name, page in connection.execute(listing) if "text_words" not in name}
        rows = connection.execute("SELECT * FROM items").fetchall()
    found, lost = find_tables(store, FORMAT)
    assert ({table.name: page for table, page in found}, lost) == (listed, [])
    assert rebuild_list(store) == []
    with closing(sqlite3.connect(store)) as connection:
        assert dict(connection.execute(listing)) == listed
        assert connection.execute("SELECT * FROM items").fetchall() == rows


def test_every_bit_of_some_bytes_of_the_list(filled, tmp_path):
    """Names, numbers and statements, all over its pages."""
    content = (filled / "store.sqlite").read_bytes()
    dice = random.Random(7)
    pages = [at for at in range(0, len(content), PAGE) if b"CREATE " in content[at : at + PAGE]]
    places = [at for page in pages for at in range(page, page + PAGE) if content[at]]
    for at in dice.sample(places, 150):
        folder = shutil.copytree(filled, tmp_path / str(at))
        damage(folder / "store.sqlite", at, dice.randrange(8))
        with Collection(folder, embedder=FakeTextEmbedder()) as collection:
            report = collection.verify(repair=True)
            assert report.sound, at
            lost = [each.detail for each in report.repaired if "is lost" in each.detail]
            kept = [(vote.item_id, vote.value) for vote in collection.votes()] == [(3, 1)]
            assert kept or any("votes" in each for each in lost), at
            assert len(collection.search(2, 4)) == 4, at
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_each_format_has_the_tables_that_are_known_of_it(number):
    for golden in (Path(__file__).parent / "golden").glob(f"v{number}*/**/store.sqlite"):
        with closing(sqlite3.connect(f"{golden.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            assert listed_formats(connection, only=True) == {number}


@pytest.mark.parametrize("golden", ["v1", "v2", "v3", "v4", "v3-texts", "v4-texts"])
@pytest.mark.parametrize("claimed", [1, 3, 5, 12])
def test_a_rescue_goes_by_the_tables_whatever_format_is_claimed(tmp_path, golden, claimed):
    def rows(path):
        with closing(sqlite3.connect(path)) as connection:
            tables = ["items", "spaces", "vectors_1", "skipped"]
            return [connection.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables]

    folder = shutil.copytree(Path(__file__).parent / "golden" / golden, tmp_path / "c.lookalike")
    before = rows(folder / "store.sqlite")
    content = bytearray((folder / "store.sqlite").read_bytes())
    content[60:64] = claimed.to_bytes(4, "big")
    (folder / "store.sqlite").write_bytes(content)
    assert rescue(folder / "store.sqlite") == []
    assert rows(folder / "store.sqlite") == before
    Store(folder).close()


def test_tables_of_others_are_no_damage(filled, tmp_path):
    copy = shutil.copytree(filled, tmp_path / "copy.lookalike")
    with closing(sqlite3.connect(copy / "store.sqlite")) as connection:
        connection.execute("ANALYZE")
        connection.execute("CREATE TABLE notes_of_mine (a)")
    with Collection(copy, embedder=FakeTextEmbedder()) as collection:
        assert collection.verify().sound


def test_a_list_is_rebuilt_though_free_pages_and_counts_are_damaged(copy):
    content = bytearray((copy / "store.sqlite").read_bytes())
    content[100] = 0x77
    content[28:40] = (8).to_bytes(4, "big") + (5).to_bytes(4, "big") + (3).to_bytes(4, "big")
    (copy / "store.sqlite").write_bytes(content)
    check(copy)
