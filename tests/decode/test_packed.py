"""Files packed by gzip: each kind, within limits, damaged ones told."""

import gzip
import json

import pytest

from lookalike.decode import packed
from lookalike.decode.texts import TextFile, is_table
from lookalike.errors import QueryError

TEXTS = ["Größe, Straße", "Мой телефон"]
FILES = {
    "t.csv": "text\n" + "".join(f'"{each}"\n' for each in TEXTS),
    "t.tsv": "id\ttext\n" + "".join(f"1\t{each}\n" for each in TEXTS),
    "t.jsonl": "".join(json.dumps({"text": each}) + "\n" for each in TEXTS),
    "t.ndjson": "".join(json.dumps({"text": each}) + "\n" for each in TEXTS),
    "t.json": json.dumps([{"text": each} for each in TEXTS], indent=1),
    "t.txt": "\n\n".join(TEXTS),
    "t.md": "\n\n".join(TEXTS),
}


def read(path):
    return "\n\n".join(each.text for each in TextFile(str(path), path.name, None, len).passages())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_each_kind_may_be_packed(tmp_path, name, encoding):
    path = tmp_path / f"{name}.GZ"
    path.write_bytes(gzip.compress(FILES[name].encode(encoding)))
    assert read(path) == "\n\n".join(TEXTS)
    assert is_table(str(path)) == is_table(name)
    named = tmp_path / name  # its name does not say so
    named.write_bytes(path.read_bytes() + gzip.compress(b"") * 2)
    assert read(named) == "\n\n".join(TEXTS)


def test_parquet_may_be_packed(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"text": TEXTS}), tmp_path / "t.parquet")
    path = tmp_path / "u.parquet.gz"
    path.write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    assert read(path) == "\n\n".join(TEXTS)
    (tmp_path / "t.parquet").rename(tmp_path / "v.parquet.gz")
    assert read(tmp_path / "v.parquet.gz") == "\n\n".join(TEXTS)


@pytest.mark.parametrize("name", FILES)
def test_damage_is_told(tmp_path, name):
    path = tmp_path / f"{name}.gz"
    whole = gzip.compress(FILES[name].encode())
    for content, said in (
        (whole[:-9], "cut short|damaged"),
        (whole[:30] + b"\xff\xfe" + whole[32:], "packed bytes are damaged"),
        (whole + b"more", "packed bytes are damaged"),
        (FILES[name].encode(), "not packed by gzip"),
    ):
        path.write_bytes(content)
        with pytest.raises(QueryError, match=said):
            read(path)


def test_what_was_read_before_the_damage_is_there(tmp_path):
    path = tmp_path / "t.csv.gz"
    packed_bytes = gzip.compress(b"text\n" + b"".join(b"row %d\n" % n for n in range(200_000)))
    path.write_bytes(packed_bytes[: len(packed_bytes) // 2])
    found = []
    with pytest.raises(QueryError, match="cut short"):
        found.extend(each.text for each in TextFile(str(path), path.name, None, len).passages())


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz", "t.json.gz", "t.txt.gz", "t.csv"])
def test_a_bomb_is_refused(tmp_path, name, monkeypatch):
    monkeypatch.setattr(packed, "_MOST_UNPACKED", 1 << 20)
    path = tmp_path / name
    lines = b"[" + b'{"text": "a"},' * 10 if "json" in name else b"text\n" + b"a\n" * 10
    path.write_bytes(gzip.compress(lines + b" " * (64 << 20)))
    with pytest.raises(QueryError, match=r"becomes more than .* MiB when it is unpacked"):
        read(path)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.csv.gz"])
def test_a_line_without_end_is_refused(tmp_path, name, monkeypatch):
    monkeypatch.setattr("lookalike.decode.tables.LONGEST_LINE", 1 << 20)
    path = tmp_path / name
    content = b'{"text": "a"}\n' if "json" in name else b"text\na\n"
    content += b" " * (4 << 20)
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(QueryError, match="holds a line of more than 1 MiB"):
        read(path)


def test_an_empty_file_is_an_empty_one(tmp_path):
    path = tmp_path / "t.txt.gz"
    path.write_bytes(b"")
    assert read(path) == ""
