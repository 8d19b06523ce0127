"""Parquet files: what lies inside columns, bytes, chats, names with dots."""

import pytest

from lookalike.decode.texts import TextFile
from lookalike.errors import QueryError, UsageError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def read(tmp_path):
    def read(columns, column=None):
        path = tmp_path / "t.parquet"
        parquet.write_table(columns if isinstance(columns, arrow.Table) else arrow.table(columns), path)
        source = TextFile(str(path), path.name, column, len)
        rows = [(each.text, dict(each.metadata)) for each in source.passages()]
        return rows, source

    return read


def test_bytes_are_read_as_utf_8_and_damage_is_named(read):
    rows, source = read({"text": ["café".encode(), b"caf\xe9", None, "\ufffd".encode()], "n": [1, 2, 3, 4]})
    assert rows == [("café", {"n": 1}), ("caf\ufffd", {"n": 2}), ("\ufffd", {"n": 4})]
    assert (source.empty, source.remarks.lines()) == (
        1,
        ("bytes that are not utf-8, read as \ufffd: t.parquet#2",),
    )


def test_lists_records_and_chats_are_read_as_texts(read):
    chat = [{"role": "user", "content": "Grüß Gott"}, {"role": "assistant", "content": "Hello, you"}]
    assert read({"messages": [chat]}, "messages")[0] == [("user: Grüß Gott\nassistant: Hello, you", {})]
    assert read({"text": [["one two", "three"], ["I", "see"], []]})[0] == [
        ("one two\nthree", {}),
        ("I see", {}),
    ]
    assert read({"text": [{"q": "Why?", "a": "So."}]})[0] == [("q: Why?\na: So.", {})]
    pairs = arrow.array([[("a", "x"), ("b", "y")]], arrow.map_(arrow.string(), arrow.string()))
    assert read({"text": pairs})[0] == [("a: x\nb: y", {})]


def test_columns_inside_others_and_such_with_dots(read):
    inner = {"body": [{"b": "inner", "c.d": "deep"}, None], "body.b2": ["dotted", "d2"], "n": [1, 2]}
    assert read(inner, "body.b")[0] == [("inner", {"body_b2": "dotted", "n": 1})]
    assert read(inner, "body.c.d")[0] == [("deep", {"body_b2": "dotted", "n": 1})]
    assert [text for text, _ in read(inner, "body.b2")[0]] == ["dotted", "d2"]
    with pytest.raises(
        UsageError, match=r"it has body, body\.b, body\.c\.d, body\.b2, n; did you mean body\.b"
    ):
        read(inner, "body.x")
    assert read({"a": [{"text": "x"}], "b": [1]}, "a.text")[0] == [("x", {"b": 1})]


def test_other_columns_are_facts_if_they_are_plain(read):
    rows, source = read(
        {
            "text": ["x"],
            "raw": [b"\0\1"],
            "tags": [["a"]],
            "flag": [True],
            "price": arrow.array([None], arrow.float64()),
            "kind": arrow.array(["big"]).dictionary_encode(),
            **{f"c{n}": [n] for n in range(40)},
        }
    )
    assert rows[0][1] == {"flag": True, "kind": "big", **{f"c{n}": n for n in range(40)}}
    assert source.remarks.lines() == ()


def test_columns_beyond_what_is_kept_are_named(read):
    rows, source = read({"text": ["x"], **{f"c{n}": [n] for n in range(300)}})
    assert len(rows[0][1]) == 255
    assert source.remarks.lines()[0].startswith("columns beyond the 256th are left out ('c255'")


def test_what_is_no_parquet_file_is_refused(tmp_path):
    for name in ("t.parquet", "t.parquet.gz"):
        (tmp_path / name).write_bytes(b"PAR1 nothing")
        with pytest.raises(QueryError, match="not a Parquet file"):
            list(TextFile(str(tmp_path / name), name, None, len).passages())
