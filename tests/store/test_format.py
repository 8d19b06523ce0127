"""What is opened, what is refused, and that refusing changes nothing."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from helpers import CountingDecoder, execute, fingerprint, select
from lookalike import Collection
from lookalike.decisions import Decision
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import (
    DamagedError,
    ModelMismatchError,
    NewerFormatError,
    NotACollectionError,
    NotFoundError,
    StorageError,
)
from lookalike.ingest.fill import FillContext, fill_photos
from lookalike.records import Credit, FileStamp, Skipped
from lookalike.store import Store, schema

pytest_plugins = ["store_fixtures"]

GOLDEN = Path(__file__).parent / "golden"


def golden_script():
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=[f"v{n + 1}" for n in range(schema.FORMAT)])
def golden(request, tmp_path) -> Collection:
    """A copy of a collection written by an earlier format, or by this one when it was released."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "golden.lookalike")
    with Collection(
        tmp_path / "golden.lookalike", embedder=FakeEmbedder(dim=8), decoder=CountingDecoder()
    ) as collection:
        yield collection


def test_every_released_format_has_a_golden_collection():
    names = {path.name for path in GOLDEN.glob("v*")}
    texts = {f"v{n}-texts" for n in range(3, schema.FORMAT + 1)}
    assert names == texts | {f"v{n + 1}" for n in range(schema.FORMAT)}
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*")) < 1_500_000


def test_a_golden_collection_opens_and_holds_what_was_written(golden, request):
    make = golden_script()
    report = golden.verify()
    spaces = 1 if request.node.callspec.params["golden"] in ("v1", "v2") else 2
    assert (report.items, report.vectors, report.damage) == (11, 11 * spaces, ())
    rows = make.rows()
    vectors = golden._opened.store().vectors(golden._opened.store().default_space())
    for n in range(12):
        if n + 1 == 5:
            with pytest.raises(NotFoundError):
                golden.item(5)
            continue
        photo, item = make.photo(n), golden.item(n + 1)
        assert (item.uri, item.stamp, item.content_hash) == (photo.uri, photo.stamp, photo.content_hash)
        assert item.metadata == photo.metadata
        np.testing.assert_array_equal(vectors.fetch([n + 1]).rows[0], rows[n])
    assert golden.skipped() == [
        Skipped("/golden/bad.jpg", "empty file", FileStamp(0, 1)),
        Skipped("/golden/x", "locked", None, lasting=False),
    ]
    assert select(golden.path, "PRAGMA user_version") == [(schema.FORMAT,)]
    assert select(golden.path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]


def test_a_golden_collection_holds_the_votes_that_were_given(golden, request):
    votes = [(each.query, each.item_id, each.value, each.space, each.at, each.uri) for each in golden.votes()]
    if request.node.callspec.params["golden"] == "v1":  # before there were votes
        assert votes == []
    else:
        assert votes == [
            ("item:1", 2, 1, "fake", "2026-11-25T12:00:00+00:00", "/golden/été 1.jpg"),
            ("item:1", 5, -1, "fake", "2026-11-25T12:00:01+00:00", None),  # the item was removed
        ]


def test_a_golden_collection_holds_the_credits_that_were_given(golden, request):
    credits = list(golden._opened.store().credits.all())
    if request.node.callspec.params["golden"] in ("v1", "v2", "v3"):  # before there were credits
        assert credits == []
    else:
        assert credits == [
            Credit("r1", "item:1", "fake", "second", 2, "click", 1, "2026-11-27"),
            Credit("r1", "item:1", "second", "fake", 3, "vote", -1, "2026-11-27"),
        ]


def test_a_golden_collection_holds_what_was_decided(golden, request):
    if request.node.callspec.params["golden"] in {f"v{n}" for n in range(1, 6)}:  # before them
        assert golden.decisions() == []
    else:
        assert golden.decisions() == [
            Decision(bytes([0]) * 32, bytes([1]) * 32, "different", "2026-12-05T12:00:00+00:00"),
            Decision(bytes([2]) * 32, bytes([4]) * 32, "second is best", "2026-12-05T12:00:01+00:00"),
        ]


def test_a_golden_collection_answers(golden):
    rows = golden_script().rows()
    scores = rows @ rows[0]
    order = [n + 1 for n in np.argsort(-scores) if n not in (0, 4)]
    result = golden.search(1, 20)
    assert [hit.id for hit in result] == order
    np.testing.assert_allclose(
        [hit.score for hit in result], np.sort(scores[[n - 1 for n in order]])[::-1], atol=1e-6
    )
    assert [hit.id for hit in golden.search(1, 20, where=["camera=nikon*"])] == [
        n for n in order if n % 2 == 0
    ]


