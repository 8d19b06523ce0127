"""The command line on a collection of texts: what is written is what is searched by."""

from __future__ import annotations

import csv

import pytest

from lookalike.embedders.fake import FakeTextEmbedder

TEXTS = (
    "my phone screen is broken",
    "the screen of my phone broke",
    "rain in the morning",
    "sun in the afternoon",
    "my phone screen is broken",
    "order number 4711 was lost",
)


@pytest.fixture
def embedder():
    return FakeTextEmbedder


@pytest.fixture
def texts(run, tmp_path, monkeypatch):
    """A run of the command line on six texts, five of them different."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("said",), *((text,) for text in TEXTS)])
    told = run("add", "rows.csv", "--column", "said")
    assert told.out == "found 6 = 5 added + 1 unchanged + 0 moved + 0 updated + 0 skipped\n"
    assert told.err.splitlines()[0] == "copies of another text: 1"
    return run


def test_a_text_is_searched_by_as_it_is_written(texts):
    told = texts("search", "a broken phone screen", "-k", 2)
    assert told.lines[0].split() == ["score", "id", "text"]
    assert told.lines[1].endswith(f"  {TEXTS[0]}  (at 2 places)")
    assert [hit["text"] for hit in texts("search", "rain in the sun", "-k", 2, "--json").json[0]["hits"]] == [
        TEXTS[2],
        TEXTS[3],
    ]


def test_texts_and_items_are_answered_one_by_one(texts):
    told = texts("search", "the rain", "1", "-k", 1)
    assert [line for line in told.lines if line.endswith(":")] == ['words:"the rain":', "1:"]
    assert [line.split("  ")[-1] for line in told.lines[2::3]] == [TEXTS[2], TEXTS[1]]


def test_texts_to_be_unlike_and_exact_words(texts):
    told = texts("search", "the morning the afternoon", "--unlike", "rain morning", "-k", 1)
    assert told.lines[1].endswith(TEXTS[3])
    told = texts("search", "4711", "--words", "number 4711", "--hybrid", "-k", 1)
    assert (told.code, told.err) == (1, "lookalike: item 4711 is not in this collection\n")
    told = texts("search", "number 4711", "--hybrid", "-k", 1)
    assert told.lines[1].endswith(f"{TEXTS[5]}  (these words)")


def test_a_text_as_long_as_no_file_name_is_a_text(texts):
    assert texts("search", "rain in the morning " * 300, "-k", 1).lines[1].endswith(TEXTS[2])


def test_a_file_is_no_text_and_a_sheet_shows_none(texts, tmp_path):
    said = "rows.csv is a file, and this collection holds texts: write the text, or --words rows.csv"
    assert texts("search", "rows.csv").err == f"lookalike: {said}\n"
    assert texts("search", "--words", "rain", "--unlike", "rows.csv").err == f"lookalike: {said}\n"
    told = texts("search", "the rain", "--sheet", tmp_path / "hits.png")
    assert told.err == "lookalike: a sheet shows photos, and this collection holds texts\n"
    assert not (tmp_path / "hits.png").exists()


def test_what_is_guessed_and_odd_is_told_after_adding(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes("id,text\n1,Мой телефон сломался\n2,Где мои ключи\n".encode("cp1251"))
    (tmp_path / "b.csv").write_bytes(
        "id,text\n1,Good morning, friends\n2,Größe\n".encode() + b"3,\xff\n4,\xff\n"
    )
    told = run("add", "a.csv", "b.csv", "--column", "text")
    assert told.out.startswith("found 6 = 5 added")  # the two damaged ones are one text
    assert told.err.splitlines()[:-1] == [
        "copies of another text: 1",
        f"read as cp1251, a guess that --encoding NAME overrides: {tmp_path / 'a.csv'}",
        "more cells than the header has, taken for one text with the delimiter in it: "
        f"{tmp_path / 'b.csv'}#1",
        f"bytes that are not utf-8, read as \ufffd: {tmp_path / 'b.csv'}#3, {tmp_path / 'b.csv'}#4",
    ]
    report = run("add", "a.csv", "--encoding", "cp1251", "--json").json[-1]
    assert (report["unchanged"], report["remarks"]) == (2, [])
    told = run("add", "a.csv", "--encoding", "cp866", "--json")
    assert (told.json[-1]["updated"], told.code) == (2, 0)
    assert (
        run("add", "a.csv", "--json").json[-1]["unchanged"] == 2
    )  # what was given holds until the file changes


def test_options_of_texts_that_make_no_sense_are_refused_before_anything_is_made(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a|text\n1|x;y\n")
    told = run("add", "a.csv", "--encoding", "cp12521")
    assert told.code == 2
    assert told.err.startswith(
        "lookalike: no encoding 'cp12521': did you mean cp1252? there are utf-8, cp1252"
    )
    told = run("add", "a.csv", "--delimiter", "--")
    assert (told.code, told.err) == (
        2,
        "lookalike: a delimiter is one sign such as ; or one of tab, comma, semicolon, pipe, space; "
        "got '--'\n",
    )
    assert not list(tmp_path.glob("*.lookalike"))
    assert run("add", "a.csv", "--delimiter", "pipe").code == 0
    assert run("search", "x;y", "-k", "1").lines[1].endswith("x;y")
