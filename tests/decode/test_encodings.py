"""Encodings as files have them: marked, damaged, guessed and told, given by name."""

import random

import pytest

from lookalike.decode.encodings import check_encoding, encoding_of
from lookalike.decode.tables import ReadAs
from lookalike.decode.texts import TextFile
from lookalike.errors import UsageError

SENTENCES = {
    "cp1252": [
        "Déjà vu à la plage, où l'été dure.",
        "Größe, Straße und Öl",
        "¡Qué día más bonito!",
        "it’s “fine”",
    ],
    "cp1251": ["Мой телефон сломался", "Погода сегодня хорошая", "Где мои ключи?"],
    "koi8_r": ["Мой телефон сломался", "Погода сегодня хорошая", "Где мои ключи?"],
    "cp866": ["Мой телефон сломался", "Погода сегодня хорошая", "Где мои ключи?"],
    "cp1250": ["Příliš žluťoučký kůň", "Zażółć gęślą jaźń", "dzień dobry, jak się masz?"],
    "cp1253": ["Καλημέρα, αγαπητοί φίλοι", "τι κάνετε σήμερα;"],
    "cp1256": ["صباح الخير يا أصدقائي", "الطقس جميل اليوم"],
    "cp1255": ["השמש זורחת היום, ואני הולך לים עם המשפחה", "מזג האוויר נפלא"],
    "cp874": ["สวัสดีตอนเช้า", "วันนี้อากาศดีมาก"],
    "shift_jis": ["携帯の画面が割れた", "今日は天気がいいですね。", "カタカナ"],
    "euc_jp": ["携帯の画面が割れた", "今日は天気がいいですね。", "カタカナ"],
    "gbk": ["手机屏幕坏了", "今天天气很好，我们去公园散步吧。", "我爱北京"],
    "big5": ["手機螢幕壞了", "今天天氣很好，我們去公園散步吧。"],
    "euc_kr": ["휴대폰 화면이 깨졌어요", "오늘은 날씨가 좋네요."],
    "iso2022_jp": ["携帯の画面が割れた", "今日は天気がいいですね。"],
    "utf-16-le": ["café für alle", "Мой телефон сломался", "上海的天气很好", "携帯の画面が割れた"],
    "utf-16-be": ["café für alle", "Мой телефон сломался", "上海的天气很好", "携帯の画面が割れた"],
    "utf-32-le": ["café für alle", "Мой телефон сломался", "上海的天气很好"],
    "utf-32-be": ["café für alle", "Мой телефон сломался", "上海的天气很好"],
}
UNREADABLE = "bytes that are not utf-8, read as \ufffd"


def table(sentences):
    return "id,text\n" + "".join(f'{number},"{each}"\n' for number, each in enumerate(sentences, 1))


def read(path, encoding=None):
    source = TextFile(str(path), path.name, None, len, read_as=ReadAs(encoding, None))
    texts = [each.text for each in source.passages()]
    return texts, source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_is_marked_or_utf_8_is_no_guess(tmp_path, encoding):
    path = tmp_path / "t.csv"
    every = [each for some in SENTENCES.values() for each in some]
    path.write_bytes(table(every).encode(encoding))
    texts, source = read(path)
    assert texts == every
    assert source.remarks.lines() == ()


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("encoding", SENTENCES)
def test_another_encoding_is_found_out_and_told(tmp_path, encoding, times):
    for name, content in (("t.csv", table(SENTENCES[encoding] * times)), ("t.txt", SENTENCES[encoding][0])):
        if name == "t.txt" and encoding == "cp1255":
            content = "\n".join(SENTENCES[encoding])  # noqa: PLW2901  # shorter, it may be Russian
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        texts, source = read(path)
        assert texts == (SENTENCES[encoding] * times if name == "t.csv" else [content])
        (line,) = source.remarks.lines()
        assert line == f"read as {source.encoding}, a guess that --encoding NAME overrides: {name}"


def test_few_letters_are_read_as_most_files_of_their_kind_are(tmp_path):
    path = tmp_path / "t.csv"
    for text in ("café", "naïve", "£5", "Zürich"):
        path.write_bytes(table([text, "plain"]).encode("cp1252"))
        texts, source = read(path)
        assert (texts, source.encoding) == ([text, "plain"], "cp1252")
        assert "a guess" in source.remarks.lines()[0]


