"""Tables as people write them: cells too many, escapes, quotes, first lines, columns, what nobody can see."""

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.decode import delimited
from lookalike.decode.delimited import DelimitedReader
from lookalike.decode.tables import ReadAs, TableFile
from lookalike.decode.texts import TextFile
from lookalike.errors import QueryError, UsageError

JOINED = "more cells than the header has, taken for one text with the delimiter in it"
STRAY = "a quote that nothing closes, taken for a letter"


@pytest.fixture
def read(tmp_path):
    """Write a file and read it; what comes back are its rows, what is damaged and what is remarked."""

    def read(content, name="t.csv", column="text", delimiter=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        read_as = ReadAs(None, delimiter)
        source = TextFile(str(path), name, column, len, read_as=read_as)
        rows = [(each.uri.rpartition("#")[2], each.text, dict(each.metadata)) for each in source.passages()]
        return rows, source.damaged, list(source.remarks.lines())

    return read


def texts(rows):
    return [text for _, text, _ in rows]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\nGood morning, dear friends\nplain\n", ["Good morning, dear friends", "plain"]),
        ("id,text\n1,Good morning, dear friends\n2,plain\n", ["Good morning, dear friends", "plain"]),
        ("id;text\n1;a; b;c\n2;plain\n", ["a; b;c", "plain"]),
        ('id,text\n1,He said "hi", and left\n2,plain\n', ['He said "hi", and left', "plain"]),
        ("id\ttext\n1\ta\tb\n2\tplain\n", ["a\tb", "plain"]),
    ],
)
def test_cells_too_many_belong_to_a_text_that_is_last(read, content, expected):
    rows, damaged, remarks = read(content)
    assert (texts(rows), damaged) == (expected, [])
    assert remarks == [f"{JOINED}: t.csv#1"]


def test_cells_too_many_beside_a_text_damage_the_row(read):
    rows, damaged, remarks = read("text,mood\nGood morning, dear friends,glad\nplain,sad\n")
    assert rows == [("2", "plain", {"mood": "sad"})]
    assert damaged == ["row 1: 3 cells where the header has 2; a cell with the delimiter in it needs quotes"]
    assert remarks == []


def test_empty_cells_too_many_are_nothing(read):
    rows, damaged, remarks = read("text,mood,,\nhello,glad,,\nplain,sad, ,,,\nshort\n")
    assert rows == [("1", "hello", {"mood": "glad"}), ("2", "plain", {"mood": "sad"}), ("3", "short", {})]
    assert (damaged, remarks) == ([], [])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r'1,"He said \"hi\""', 'He said "hi"'),
        (r'1,"He said \"hi\", and left"', 'He said "hi", and left'),
        (r'1,"\"Hi\" he said"', '"Hi" he said'),
        ('1,"two \\"lines\\"\nof it"', 'two "lines"\nof it'),
        (r'1,"a path C:\\"', "a path C:\\\\"),
        (r'1,"\"a\" and C:\new"', '"a" and C:\\new'),
    ],
)
@pytest.mark.parametrize("before", [0, 1000])
def test_a_backslash_makes_a_quote_a_letter(read, line, text, before):
    """In the first lines, or only far on."""
    if before and ("\n" in line or line.endswith(r'\\"')):
        return  # far on, such a row cannot be told from one of others
    plain = "".join(f'0,"plain {n}"\n' for n in range(before))
    rows, damaged, remarks = read(f'id,text\n{plain}{line}\n2,"after, it"\n')
    if line.endswith(r'\\"'):
        text = text[:-1] + "\\"
    assert texts(rows)[before:] == [text, "after, it"]
    assert (damaged, remarks) == ([], [])


def test_a_backslash_before_the_end_of_a_cell_is_a_letter(read):
    rows, damaged, _ = read('text,n\n"C:\\dir\\",1\n"D:\\",2\n"say ""hi""",3\n')
    assert (texts(rows), damaged) == (["C:\\dir\\", "D:\\", 'say "hi"'], [])