def test_a_golden_collection_takes_new_photos_and_gives_no_old_id(golden, make_photo, tmp_path):
    make_photo(tmp_path / "new.png", 1)
    assert golden.add(tmp_path / "new.png").added == 1
    assert golden.search(13, 20)[0].id in range(1, 13)
    assert select(golden.path, "SELECT max(id) FROM items") == [(13,)]


def test_a_golden_collection_knows_the_facts_of_its_spaces(golden, request):
    first, *others = golden._opened.store().spaces()
    assert (first.name, first.kind, first.is_default, first.approximate) == ("fake", "photo", True, False)
    if request.node.callspec.params["golden"] in ("v1", "v2"):
        assert (first.reference, others) == ("fake", [])  # as the migration filled it in
    else:
        (second,) = others
        assert (second.name, second.dim, second.reference) == ("second", 4, "second")
        assert second.approximate
        assert not second.is_default


@pytest.mark.parametrize("name", [f"v{n}-texts" for n in range(3, schema.FORMAT + 1)])
def test_the_golden_collection_of_texts_holds_what_was_written(name, tmp_path):
    make = golden_script()
    shutil.copytree(GOLDEN / name, tmp_path / "texts.lookalike")
    with Collection(tmp_path / "texts.lookalike", embedder=FakeTextEmbedder(dim=8)) as collection:
        report = collection.verify()
        assert (report.items, report.vectors, report.damage) == (5, 5, ())
        for n, item_id in ((0, 1), (1, 2), (2, 3), (4, 4), (5, 5)):
            passage, item = make.passage(n), collection.item(item_id)
            assert (item.uri, item.text, item.stamp) == (passage.uri, passage.text, passage.stamp)
            assert (item.content_hash, item.metadata) == (passage.content_hash, passage.metadata)
            assert item.places == (2 if n == 0 else 1)
        texts = collection._opened.store().texts
        assert texts.places(1) == ["/golden/été.csv#1", "/golden/été.csv#4"]
        assert texts.match("CAFE naive", 5) == [4]
        assert texts.match("late", 5) == [2, 5]
        assert [item.id for item in collection.items(where=["likes>15", "mood=glad"])] == [3, 4]


@pytest.mark.parametrize("use", ["add", "search", "info", "verify", "repair"])
def test_a_newer_format_is_refused_and_not_touched(photos, watched, use):
    watched.add(photos)
    folder = watched.collection.path
    watched.collection.close()
    execute(folder, "CREATE TABLE more (id)", f"PRAGMA user_version = {schema.FORMAT + 1}")
    before = fingerprint(folder)
    calls = {
        "add": lambda: watched.collection.add(photos),
        "search": lambda: watched.collection.search(1),
        "info": watched.collection.info,
        "verify": watched.collection.verify,
        "repair": lambda: watched.collection.verify(repair=True),
    }
    with pytest.raises(
        NewerFormatError,
        match=rf"format {schema.FORMAT + 1}, this one knows {schema.FORMAT}.*install that one",
    ):
        calls[use]()
    assert fingerprint(folder) == before


def test_a_newer_format_that_is_still_in_the_log_is_refused(photos, watched):
    watched.add(photos)
    folder = watched.collection.path
    with closing(sqlite3.connect(folder / "store.sqlite")) as newer:
        newer.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
        with pytest.raises(NewerFormatError):
            Store(folder)
        assert newer.execute("PRAGMA user_version").fetchone() == (schema.FORMAT + 1,)
        assert newer.execute("SELECT count(*) FROM items").fetchone() == (6,)


