"""Tables with a column of vectors, as other programs write them, and files that are none."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from import_helpers import Imported, listed, random_rows

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import LookalikeError, UsageError

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

ROWS = random_rows(300, 12)
NAMES = [f"{at}.jpg" for at in range(300)]
TEXTS = [f"text number {at}" for at in range(300)]


@pytest.fixture
def imported(tmp_path):
    return Imported(tmp_path / "c.lookalike")


def arrow(kind, column="embedding", names="path", values=NAMES):
    """A Parquet file with vectors in a type of Arrow."""

    def write(path):
        rows = pyarrow.array(ROWS.tolist(), kind)
        parquet.write_table(pyarrow.table({names: values, "n": range(300), column: rows}), path)

    return "t.parquet", write


def lines(column="embedding", names="path"):
    def write(path):
        rows = ({names: name, "n": at, column: ROWS[at].tolist()} for at, name in enumerate(NAMES))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return "t.jsonl", write


def csv(shown, column="embedding", name="t.csv"):
    """A CSV file, as pandas writes what a cell holds."""

    def write(path):
        rows = (f'{name},{at},"{shown(ROWS[at])}"' for at, name in enumerate(NAMES))
        listed(path, [f"path,n,{column}", *rows])

    return name, write


def whole(shape):
    def write(path):
        records = [
            {"filepath": name, "n": at, "embedding": ROWS[at].tolist()} for at, name in enumerate(NAMES)
        ]
        path.write_text(json.dumps(shape(records)))

    return "t.json", write


def columns(records):
    return {name: [each[name] for each in records] for name in records[0]}


def indexed(records):
    return {
        name: {str(at): each for at, each in enumerate(values)} for name, values in columns(records).items()
    }


FLOAT = pyarrow.float32()
WRITTEN = {
    "a list of Arrow": arrow(pyarrow.list_(FLOAT)),
    "a list of doubles": arrow(pyarrow.list_(pyarrow.float64()), "embeddings"),
    "LanceDB's": arrow(pyarrow.list_(FLOAT, 12), "vector", "file_name"),
    "halves": arrow(pyarrow.list_(pyarrow.float16(), 12), "Embedding"),
    "a large list": arrow(pyarrow.large_list(FLOAT), "image_embedding"),
    "one list of floats": arrow(pyarrow.list_(FLOAT), "clip_b32"),
    "JSON lines": lines(),
    "JSON lines of vectors": lines("vector", "filename"),
    "CSV of JSON": csv(lambda row: json.dumps(row.tolist())),
    "CSV of numpy": csv(str, "vector"),
    "CSV of repr": csv(lambda row: f"array({row.tolist()}, dtype=float32)"),
    "bare numbers": csv(lambda row: " ".join(map(str, row))),
    "TSV": ("t.tsv", lambda path: listed(path, ["path\tembedding", *(f"{n}\t{r.tolist()}" for n, r in
    zip(NAMES, ROWS, strict=True))])), "records": whole(lambda records: records), "a data set": whole(lambda
    records: {"name": "x", "info": {}, "samples": records}), "columns": whole(columns), "columns by row":
    whole(indexed),
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN)
def test_a_table_with_vectors_becomes_a_collection(tmp_path, imported, how):
    name, write = WRITTEN[how]
    write(tmp_path / name)
    report = imported.add(tmp_path / name)
    assert (report.added, report.space.name, report.space.dim, report.space.kind) == (300, "t", 12, "photo")
    assert not report.space.approximate
    vectors, uris = imported.vectors("t"), imported.uris()
    for at in (0, 7, 299):
        vector = vectors[uris[str(tmp_path / NAMES[at])]]
        assert vector @ ROWS[at] == pytest.approx(np.linalg.norm(ROWS[at]), rel=1e-3)
    with Collection(imported.folder) as collection:
        (item,) = [each for each in collection.items(limit=300) if each.uri.endswith("/7.jpg")]
    assert {name: int(value) for name, value in item.metadata.items()} in ({"n": 7}, {})
    assert imported.add(tmp_path / name).unchanged == 300


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.json", "t.csv"])
def test_a_table_of_texts(tmp_path, imported, name):
    path = tmp_path / name
    records = [{"text": text, "label": at % 3, "vector": ROWS[at].tolist()} for at, text in enumerate(TEXTS)]
    if name == "t.parquet":
        parquet.write_table(pyarrow.Table.from_pylist(records), path)
    elif name == "t.csv":
        listed(path, ["text,label,vector", *(f'{each["text"]},1,"{each["vector"]}"' for each in records)])
    else:
        shown = [json.dumps(each) for each in records]
        path.write_text("\n".join(shown) if name == "t.jsonl" else "[" + ",".join(shown) + "]")
    report = imported.add(path)
    assert (report.added, report.space.kind) == (300, "text")
    with Collection(imported.folder) as collection:
        items = collection.items(limit=2)
    assert [item.text for item in items] == TEXTS[:2]
    assert "vector" not in items[0].metadata and "label" in items[0].metadata


def test_columns_may_be_named(tmp_path, imported):
    table = {
        "what": [f"the {at} thing" for at in range(5)],
        "a": random_rows(5, 4).tolist(),
        "b": random_rows(5, 3).tolist(),
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=r"has the columns what, a, b; say which .* --vector-column"):
        imported.add(tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="has no column 'c': it has what, a, b"):
        imported.add(tmp_path / "t.parquet", vector_column="c")
    with pytest.raises(UsageError, match="its column what holds no vectors"):
        imported.add(tmp_path / "t.parquet", vector_column="what", column="what")
    report = imported.add(tmp_path / "t.parquet", vector_column="b", column="what")
    assert (report.added, report.space.dim, report.space.kind) == (5, 3, "text")
    assert imported.add(tmp_path / "t.parquet", vector_column="a", column="what", name="a").filled == 5


def test_vectors_of_a_table_may_stand_for_names_elsewhere(tmp_path, imported):
    arrow(pyarrow.list_(FLOAT))[1](tmp_path / "t.parquet")
    other = listed(tmp_path / "other.txt", [f"other/{at}.jpg" for at in range(300)])
    assert imported.add(tmp_path / "t.parquet", other).added == 300
    assert str(tmp_path / "other" / "3.jpg") in imported.uris()


def test_rows_without_a_vector_are_skipped_with_the_reason(tmp_path, imported):
    rows = [row.tolist() for row in random_rows(6, 4)]
    rows[1], rows[2], rows[3] = None, [1.0, 2.0], [None] * 4
    for name, write in {
        "a.parquet": lambda path: parquet.write_table(
            pyarrow.table({"path": NAMES[:6], "vector": rows}), path
        ),
        "b.jsonl": lambda path: path.write_text(
            "".join(json.dumps({"path": NAMES[at], "vector": row}) + "\n" for at, row in enumerate(rows))
        ),
        "c.csv": lambda path: listed(
            path,
            ["path,vector", *(f'{NAMES[at]},"{row or "no"}"' for at, row in enumerate(rows))],
        ),
    }.items():
        write(tmp_path / name)
        target = Imported(tmp_path / f"{name}.lookalike")
        report = target.add(tmp_path / name)
        assert (report.added, report.skipped) == (3, 3)
        with Collection(target.folder) as collection:
            assert {each.reason for each in collection.skipped()} == {"it has no vector of 4 numbers"}


UNFIT = {
    "no.csv": (b"path,size\na.jpg,3\n", "has the columns path, size; say which holds the vectors"),
    "no.jsonl": (b'{"path": "a.jpg"}\n', "has the columns path; say which"),
    "words.csv": (b"path,embedding\na.jpg,none\n", "its column embedding holds no vectors"),
    "alone.jsonl": (b'{"embedding": [1, 2]}\n', "say so with --column|--column NAME"),
    "no.json": (b"[1, 2]", "holds no vectors"),
    "half.json": (b'[{"embedding": [1', r"row 1 of its array is no JSON"),
    "cut.json": (b'{"samples": [{"embedding": [1', "is no JSON"),
    "ragged.json": (b'{"a": [1], "embedding": [[1, 2], [2, 3]]}', "holds no table"),
    "bad.parquet": (b"PAR1 and nothing more", "is damaged"),
    "other.pq": (b"PAR1" + bytes(40), "under another name: write it as a file"),
    "data.arrow": (b"ARROW1\0\0" + bytes(40), r"to_parquet"),
    "x.zip": (b"PK\x03\x04" + bytes(40), "is an archive, not vectors: unpack it"),
    "x.tar.gz": (b"\x1f\x8b" + bytes(40), "is an archive, not vectors: unpack it"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_table_of_vectors_says_how_to_go_on(tmp_path, imported, name):
    content, words = UNFIT[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LookalikeError, match=words) as caught:
        imported.add(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not imported.folder.exists()


def test_an_archive_of_photos_says_how_to_go_on(tmp_path, imported, make_photo):
    photo = make_photo(tmp_path / "a.png", 1)
    for name in ("photos.tar", "shard-000000"):  # by its name, and by its bytes
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.add(photo, "a.png")
            archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
        with pytest.raises(UsageError, match=r"unpack it \(tar -xf .*\), then .* lookalike add FOLDER"):
            imported.add(tmp_path / name)


@pytest.mark.parametrize("name", ["x.lance", "dataset"])
def test_folders_of_other_programs_say_how_to_go_on(tmp_path, imported, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(UsageError, match="to_parquet"):
        imported.add(tmp_path / name)


@pytest.mark.parametrize(
    "kind", [pyarrow.binary(), pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])]
)
def test_photos_within_parquet_are_no_texts(tmp_path, kind):
    value = (
        b"\xff\xd8\xff\xe0" if kind == pyarrow.binary() else {"bytes": b"\xff\xd8\xff\xe0", "path": "a.png"}
    )
    table = pyarrow.table({"image": pyarrow.array([value] * 3, kind), "label": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "photos.parquet")
    with (
        Collection(tmp_path / "c.lookalike") as collection,
        pytest.raises(UsageError, match=r"lookalike add TABLE\.parquet"),
    ):
        collection.add(tmp_path / "photos.parquet", column="image")
    assert not (tmp_path / "c.lookalike").exists()
    with pytest.raises(UsageError, match="holds photos or other files themselves"):
        rows = [[1.0, 2.0]] * 3
        parquet.write_table(table.append_column("embedding", pyarrow.array(rows)), tmp_path / "p.parquet")
        Imported(tmp_path / "d.lookalike").add(tmp_path / "p.parquet", column="image")


def test_bytes_that_are_texts_are_texts(tmp_path):
    table = pyarrow.table({"text": pyarrow.array([b"BM is not a picture", b"GIF neither"], pyarrow.binary())})
    parquet.write_table(table, tmp_path / "t.parquet")
    with Collection(tmp_path / "c.lookalike", embedder=FakeTextEmbedder()) as collection:
        assert collection.add(tmp_path / "t.parquet", column="text").added == 2


def test_records_a_line_may_be_called_json(tmp_path, imported):
    lines()[1](tmp_path / "t.json")
    assert imported.add(tmp_path / "t.json").added == 300