def test_quotes_that_nothing_closes_swallow_nothing(read):
    rows, damaged, remarks = read('a,text\n1,"two\nlines"\n2,5" wide\n3,"open\n4,x\n5,y\n')
    assert texts(rows) == ["two\nlines", '5" wide', '"open', "x", "y"]
    assert [row for row, *_ in rows] == list("12345")
    assert (damaged, remarks) == ([], [f"{STRAY}: t.csv#3"])


def test_a_stray_quote_that_another_closes_swallows_nothing(read):
    rows, damaged, remarks = read('a,text\n1,"open\n2,x\n3,"y" z\n4,"fine, it is"\n')
    assert texts(rows) == ['"open', "x", "y z", "fine, it is"]
    assert (damaged, remarks) == ([], [f"{STRAY}: t.csv#1"])


def test_a_row_that_an_open_quote_cuts_is_named(read):
    rows, damaged, _ = read('a,text,b\n1,x,y\n2,"open, it\n3,z,y\n')
    assert texts(rows) == ["x", '"open', "z"] or texts(rows) == ["x", "z"]
    rows, damaged, _ = read('a,text,b\n1,x,y\n2,"open\n3,z,y\n')
    assert texts(rows) == ["x", "z"]
    assert damaged == ["row 2: a quote that nothing closes, 2 lines long"]


def test_many_open_quotes_end(read, monkeypatch):
    rows, damaged, remarks = read("text\n" + '"open\n' * 50)
    assert texts(rows) == [*['"open'] * 49, "open"]
    assert (damaged, remarks) == ([], [f"{STRAY}: t.csv#1, t.csv#2, t.csv#3 and 46 more"])
    monkeypatch.setattr(delimited, "_MOST_REREAD", 100)
    rows, damaged, _ = read('text\nx\n"open\n' + "line\n" * 40)
    assert texts(rows) == ["x"]
    assert damaged == ["row 2: a quote that nothing closes, 41 lines long"]


def test_a_cell_that_is_too_long_costs_its_row_only(read, monkeypatch):
    monkeypatch.setattr("lookalike.decode.tables.MAX_FIELD", 100)
    rows, damaged, _ = read(f"text\nfirst\n{'x' * 101}\nlast\n")
    assert texts(rows) == ["first", "last"]
    assert damaged == ["row 2: field larger than field limit (100)"]
    rows, damaged, remarks = read('text\n"open\n' + "line\n" * 40)
    assert texts(rows) == ['"open', *["line"] * 40]
    assert remarks == [f"{STRAY}: t.csv#1"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "sep=;;", "\ufeffsep=;"])
def test_the_first_line_of_excel_names_the_delimiter(read, first):
    rows, *_ = read(f"{first}\r\nid;text\r\n1;a, b\r\n")
    assert rows == [("1", "a, b", {"id_": "1"})]


def test_a_tab_is_named_by_excel_too(read):
    assert texts(read("sep=\t\nid,a\ttext\n1,2\tx\n")[0]) == ["x"]
    with pytest.raises(QueryError, match="an empty table"):
        read("sep=;\n")


@pytest.mark.parametrize("given", [";", "semicolon", "SEMICOLON"])
def test_a_delimiter_that_is_given_decides(read, given):
    content = "a,b,c;text\n1,2,3;hello, you\n"
    assert texts(read(content, delimiter=given)[0]) == ["hello, you"]
    with pytest.raises(UsageError, match="no column 'text'"):
        read(content)


@pytest.mark.parametrize(
    ("given", "letter"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("^", "^"), ("space", " ")]
)
def test_delimiters_have_names(given, letter):
    assert ReadAs(None, given).delimiter == letter


@pytest.mark.parametrize("given", ["", ",,", '"', "\n", "a", "7", "spcae"])
def test_what_is_no_delimiter_is_refused(given):
    with pytest.raises(UsageError, match="a delimiter is one sign such as ; or one of tab, comma"):
        ReadAs(None, given)


INVISIBLE = [
    "\u200b",
    "\ufeff\u200d ",
    "\u00ad",
    "\ufe0f",
    "\x01\x02",
    "\u3000\u00a0",
    "\u2060\u2063",
    "\U000e0041",
    "\u3164",
    "\u2800",
]


