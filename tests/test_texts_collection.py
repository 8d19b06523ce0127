"""Collections of texts, as callers use them; the meaning is a fake's: shared words."""

import csv

import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import NotFoundError, UsageError
from lookalike.records import SearchOptions, Words
from lookalike.search.queries import Example

ROWS = [
    ("my phone screen is broken", "phones"),
    ("the screen of my phone broke", "phones"),
    ("rain in the morning", "weather"),
    ("sun in the afternoon", "weather"),
    ("my phone screen is broken", "repairs"),
    ("order number 4711 was lost", "orders"),
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "kind of"), *ROWS])
    return path


@pytest.fixture
def collection(tmp_path):
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as collection:
        yield collection


def test_rows_become_items_and_the_same_text_is_one_item_at_two_places(collection, table):
    report = collection.add(table, column="text")
    assert (report.found, report.added, report.copies, report.skipped) == (6, 5, 1, 0)
    first = collection.items(limit=1)[0]
    assert (first.text, first.places, first.uri) == (ROWS[0][0], 2, f"{table}#1")
    info = collection.info()
    assert (info.kind, info.items) == ("text", 5)
    assert info.spaces[0].takes_words and info.spaces[0].kind == "text"
    assert collection.add(table, column="text").unchanged == 6


def test_texts_are_found_by_words_by_item_and_by_examples(collection, table):
    collection.add(table, column="text")
    assert collection.search(Words("broken phone screen"))[0].text == ROWS[0][0]
    assert collection.search(1, 1)[0].text == ROWS[1][0]
    query = [Example(Words("the morning the afternoon")), Example(Words("rain morning"), -0.6)]
    assert collection.search(query, 1)[0].text == ROWS[3][0]


def test_exact_words_count_where_asked_for(collection, table):
    collection.add(table, column="text")
    (result,) = collection.answer([Words("4711")], SearchOptions(5, hybrid=True))
    assert (result[0].text, result[0].matched) == (ROWS[5][0], True)
    assert [hit.matched for hit in result[1:]] == [False] * 4
    assert all(-1 <= hit.score <= 1 for hit in result)
    (plain,) = collection.answer([Words("4711")], SearchOptions(5))
    assert not any(hit.matched for hit in plain)


def test_exact_words_may_be_whatever_someone_types(collection, table):
    collection.add(table, column="text")
    for words in ('"', "a AND", "NEAR(", "*", "text:", "rain' OR 1=1 --", "\x00rain", "🙂", "-", "^"):
        (result,) = collection.answer([Words(words)], SearchOptions(5, hybrid=True))
        assert len(result) == 5


def test_conditions_name_columns_and_files(collection, table):
    collection.add(table, column="text")
    hits = collection.search(Words("in the"), where="kind_of=weather")
    assert {hit.text for hit in hits} == {ROWS[2][0], ROWS[3][0]}
    assert len(collection.search(Words("in the"), where=[f"folder={table.parent}"])) == 5
    (result,) = collection.answer([Words("rain")], SearchOptions(5, hybrid=True), where="kind_of=orders")
    assert [hit.text for hit in result] == [ROWS[5][0]]


def test_photos_and_texts_do_not_mix(collection, table, tmp_path, make_photo):
    collection.add(table, column="text")
    photo = make_photo(tmp_path / "photos" / "1.png", 1)
    with pytest.raises(UsageError, match="holds texts; put photos into a collection of their own"):
        collection.add(tmp_path / "photos")
    with pytest.raises(UsageError, match="holds texts: search it by words or by an item"):
        collection.search(tmp_path / "photos" / "1.png")
    assert photo is None or collection.info().items == 5


def test_a_column_that_is_not_there_is_refused_and_nothing_is_made(tmp_path, table):
    with Collection(tmp_path / "none.lookalike", embedder=FakeTextEmbedder()) as collection:
        with pytest.raises(UsageError, match=r"no column 'txet': it has text, kind of; did you mean text\?"):
            collection.add(table, column="txet")
        with pytest.raises(NotFoundError):
            collection.info()
    assert not (tmp_path / "none.lookalike").exists()


def test_removing_a_text_removes_it_from_every_search(collection, table):
    collection.add(table, column="text")
    assert collection.remove(1) == 1
    (result,) = collection.answer([Words("my phone screen is broken")], SearchOptions(9, hybrid=True))
    assert ROWS[0][0] not in {hit.text for hit in result}
    assert collection.verify().sound


def test_documents_are_read_in_passages(tmp_path, collection):
    folder = tmp_path / "notes"
    folder.mkdir()
    long = "\n\n".join(f"Part {n}. " + " ".join(f"word{n}" for _ in range(30)) for n in range(4))
    (folder / "long.md").write_text(long)
    (folder / "short.txt").write_text("one short note")
    report = collection.add(folder)
    assert report.split == 1 and report.added >= 5
    texts = {item.uri: item.text for item in collection.items()}
    assert texts[f"{folder}/short.txt#1"] == "one short note"
    joined = " ".join(texts[f"{folder}/long.md#{n}"] for n in range(1, report.added))
    assert joined.split() == long.split()


def test_a_second_model_embeds_the_texts_without_their_files(collection, table, monkeypatch):
    from dataclasses import replace

    second = FakeTextEmbedder(dim=16)
    second.spec = replace(second.spec, name="second", reference="second", model_id="1" * 64)
    monkeypatch.setattr("lookalike.embedders.load.load_embedder", lambda reference, device, **_: second)
    collection.add(table, column="text")
    table.unlink()
    space, left = collection.add_model("second")
    assert (space.kind, left) == ("text", 0)
    collection.use_model("second")
    assert collection.search(1, 1)[0].text == ROWS[1][0]
