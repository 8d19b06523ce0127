"""JSON as files have it: arrays, lines, chats, damage; read a piece at a time."""

import json
import tracemalloc

import pytest

from lookalike.decode import json_rows
from lookalike.decode.columns import as_text, value_at
from lookalike.decode.texts import TextFile
from lookalike.errors import QueryError, UsageError


def read(path, column="text"):
    source = TextFile(str(path), path.name, column, len)
    rows = [(each.uri.rpartition("#")[2], each.text, dict(each.metadata)) for each in source.passages()]
    return rows, source


@pytest.fixture
def array(tmp_path):
    def array(content):
        path = tmp_path / "t.json"
        path.write_text(content, encoding="utf-8")
        return path

    return array


ROWS = [{"text": f'row {n}, with [brackets] and "quotes" {"x" * (n % 50 + 1)}', "n": n} for n in range(500)]


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_in_pieces(array, monkeypatch, piece, indent):
    monkeypatch.setattr(json_rows, "_PIECE", piece)
    path = array("\ufeff \n" + json.dumps(ROWS[:60] if piece == 1 else ROWS, indent=indent) + "\n")
    rows, source = read(path)
    assert rows == [(str(n + 1), row["text"], {"n": n}) for n, row in enumerate(ROWS[: len(rows)])]
    assert source.rows in (60, 500)


def test_an_array_takes_no_more_memory_than_its_rows(tmp_path):
    path = tmp_path / "t.json"
    with path.open("w") as file:
        file.write("[" + ",".join(json.dumps({"text": f"{n} " * 200}) for n in range(20_000)) + "]")
    tracemalloc.start()
    assert sum(1 for _ in TextFile(str(path), "t.json", "text", len).passages()) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 10 << 20
    assert peak < 6 << 20


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"text": "a"}, {"text": ', r"row 2 of its array is no JSON"),
        ('[{"text": "a"}', "its array ends in the middle, after 1 rows"),
        ('[{"text": "a"}, ', "its array ends in the middle, after 1 rows"),
        ('[{"text": "a"} {"text": "b"}]', "its array is damaged after 1 rows"),
        ('[{"text": "a"}, broken, {"text": "c"}]', "row 2 of its array is no JSON"),
        ('{\n "data": [\n {"text": "a"}]}', "not JSON lines"),
        ("no JSON at all", "not JSON lines"),
    ],
)
def test_damage_is_said_after_what_could_be_read(array, content, said):
    source = TextFile(str(array(content)), "t.json", "text", len)
    found = []
    with pytest.raises(QueryError, match=said):
        found.extend(each.text for each in source.passages())
    assert found == (["a"] if content.startswith("[") else [])


def test_odd_rows_of_an_array_are_named(array):
    rows, source = read(array('["x", 1, null, {"text": "a"}, ["b"], {"text": 12.5}, {"text": null}]'))
    assert [text for _, text, _ in rows] == ["a", "12.5"]
    assert source.damaged == [f"row {n}: no JSON object" for n in (1, 2, 3, 5)]
    assert [text for _, text, _ in read(array('["x", "y"]'), None)[0]] == ["x", "y"]
    assert read(array("[]"))[0] == []


def test_a_row_that_is_too_long_is_said(array, monkeypatch):
    monkeypatch.setattr("lookalike.decode.tables.MAX_FIELD", 1000)
    monkeypatch.setattr(json_rows, "_PIECE", 100)
    with pytest.raises(QueryError, match=r"row 2 of its array is longer than"):
        read(array(json.dumps([{"text": "a"}, {"text": "x" * 5000}, {"text": "b"}])))


def test_lines_are_read_whatever_the_file_is_called(array):
    rows, source = read(array('{"text": "a"}\n\n{broken\n{"text": "b", "tags": ["x"]}\n'))
    assert [(row, text) for row, text, _ in rows] == [("1", "a"), ("3", "b")]
    assert source.damaged == ["row 2: no JSON"]


def test_columns_inside_others_and_such_with_dots(array):
    rows = [{"a": {"b": "inner", "c.d": {"e": "deep"}}, "a.x": "dotted", "n": 1}]
    path = array(json.dumps(rows))
    for column, text in (("a.b", "inner"), ("a.c.d.e", "deep"), ("a.x", "dotted")):
        assert [each[1] for each in read(path, column)[0]] == [text]
    with pytest.raises(UsageError, match=r"it has a\.b, a\.c\.d\.e, a\.x, n; did you mean a\.b"):
        read(path, "a.B")
    assert value_at({"a": {"b": None}, "a.b": 1}, "a.b") == 1


TEXTS = [
    ([{"role": "user", "content": "Hi there"}, {"role": "bot", "content": "Ho"}], "user: Hi there\nbot: Ho"),
    ([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho ho"}], "human: Hi\ngpt: Ho ho"),
    ({"role": "user", "content": [{"type": "text", "text": "Look at this"}]}, "user: Look at this"),
    (["one two", "three"], "one two\nthree"),
    (["I", "see", "it"], "I see it"),
    ({"question": "Why?", "answer": None, "score": 2}, "question: Why?\nscore: 2"),
    ([("a", 1), ("b", 2)], "a: 1\nb: 2"),
    ([[], {}, None, ""], ""),
    (True, "true"),
    (1.5, "1.5"),
    ("plain", "plain"),
    ("café".encode(), "café"),
    (b"caf\xe9", "caf\ufffd"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_values_become_texts_as_a_person_would_write_them(value, text):
    assert as_text(value) == text
