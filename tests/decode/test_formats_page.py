"""Each row of docs/formats.md about texts, with a file made for it."""

import codecs
import gzip
import json
import re
from pathlib import Path

import pytest

from lookalike.decode.tables import ReadAs
from lookalike.decode.texts import TextFile
from lookalike.errors import QueryError

PAGE = Path(__file__).parent.parent.parent / "docs" / "formats.md"
RUSSIAN, GERMAN = "Мой телефон сломался", "Größe, Straße"
CHAT = [{"role": "user", "content": "Hello, you"}, {"role": "bot", "content": "Hi there"}]


def documented():
    """The first cells of the tables of the section on texts."""
    section = PAGE.read_text(encoding="utf-8").partition("## Texts and tables\n")[2]
    section = re.split(r"^## ", section, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return [row for row in rows if row not in ("encoding", "file", "row", "value")]


class Case:
    """What a file holds, and what should come of it: texts, and what is said."""

    def __init__(self, name, content, texts, *, said="", damaged="", error="", column=None):
        self.name, self.content, self.texts = name, content, texts
        self.said, self.damaged, self.error, self.column = said, damaged, error, column

    def check(self, folder, read_as=ReadAs()):  # noqa: B008  # it never changes
        path = folder / self.name
        content = self.content(path) if callable(self.content) else self.content
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        source = TextFile(
            str(path), path.name, self.column, lambda text: min(len(text), 5000), read_as=read_as
        )
        texts = []
        try:
            texts += (each.text for each in source.passages())
        except QueryError as error:
            assert self.error, error
            assert self.error in str(error)
        else:
            assert not self.error
        assert texts == self.texts
        assert bool(self.said) == bool(source.remarks.lines()), source.remarks.lines()
        assert self.said in "".join(source.remarks.lines())
        assert self.damaged in "".join(source.damaged)
        assert bool(self.damaged) == bool(source.damaged)


def table(*texts):
    return "text\n" + "".join(f'"{text}"\n' for text in texts)


def parquet(**columns):
    def write(path):
        arrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), path)

    return write


