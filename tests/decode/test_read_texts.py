"""Tables and documents as people have them: encodings, quotes, gaps, damage, very long fields."""

import json

import pytest

from lookalike.decode.passages import passages
from lookalike.decode.texts import TextFile
from lookalike.errors import QueryError, UsageError


def read(path, column="text", reach=len):
    source = TextFile(str(path), str(path), column, reach)
    return [
        (each.uri.rpartition("#")[2], each.text, dict(each.metadata)) for each in source.passages()
    ], source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("id,text\n1,café für alle\n".encode(encoding))
    assert read(path)[0] == [("1", "café für alle", {"id_": "1"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_quotes_and_line_ends(tmp_path, delimiter):
    path = tmp_path / "t.csv"
    path.write_bytes(
        f'a{delimiter}text\r\n1{delimiter}"one ""two""\nthree"\r\n\r\n2{delimiter}x\r\n'.encode()
    )
    assert read(path)[0] == [("1", 'one "two"\nthree', {"a": "1"}), ("2", "x", {"a": "2"})]


def test_a_quote_that_nothing_closes_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,text\n1,"two\nlines"\n2,5" wide\n3,"open\n4,x\n5,y\n')
    rows, source = read(path)
    assert rows[:2] == [("1", "two\nlines", {"a": "1"}), ("2", '5" wide', {"a": "2"})]
    assert [text for _, text, _ in rows[2:]] == ['"open', "x", "y"]
    assert source.damaged == []
    (line,) = source.remarks.lines()
    assert line == f"a quote that nothing closes, taken for a letter: {path}#3"


def test_empty_and_short_rows_are_counted_not_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,text\n1,\n2,"  "\n3\n4,here\n')
    rows, source = read(path)
    assert rows == [("4", "here", {"a": "4"})]
    assert (source.rows, source.empty) == (4, 3)


def test_a_column_that_is_missing_is_said_with_those_there(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,Text\n1,x\n")
    with pytest.raises(UsageError, match=r"no column 'text': it has a, Text; did you mean Text\?"):
        read(path)
    with pytest.raises(UsageError, match="which column holds the texts"):
        read(path, column=None)


def test_a_field_of_ten_megabytes_is_read_in_passages(tmp_path):
    path = tmp_path / "t.csv"
    words = [f"word{n}" for n in range(1_000_000)]
    path.write_text("text\n" + " ".join(words) + "\nshort\n")
    rows, source = read(path, reach=lambda text: min(len(text), 4_000))
    assert path.stat().st_size > 10_000_000
    assert " ".join(text for _, text, _ in rows[:-1]).split() == words
    assert (rows[0][0], rows[-1][:2], source.split) == ("1.1", ("2", "short"), 1)


def test_json_lines_with_damage(tmp_path):
    path = tmp_path / "t.jsonl"
    lines = [json.dumps({"text": "one", "n": 1}), "{broken", json.dumps([1]), json.dumps({"text": None})]
    path.write_text("\n".join([*lines, json.dumps({"text": "two", "n": 2.5})]))
    rows, source = read(path)
    assert rows == [("1", "one", {"n": 1}), ("5", "two", {"n": 2.5})]
    assert source.damaged == ["row 2: no JSON", "row 3: no JSON object"]


def test_numbers_that_are_none_and_those_too_large(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"text": "one", "a": NaN, "b": -1e999, "c": 123456789012345678901, "d": true, "e": -2}\n'
    )
    assert read(path)[0] == [("1", "one", {"c": "123456789012345678901", "d": True, "e": -2})]


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"text": ["one", None, "three"], "n": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet")[0] == [("1", "one", {"n": 1}), ("3", "three", {"n": 3})]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(QueryError, match="not a Parquet file"):
        read(tmp_path / "bad.parquet")


def test_a_binary_file_by_the_name_of_a_text_is_refused(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"\x89PNG\0\0\0")
    with pytest.raises(QueryError, match="zero bytes"):
        read(path)


def test_passages_end_where_a_reader_would_pause():
    text = "First sentence. Second sentence here. Third one follows."
    assert list(passages(text, lambda rest: min(len(rest), 40))) == [
        "First sentence. Second sentence here.",
        "Third one follows.",
    ]
    assert list(passages("字" * 25, lambda rest: min(len(rest), 10))) == ["字" * 10, "字" * 10, "字" * 5]