STRAY = {
    "a stray byte": (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
    "half a letter": ("né".encode()[:-1] + b" x", "n\ufffd x"),
    "a surrogate in bytes": (b"a \xed\xa0\x80 b", "a \ufffd"),
    "an overlong letter": (b"a \xc0\xaf b", "a \ufffd"),
}


@pytest.mark.parametrize("where", [0, 500, 999])
@pytest.mark.parametrize("stray", STRAY)
def test_damaged_utf_8_stays_utf_8_and_its_rows_are_named(tmp_path, stray, where):
    content, shown = STRAY[stray]
    rows = [f"Größe {n}, 今天, café".encode() for n in range(1000)]
    rows[where] = content
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\n" + b"".join(b'"%s"\n' % row for row in rows))
    texts, source = read(path)
    assert len(texts) == 1000
    assert texts[where].startswith(shown)
    assert [text for at, text in enumerate(texts) if at != where] == [
        row.decode() for at, row in enumerate(rows) if at != where
    ]
    assert source.remarks.lines() == (f"{UNREADABLE}: t.csv#{where + 1}",)


def test_a_stray_byte_at_the_end_of_a_long_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\n" + "Größe\n".encode() * 300_000 + b"\xff\n")
    texts, source = read(path)
    assert set(texts) == {"Größe", "\ufffd"}
    assert source.remarks.lines() == (f"{UNREADABLE}: t.csv#300001",)


def test_every_damaged_row_counts_and_the_first_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\n" + "Größe\n".encode() * 10 + b"a\xff\n\xfeb\n" * 6)
    assert read(path)[1].remarks.lines() == (f"{UNREADABLE}: t.csv#11, t.csv#12, t.csv#13 and 9 more",)


def test_damage_in_what_is_not_read_by_lines(tmp_path):
    (tmp_path / "t.jsonl").write_bytes('{"text": "Größe, Öl"}\n'.encode() + b'{"text": "a\xff"}\n')
    (tmp_path / "t.json").write_bytes(
        '[{"text": "Größe, Öl"},\n'.encode() + b'{"text": "a\xff", "b": "\xff"}]'
    )
    (tmp_path / "t.txt").write_bytes("Größe, Öl ".encode() + b"a\xff")
    for name, place in (("t.jsonl", "t.jsonl#2"), ("t.json", "t.json#2"), ("t.txt", "t.txt")):
        texts, source = read(tmp_path / name)
        assert " ".join(texts) == "Größe, Öl a\ufffd"
        assert source.remarks.lines() == (f"{UNREADABLE}: {place}",)


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "gbk"])
def test_damage_does_not_change_what_another_encoding_is_taken_for(tmp_path, encoding):
    good = SENTENCES[encoding] * 10
    path = tmp_path / "t.csv"
    path.write_bytes(table(good).encode(encoding) + b"99,bad \x98\xff here\n" + b"100,fine\n")
    texts, source = read(path)
    assert texts[: len(good)] == good
    assert texts[-1] == "fine"
    assert source.encoding == {"shift_jis": "cp932", "gbk": "gb18030"}.get(encoding, encoding)
    assert any(line.endswith(f"t.csv#{len(good) + 1}") for line in source.remarks.lines())


def test_two_encodings_in_one_file_are_read_as_the_one_that_has_more(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\n" + "Größe\n".encode() * 30 + "Größe\n".encode("cp1252") * 10)
    texts, source = read(path)
    assert texts[:30] == ["Größe"] * 30
    assert source.remarks.lines() == (f"{UNREADABLE}: t.csv#31, t.csv#32, t.csv#33 and 7 more",)


def test_zero_bytes_are_no_sign_of_wide_letters_by_themselves(tmp_path):
    path = tmp_path / "t.csv"
    for content in (b"text\na\0b\n\0\0\n", b"text\n\0\0\0\nabc\n", b"te\0xt\n" + b"word \0word\n" * 500):
        path.write_bytes(content)
        texts, source = read(path)
        assert "".join(texts) == content.partition(b"\n")[2].replace(b"\0", b"").replace(b"\n", b"").decode()
        assert source.encoding == "utf-8"
        assert source.remarks.lines()[0].startswith("zero bytes, left out: t.csv")


def test_an_encoding_that_is_given_decides(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(table(["привет", "ок"]).encode("cp866"))
    texts, source = read(path, "cp866")
    assert (texts, source.remarks.lines()) == (["привет", "ок"], ())
    path.write_bytes(b"\xef\xbb\xbftext\nan\xff\n")
    texts, source = read(path, "UTF8")
    assert (texts, source.remarks.lines()) == (["an\ufffd"], (f"{UNREADABLE}: t.csv#1",))


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "latin1", "Shift-JIS", "windows-1251", "utf-16-le", "mac_roman"]
)
def test_names_of_encodings_are_known(name):
    assert b"a\0b\0".decode(check_encoding(name), "replace")


@pytest.mark.parametrize(
    "name", ["cp12521", "rot13", "base64", "", "utf-9", "\0", "undefined", "idna", "ansi"]
)
def test_what_is_no_encoding_is_refused_with_those_there_are(name):
    with pytest.raises(UsageError, match=r"no encoding .*there are utf-8, cp1252"):
        check_encoding(name)
    with pytest.raises(UsageError, match="did you mean cp1252"):
        check_encoding("cp12521")


def test_any_bytes_are_read_as_something(tmp_path):
    path = tmp_path / "t.txt"
    dice = random.Random(5)
    for _ in range(100):
        path.write_bytes(dice.randbytes(dice.choice([1, 2, 3, 10, 400])).replace(b"\0", b"a"))
        assert encoding_of(str(path))
        read(path)