@pytest.mark.parametrize("text", INVISIBLE)
def test_a_text_of_which_nothing_can_be_seen_is_empty(read, tmp_path, text):
    rows, *_ = read(f'id,text\n1,"{text}"\n2,{text}{text}\n3,a{text}b\n')
    assert [row for row, *_ in rows] == ["3"]
    source = TextFile(str(tmp_path / "t.csv"), "t.csv", "text", len)
    assert (len(list(source.passages())), source.empty) == (1, 2)


@pytest.mark.parametrize(
    "text", ["\U0001f469\u200d\U0001f467", "\u2764\ufe0f", ".", "\u0e01", "1\ufe0f\u20e3", "\u0301"]
)
def test_a_text_of_signs_is_no_empty_one(read, text):
    assert texts(read(f"id,text\n1,{text}\n")[0]) == [text]


def test_columns_are_kept_and_those_beyond_are_named(read):
    names = [f"c{n}" for n in range(300)]
    rows, _, remarks = read(",".join([*names, "text"]) + "\n" + ",".join(["v"] * 301) + "\n")
    assert list(rows[0][2]) == names[:256]
    assert remarks == [
        "columns beyond the 256th are left out ('c256', 'c257', 'c258', 'c259', 'c260' …): t.csv"
    ]
    rows, _, remarks = read(",".join([*names[:40], "text"]) + "\n" + ",".join(["v"] * 41) + "\n")
    assert (list(rows[0][2]), remarks) == (names[:40], [])
    content = json.dumps({"text": "x", **dict.fromkeys(names, 1)})
    rows, _, remarks = read(content, "t.jsonl")
    assert len(rows[0][2]) == 255
    assert "columns beyond the 256th are left out ('c255'" in remarks[0]


def test_lone_surrogates_of_json_are_replaced(read):
    rows, *_ = read('{"text": "a\\ud800b", "mood": "\\udfff!"}\n', "t.jsonl")
    assert rows == [("1", "a\ufffdb", {"mood": "\ufffd!"})]


def test_what_is_no_table_is_refused_by_what_it_is(read):
    for content, what in (
        (b"PK\x03\x04 etc", "an Excel file"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n", "a picture"),
    ):
        for name in ("t.csv", "t.json", "t.jsonl"):
            with pytest.raises(QueryError, match=f"no table but {what}"):
                read(content, name)


def test_the_beginning_tells_whether_the_column_is_there(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("sep=;\nid;text\n1;Größe\n".encode("utf-16-le"))
    TableFile(str(path), "text").check_column()
    with pytest.raises(UsageError, match="no column 'txet'"):
        TableFile(str(path), "txet").check_column()


CELLS = st.lists(st.tuples(st.text("ab\\\",;|\t\n'é "), st.text('ab\\",;\n ')), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None)
@given(CELLS, st.sampled_from(",;\t|^"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_is_written_by_the_rules_is_read_so(rows, delimiter, quoting):
    """Nothing that is done about those who do not keep to the rules changes what others write."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting)
    writer.writerows([("a", "text"), *rows])
    wrong = []
    reader = DelimitedReader(
        written.getvalue().splitlines(keepends=True),
        "text",
        delimiter,
        ("utf-8", 1 << 20),
        lambda *what: wrong.append(what),
        lambda *what: wrong.append(what),
    )
    assert [(facts.get("a", ""), text) for _, text, facts in reader.rows()] == rows
    assert wrong == []


@settings(max_examples=300, deadline=None)
@given(st.text('ab\\",;\n\r\0é '), st.sampled_from([None, ",", ";"]))
def test_whatever_is_written_is_read_to_its_end(content, delimiter):
    told = []
    lines = io.StringIO("a,text\n" + content, newline="")
    reader = DelimitedReader(
        lines,
        None,
        delimiter,
        ("utf-8", 50),
        lambda *what: told.append(what),
        lambda *what: told.append(what),
    )
    with contextlib.suppress(QueryError, UsageError):
        found = [(number, text) for number, text, _ in reader.rows()]
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers))