def foreign_sqlite(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.execute("PRAGMA application_id = 252006673")
        connection.execute("PRAGMA user_version = 1")


def unmarked_sqlite(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def no_sqlite(content: bytes):
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "store.sqlite").write_bytes(content)

    return make


def other_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")


def a_file(folder: Path) -> None:
    folder.write_text("a file")


def a_folder_inside(folder: Path) -> None:
    (folder / "store.sqlite").mkdir(parents=True)


REFUSED = {
    "foreign SQLite": (foreign_sqlite, NotACollectionError, "belongs to another program"),
    "unmarked SQLite": (unmarked_sqlite, NotACollectionError, "is not a lookalike collection"),
    "no SQLite": (no_sqlite(b"%PDF-1.4" * 200), DamagedError, "damaged"),
    "short": (no_sqlite(b"short"), DamagedError, "damaged"),
    "one byte": (no_sqlite(b"x"), DamagedError, "damaged"),
    "cut header": (no_sqlite(b"SQLite format 3\0" + bytes(84)), DamagedError, "damaged"),
    "other files": (other_files, NotACollectionError, "other files|not a lookalike collection"),
    "a file": (a_file, NotACollectionError, "is a file"),
    "a folder in its place": (a_folder_inside, StorageError, "cannot use"),
}


@pytest.mark.parametrize("use", ["add", "search", "repair"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_collection_is_refused_and_not_touched(tmp_path, photos, kind, use):
    make, error, message = REFUSED[kind]
    folder = tmp_path / "target"
    make(folder)
    before = fingerprint(tmp_path)
    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        calls = {
            "add": lambda: collection.add(photos),
            "search": lambda: collection.search(1),
            "repair": lambda: collection.verify(repair=True),
        }
        with pytest.raises(error, match=message) as caught:
            calls[use]()
    assert "\n" not in str(caught.value)
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("start", ["absent", "empty folder", "empty file"])
def test_what_becomes_a_collection(tmp_path, photos, start):
    folder = tmp_path / "deep" / "new.lookalike"
    if start != "absent":
        folder.mkdir(parents=True)
    if start == "empty file":  # as a process killed at its first step leaves it
        (folder / "store.sqlite").touch()
    with Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        assert collection.add(photos).added == 6


def test_nothing_is_made_by_asking(tmp_path):
    with Collection(tmp_path / "none", embedder=FakeEmbedder()) as collection:
        for ask in (collection.info, lambda: collection.search(1), collection.verify, collection.skipped):
            with pytest.raises(NotFoundError, match="no collection at"):
                ask()
    assert not (tmp_path / "none").exists()


def test_another_model_is_refused_for_photos_but_items_are_answered(photos, watched):
    watched.add(photos)
    expected = [hit.id for hit in watched.collection.search(1, 5)]
    folder = watched.collection.path
    rows = select(folder, "SELECT * FROM vectors_1")
    with Collection(folder, embedder=FakeEmbedder(dim=16), decoder=CountingDecoder()) as other:
        with pytest.raises(ModelMismatchError, match="sha256"):
            other.add(photos)
        with pytest.raises(ModelMismatchError, match="sha256"):
            other.search(photos / "1.png")
        assert [hit.id for hit in other.search(1, 5)] == expected
    assert select(folder, "SELECT * FROM vectors_1") == rows


def test_a_second_space_leaves_the_vectors_of_the_first(photos, watched):
    """Vectors of two models never mix, and reading for one never costs the other its vectors."""
    watched.add(photos)
    folder = watched.collection.path
    before = select(folder, "SELECT * FROM vectors_1")
    spec = FakeEmbedder(name="second").spec
    store = watched.collection._opened.store()
    space = store.ensure_space(spec.name, spec.model_id, spec.dim)
    assert (space.id, space.is_default) == (2, False)
    parts = FillContext(store, space, CountingDecoder(), FakeEmbedder(name="second"), lambda *_: None)
    assert fill_photos(parts) == 0
    assert select(folder, "SELECT count(*) FROM vectors_2") == [(6,)]
    assert select(folder, "SELECT * FROM vectors_1") == before


def test_a_migration_runs_once_and_whole_or_not_at_all(photos, watched, monkeypatch):
    watched.add(photos)
    folder = watched.collection.path
    watched.collection.close()
    second = "CREATE TABLE stars (item_id INTEGER PRIMARY KEY);\nINSERT INTO stars SELECT id FROM items;\n"
    known = schema.FORMAT
    monkeypatch.setattr(schema, "FORMAT", known + 1)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, second + "INSERT INTO nowhere VALUES (1);")
    )
    before = select(folder, "SELECT * FROM items")
    with pytest.raises(DamagedError, match="nowhere"):
        Store(folder)
    assert select(folder, "PRAGMA user_version") == [(known,)]
    assert select(folder, "SELECT count(*) FROM sqlite_master WHERE name = 'stars'") == [(0,)]
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS[:known], second))
    for _ in range(2):
        Store(folder).close()
        assert select(folder, "PRAGMA user_version") == [(known + 1,)]
        assert select(folder, "SELECT count(*) FROM stars") == [(6,)]
    assert select(folder, "SELECT * FROM items") == before
