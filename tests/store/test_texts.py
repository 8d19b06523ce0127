"""Texts in the store: what is known, found by words, filtered, removed, damaged and mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import execute, select
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import UsageError
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch, Store
from lookalike.store.filters import Filter, parse_filter
from lookalike.store.salvage import rescue
from lookalike.store.store import STORE_FILE
from lookalike.store.text_commit import TextBatch, TextFileRead
from text_helpers import passage

EMBEDDER = FakeTextEmbedder(dim=8)
ROWS = {
    "/d/a.csv#1": ("the red bus is late", {"line": "7", "when": "2019-06-15", "id": "x1"}),
    "/d/a.csv#2": ("a red train", {"line": "12", "when": "2020-01-01", "two words": 'say "so"'}),
    "/d/a.csv#3": ("the red bus is late", {"line": "9"}),
    "/d/b/c.csv#1": ("un café à Zürich", {"line": 3, 'odd "name"': "yes", "when": "n/a"}),
    "/d/b/c.csv#2": ("don't stop", {"line": 3.5}),
    "/d/a.csv#b.csv#1": ("in a file with an odd name", {"line": "-2"}),
}


def commit(store: Store, rows: dict[str, tuple[str, dict]], **batch: object):
    space = store.default_space()
    passages = [passage(uri, text, **facts) for uri, (text, facts) in rows.items()]
    vectors = EMBEDDER.embed_texts([each.text for each in passages])
    written = TextBatch(list(zip(passages, vectors, strict=True)), **batch)
    return store.commit_texts(space, written, reader="r", is_gone=lambda _: False)


def new_store(folder: Path) -> Store:
    store = Store(folder, create=True)
    store.ensure_space("fake", EMBEDDER.spec.model_id, 8, kind="text")
    return store


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    store = new_store(tmp_path / "t.lookalike")
    files = [TextFileRead(f"/d/{name}", FileStamp(1, 1), "text", "m", 1) for name in ("a.csv", "b/c.csv")]
    commit(store, ROWS, files=files)
    yield store
    store.close()


def test_equal_texts_are_one_item_with_several_places(store):
    items = store.items.get(range(1, 10))
    assert {item_id: (item.uri, item.places) for item_id, item in items.items()} == {
        1: ("/d/a.csv#1", 2),
        2: ("/d/a.csv#2", 1),
        3: ("/d/b/c.csv#1", 1),
        4: ("/d/b/c.csv#2", 1),
        5: ("/d/a.csv#b.csv#1", 1),
    }
    assert items[1].text == "the red bus is late"
    assert items[1].metadata == ROWS["/d/a.csv#1"][1]
    assert store.items.by_uri("/d/a.csv#3") == items[1]
    assert store.items.by_uri("/d/a.csv#4") is None
    assert store.texts.places(1) == ["/d/a.csv#1", "/d/a.csv#3"]
    assert store.texts.places(1, 1) == ["/d/a.csv#1"]
    assert store.texts.count_places([1, 2, 99]) == {1: 2, 2: 1}
    assert store.texts.text_of([2, 99]) == {2: "a red train"}


def test_known_texts_are_those_with_a_sound_text_and_vector(store):
    space = store.default_space()
    hashes = {n: item.content_hash for n, item in store.items.get(range(1, 6)).items()}
    other = store.ensure_space("other", "o" * 64, 4, kind="text")
    assert store.texts.known([*hashes.values(), b"0" * 32], space) == set(hashes.values())
    assert store.texts.known(list(hashes.values()), other) == set()
    with store.database.writing() as connection:
        connection.execute("UPDATE texts SET text = 'changed' WHERE item_id = 1")
        connection.execute("UPDATE vectors_1 SET vector = zeroblob(32) WHERE item_id = 2")
        connection.execute("UPDATE items SET metadata = '{}' WHERE id = 3")
        connection.execute("DELETE FROM vectors_1 WHERE item_id = 4")
    assert store.texts.known(list(hashes.values()), space) == {hashes[5]}


def test_words_are_found_best_match_first(store):
    match = store.texts.match
    assert match("BUS", 5) == [1]
    assert match("cafe zurich", 5) == [3]  # neither case nor accents matter
    assert match("red late", 5) == [1, 2]  # all of the words before some
    assert match("red", 5) == [2, 1]  # the shorter text is the better match
    assert match("red", 1) == [2]
    assert match("don't", 5) == match("don t", 5) == [4]
    assert match("sto", 5) == []  # no prefixes
    assert match("red", 5, np.array([1, 3])) == [1]
    assert match("red", 5, np.array([], np.int64)) == []
    assert match("red", 0) == []
    for nothing in ("", "  ", ":-) !!", '"', "***", "\0"):
        assert match(nothing, 5) == []


@pytest.mark.parametrize(
    "words",
    [
        "red AND bus",
        "red NOT bus",
        "text:red",
        "^red",
        '"red',
        'red"',
        "red*",
        "NEAR(red bus)",
        "red OR",
        "-red",
    ],
)
def test_no_syntax_of_the_full_text_search_gets_through(store, words):
    """Each part is a word or a phrase; `bus)` is a word, `NEAR(red` and `text:red` are phrases of two."""
    expected = {"text:red": set(), "NEAR(red bus)": {1}}
    assert set(store.texts.match(words, 5)) == expected.get(words, {1, 2})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=30))
def test_any_words_can_be_asked_for(store, words):
    store.texts.match(words, 5)


def test_a_collection_of_photos_has_no_texts(tmp_path):
    store = Store(tmp_path / "p.lookalike", create=True)
    assert store.texts.match("red", 5) == []  # before anything was added
    space = store.ensure_space("fake", "f" * 64, 4)
    photo = Photo("/a.jpg", FileStamp(1, 1), b"1" * 32, None, {"colour": "red"})
    store.commit(space, PhotoBatch([(photo, np.ones(4, np.float32))]), reader="r", is_gone=lambda _: False)
    assert store.texts.match("red", 5) == []
    assert (store.texts.text_of([1]), store.texts.places(1), store.texts.count_places([1])) == ({}, [], {})
    assert store.items.get([1])[1].text is None
    with pytest.raises(UsageError, match="no field 'colour'"):
        store.items.matching([parse_filter("colour=red")])
    store.close()


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["line=7"], [1]),
        (["line=1*"], [2]),
        (["line>3"], [1, 2, 4]),
        (["line>=3"], [1, 2, 3, 4]),
        (["line<3"], [5]),
        (["line=3.0"], [3]),
        (["line!=7"], [2, 3, 4, 5]),
        (["when>=2019"], [1, 2]),
        (["when>2019-12"], [2, 3]),
        (["when=2019*"], [1]),
        (["two words=SAY*"], [2]),
        (['odd "name"=yes'], [3]),
        ([".id=x1"], [1]),
        (["id=2"], [2]),
        (["folder=/d"], [1, 2, 3, 4, 5]),
        (["folder=/d/b"], [3, 4]),
        (["folder=/d/a.csv"], [1, 2]),
        (["folder!=/d/a.csv"], [3, 4, 5]),
        (["folder=/d/a.csv#b.csv"], [5]),
        (["uri=*#3"], [1]),
        (["uri!=*#3"], [2, 3, 4, 5]),
        (["line>3", "line<10"], [1, 4]),
    ],
)
def test_any_column_can_be_asked_for(store, conditions, expected):
    assert store.items.matching([parse_filter(each) for each in conditions]).tolist() == expected


@pytest.mark.parametrize(
    "field", ["a'b", "$", "a.b", "[0]", "#", 'a"b', "\\", "x\ny", "\udcff", "é", "--", ";"]
)
def test_no_name_of_a_column_is_taken_for_sql(store, field):
    for operator in ("=", "<"):
        try:
            assert store.items.matching([Filter(field, operator, "1")]).tolist() == []
        except UsageError as error:
            assert "its name is not text" in str(error) or "no text has a column" in str(error)


def test_facets_of_texts_are_their_files(store):
    facets = store.items.facets()
    assert facets.folders == (("/d/a.csv", 2), ("/d/b/c.csv", 2), ("/d/a.csv#b.csv", 1))
    assert (facets.cameras, facets.taken) == ((), None)


def test_removing_an_item_removes_its_text_places_and_words(store):
    assert store.items.remove([1]) == 1
    assert store.texts.match("bus", 5) == []
    assert store.items.by_uri("/d/a.csv#3") is None
    assert list(store.texts.damage()) == []
    rows = dict(store.database.fetch("SELECT uri, rows FROM text_files"))
    assert rows == {"/d/a.csv": None, "/d/b/c.csv": 1}  # the next add brings it back


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE texts SET text = 'the red bus is latf' WHERE item_id = 1",
            {"text of item 1", "exact words"},
        ),
        ("UPDATE texts SET text = CAST(x'ff' AS TEXT) WHERE item_id = 2", {"text of item 2", "exact words"}),
        ("DELETE FROM texts WHERE item_id = 2", {"text of item 2", "exact words"}),
        ("UPDATE places SET item_id = 2 WHERE uri = '/d/a.csv#3'", {"place '/d/a.csv#3'"}),
        ("DELETE FROM places WHERE uri = '/d/a.csv#1'", {"item 1"}),
        ("INSERT INTO text_words (text_words) VALUES ('delete-all')", {"exact words"}),
        ("DELETE FROM text_words_data WHERE id > 10", {"exact words"}),
        ("DROP TABLE text_words", {"exact words"}),
    ],
)
def test_damage_is_named_and_mended(tmp_path, statement, named):
    folder = tmp_path / "t.lookalike"
    store = new_store(folder)
    commit(store, ROWS)
    store.close()
    execute(folder, statement)
    store = Store(folder)
    assert {what for what, *_ in store.texts.damage()} == named
    damaged = {each for what, _, each, _ in store.texts.damage() if what.startswith("text of")}
    assert set(store.items.get(range(1, 6))) == set(range(1, 6)) - damaged
    assert set(store.items.damaged(range(1, 6))) == damaged
    store.texts.mend()
    left = {what for what, *_ in store.texts.damage()}
    assert left == {f"text of item {each}" for each in damaged}
    commit(store, ROWS)  # as their files would be read again
    assert list(store.texts.damage()) == []
    assert store.texts.match("red", 5) == [2, 1]
    store.close()


def test_damaged_words_are_made_anew_when_they_are_asked_for(tmp_path):
    for statement in ("DELETE FROM text_words_data", "DROP TABLE text_words"):
        folder = tmp_path / statement[:4]
        store = new_store(folder)
        commit(store, ROWS)
        store.close()
        execute(folder, statement)
        store = Store(folder)
        assert store.texts.match("bus", 5) == [1]
        assert list(store.texts.damage()) == []
        store.close()


def test_a_rescued_store_has_all_its_texts_and_reads_their_files_again(tmp_path):
    folder = tmp_path / "t.lookalike"
    store = new_store(folder)
    file = TextFileRead("/d/a.csv", FileStamp(1, 1), "text", "m", 3)
    commit(store, ROWS, files=[file])
    before = store.items.get(range(1, 6))
    store.close()
    execute(
        folder,
        "UPDATE texts SET text = 'x' WHERE item_id = 4",
        "UPDATE places SET checksum = 1 WHERE uri = '/d/a.csv#2'",
    )
    rescue(folder / STORE_FILE)
    store = Store(folder)
    assert {what for what, *_ in store.texts.damage()} == {"text of item 4"}
    assert store.items.get(range(1, 6)) == {n: item for n, item in before.items() if n != 4}
    assert store.texts.match("late", 5) == [1]
    assert select(folder, "SELECT uri, column_name, rows FROM text_files") == [("/d/a.csv", "text", None)]
    store.close()