BOTH = [RUSSIAN, GERMAN]
OF_EACH_KIND = {"a": 1, "b": "x" * 300, "c": None, "text": "t"}
CASES = {
    "UTF-8, with a mark or without": [
        Case("t.csv", table(*BOTH).encode(name), BOTH) for name in ("utf-8", "utf-8-sig")
    ],
    "UTF-16 and UTF-32 with a mark": [
        Case("t.csv", table(*BOTH).encode(name), BOTH) for name in ("utf-16", "utf-32")
    ]
    + [Case("t.csv", codecs.BOM_UTF16_BE + table(*BOTH).encode("utf-16-be"), BOTH)],
    "UTF-8 with damaged bytes": [
        Case("t.csv", table(*BOTH).encode() + b"x\xff\n", [*BOTH, "x\ufffd"], said="read as \ufffd: t.csv#3")
    ],
    "UTF-16 and UTF-32 without a mark": [
        Case("t.csv", table(*BOTH).encode(name), BOTH, said=f"read as {name}, a guess")
        for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    ],
    "another encoding": [
        Case("t.csv", table(text).encode(name), [text], said=f"read as {found}, a guess")
        for name, found, text in (
            ("cp1252", "cp1252", "Déjà vu à la plage, où l'été dure."),
            ("cp1250", "cp1250", "Příliš žluťoučký kůň"),
            ("cp1254", "cp1254", "Telefonumun ekranı kırıldı, sabah yağmur yağıyor, güneş"),
            ("cp1251", "cp1251", RUSSIAN),
            ("koi8_r", "koi8_r", RUSSIAN),
            ("cp866", "cp866", RUSSIAN),
            ("cp1253", "cp1253", "Καλημέρα, αγαπητοί φίλοι"),
            ("cp1255", "cp1255", "השמש זורחת היום, ואני הולך לים עם המשפחה שלי"),
            ("cp1256", "cp1256", "صباح الخير يا أصدقائي"),
            ("cp874", "cp874", "สวัสดีตอนเช้าเพื่อน"),
            ("shift_jis", "cp932", "今日は天気がいいですね。"),
            ("euc_jp", "euc_jp", "今日は天気がいいですね。"),
            ("iso2022_jp", "iso2022_jp_ext", "今日は天気がいいですね。"),
            ("gbk", "gb18030", "今天天气很好，我们去公园散步吧。"),
            ("big5", "big5", "今天天氣很好，我們去公園散步吧。"),
            ("euc_kr", "cp949", "오늘은 날씨가 좋네요."),
        )
    ],
    "so few letters that nothing can be told": [
        Case("t.txt", "naïve".encode("cp1252"), ["naïve"], said="read as cp1252, a guess")
    ],
    "two encodings in one file": [
        Case(
            "t.csv",
            b"text\n" + "Öl\n".encode() * 3 + "Öl\n".encode("cp1252"),
            ["Öl"] * 3 + ["\ufffdl"],
            said="t.csv#4",
        )
    ],
    "zero bytes in a table": [Case("t.csv", b"text\na\0b\n", ["ab"], said="zero bytes, left out: t.csv#1")],
    "zero bytes in a document": [
        Case("t.txt", b"a\0b and more", [], error="not a text: it holds zero bytes")
    ],
    "`.csv`": [
        Case("t.csv", f"id,{name}\n1,x\n", ["x"])
        for name in ("text", "texts", "sentence", "content", "body", "title")
    ]
    + [Case("t.csv", "only\nx\n", ["x"]), Case("t.csv", "a,b\n1,x\n", ["x"], column="b")],
    "`.tsv`": [Case("t.tsv", "id,a\ttext\n1\tx,y\n", ["x,y"])],
    "`.jsonl`, `.ndjson`": [
        Case(name, '{"text": "x"}\n\n{"text": "y"}', ["x", "y"]) for name in ("t.jsonl", "t.ndjson")
    ]
    + [Case("t.jsonl", '"x"\n"y"\n', ["x", "y"])],
    "`.json`": [
        Case("t.json", json.dumps([{"text": "x"}, {"text": "y"}], indent=2), ["x", "y"]),
        Case("t.json", '{"text": "x"}\n{"text": "y"}\n', ["x", "y"]),
        Case("t.json", '["x", "y"]', ["x", "y"]),
    ],
    "`.parquet`": [Case("t.parquet", parquet(text=["x", "y"], n=[1, 2]), ["x", "y"])],
    "`.txt`, `.md`, `.markdown`": [
        Case(name, "one\n\ntwo", ["one\n\ntwo"]) for name in ("t.txt", "t.md", "t.markdown")
    ],
    "packed by gzip": [
        Case("t.csv.gz", gzip.compress(table("x").encode()), ["x"]),
        Case("t.txt.gz", gzip.compress(b"x"), ["x"]),
        Case("t.csv", gzip.compress(table("x").encode()), ["x"]),
    ],
    "packed, and damaged or cut short": [
        Case("t.csv.gz", gzip.compress(table("x").encode())[:-4], ["x"], error="cut short")
    ],
    "a table that is a picture, a PDF, a database or an Excel file by its first bytes": [
        Case("t.csv", start, [], error="no table but")
        for start in (b"\x89PNG\r\n", b"%PDF-1", b"SQLite format 3\0", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    ],
    "more cells than the header, the text last": [
        Case("t.csv", "id,text\n1,Good morning, friends\n", ["Good morning, friends"], said="more cells")
    ],
    "more cells than the header, the text elsewhere": [
        Case("t.csv", "text,id\nGood morning, friends,1\nx,2\n", ["x"], damaged="row 1: 3 cells")
    ],
    "more cells than the header, all empty": [Case("t.csv", "text,id\nx,1,,\n", ["x"])],
    "fewer cells than the header": [Case("t.csv", "id,text,n\n1,x\n2\n", ["x"])],
    '`\\"` in a quoted cell': [Case("t.csv", 'text\n"say \\"hi\\", you"\n', ['say "hi", you'])],
    "a quote that nothing closes": [
        Case("t.csv", 'id,text\n1,"x\n2,y\n', ['"x', "y"], said="a quote that nothing")
    ],
    "a cell of more than 16 MiB": [
        Case("t.csv", b"text\n" + b"x" * ((16 << 20) + 1) + b"\ny\n", ["y"], damaged="row 1: field larger")
    ],
    "a line of more than 64 MiB": [
        Case("t.csv", b"text\nx\n" + b" " * ((64 << 20) + 1), ["x"], error="a line of more than 64 MiB")
    ],
    "`sep=;` in the first line": [Case("t.csv", "sep=;\nid,a;text\n1,2;x\n", ["x"])],
    "a delimiter": [Case("t.csv", f"id{sign}text\n1{sign}x\n", ["x"]) for sign in ",;\t|"],
    "a line that is no JSON": [Case("t.jsonl", '{"text": "x"}\n{"te\n', ["x"], damaged="row 2: no JSON")],
    "damage inside a JSON array": [Case("t.json", '[{"text": "x"}, {]', ["x"], error="row 2 of its array")],
    "nothing that can be seen (spaces, zero-width letters, marks)": [
        Case("t.csv", table("x", " ", "\u200b", "\ufe0f", "\ufeff"), ["x"])
    ],
    "longer than the model reads": [
        Case("t.csv", table("word " * 1500), [("word " * 1000)[:-1], ("word " * 500)[:-1]])
    ],
    "bytes": [
        Case("t.parquet", parquet(text=["Öl".encode(), b"\xff"]), ["Öl", "\ufffd"], said="t.parquet#2")
    ],
    "a chat: records with who (role, from …) and what (content, value …)": [
        Case("t.jsonl", json.dumps({"text": CHAT}), ["user: Hello, you\nbot: Hi there"]),
        Case("t.jsonl", json.dumps({"text": [{"from": "me", "value": "a b"}]}), ["me: a b"]),
        Case("t.parquet", parquet(text=[CHAT]), ["user: Hello, you\nbot: Hi there"]),
    ],
    "a list": [
        Case("t.jsonl", '{"text": ["a b", "c"]}', ["a b\nc"]),
        Case("t.parquet", parquet(text=[["a", "b"]]), ["a b"]),
    ],
    "a record": [Case("t.jsonl", '{"text": {"question": "Why?", "n": 1}}', ["question: Why?\nn: 1"])],
    "a number, true or false": [Case("t.jsonl", '{"text": 1.5}\n{"text": true}', ["1.5", "true"])],
    "a column inside others": [
        Case("t.jsonl", '{"a": {"b": "x"}}', ["x"], column="a.b"),
        Case("t.parquet", parquet(a=[{"b": "x"}], n=[1]), ["x"], column="a.b"),
        Case("t.jsonl", '{"a": {"b": "x"}, "a.b": "y"}', ["y"], column="a.b"),
    ],
    "other columns": [
        Case(
            "t.jsonl",
            json.dumps({"text": "x", **dict.fromkeys(map(str, range(256)), 1)}),
            ["x"],
            said="beyond the 256th",
        )
    ],
    "half of a surrogate pair": [
        Case("t.jsonl", '{"text": "a\\ud800"}', ["a\ufffd"], said="halves of letters")
    ],
}


def test_every_row_of_the_page_has_a_case_and_the_other_way_round():
    assert documented() == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_the_page_is_right(row, tmp_path):
    for case in CASES[row]:
        case.check(tmp_path)


def test_other_columns_are_as_the_page_says(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(OF_EACH_KIND))
    (passage,) = TextFile(str(path), "t.jsonl", None, len).passages()
    assert passage.metadata == {"a": 1, "b": "x" * 200}


def test_what_is_given_decides(tmp_path):
    Case("t.csv", table(RUSSIAN).encode("cp866"), [RUSSIAN]).check(tmp_path, ReadAs("cp866", None))
    Case("t.csv", "a;b;c,text\n1;2;3,x\n", ["x"]).check(tmp_path, ReadAs(None, ","))
