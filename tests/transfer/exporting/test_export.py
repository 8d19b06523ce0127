"""An export is read by numpy, pyarrow and plain Faiss, and comes back with the same neighbours."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest

from helpers import CountingDecoder, flip
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import MissingExtraError, StorageError, UsageError
from lookalike.store import Store
from lookalike.transfer.exporting import run as exporting
from lookalike.transfer.exporting.run import ExportOptions, export_vectors
from lookalike.transfer.importing.context import ImportContext
from lookalike.transfer.importing.run import import_vectors
from lookalike.transfer.importing.source import ImportRequest, open_source

DIM, COUNT = 32, 700


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of a training wait for each other when all cores are busy."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


def imported(folder: Path, vectors: Path, names: Path | None = None, **how: object) -> None:
    with open_source(ImportRequest(vectors, names, **how)) as source:
        store = Store(folder, create=True)
        import_vectors(ImportContext(store, CountingDecoder()), source)
        store.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A collection of so many photos whose files are not there, in clusters."""
    folder = tmp_path_factory.mktemp("made")
    chance = np.random.default_rng(5)
    centres = chance.standard_normal((40, DIM))
    rows = centres[chance.integers(0, 40, COUNT)] + 0.4 * chance.standard_normal((COUNT, DIM))
    np.save(folder / "v.npy", rows.astype("f4"))
    (folder / "n.txt").write_text("".join(f"{at}.jpg\n" for at in range(COUNT)))
    imported(folder / "c.lookalike", folder / "v.npy", folder / "n.txt")
    return folder / "c.lookalike"


@pytest.fixture
def store(made):
    store = Store(made)
    yield store
    store.close()


def exported(
    store: Store, folder: Path, factory: str | None = None, **options: object
) -> exporting.ExportReport:
    return export_vectors(store, store.spaces()[0], folder, ExportOptions(factory, **options))


def test_numpy_and_pyarrow_read_it(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    report = exported(store, tmp_path / "new" / "out")
    assert report.files == ("README.txt", "items.parquet", "space.json", "vectors.npy")
    assert (report.rows, report.dim, report.left_out) == (COUNT, DIM, ())
    rows = np.load(tmp_path / "new" / "out" / "vectors.npy")
    assert (rows.shape, rows.dtype) == ((COUNT, DIM), np.float32)
    table = parquet.read_table(tmp_path / "new" / "out" / "items.parquet").to_pylist()
    stored = {
        int(at): row
        for block in store.vectors(store.spaces()[0]).blocks()
        for at, row in zip(block.ids, block.rows, strict=True)
    }
    assert len(table) == COUNT
    for at, row in enumerate(table):
        item = store.items.get([row["id"]])[row["id"]]
        assert (item.uri, item.content_hash.hex()) == (row["uri"], row["sha256"])
        assert np.array_equal(rows[at], stored[item.id])
    assert "float32 (700, 32)" in (tmp_path / "new" / "out" / "README.txt").read_text()


FACTORIES = {
    "Flat": 1.0,
    "IVF20,PQ16x4": 0.5,
    "OPQ16,IVF16,PQ16x4": 0.5,
    "HNSW32": 0.95,
    "IDMap,SQ8": 0.9,
    "IVF16,Flat": 0.6,
    "LSH": 0.2,
}
"""Factory strings and the least recall@10 of what plain Faiss finds."""


def recall(index: faiss.Index, rows: np.ndarray) -> float:
    _, found = index.search(rows[:50], 10)
    truth = np.argsort(-(rows[:50] @ rows.T), axis=1)[:, :10]
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)]))


@pytest.mark.parametrize("factory", FACTORIES)
def test_plain_faiss_reads_the_index_and_its_ids_are_rows(store, tmp_path, factory):
    report = exported(store, tmp_path / "out", factory, jsonl=True)
    assert "index.faiss" in report.files
    rows = np.load(tmp_path / "out" / "vectors.npy")
    index = faiss.read_index(str(tmp_path / "out" / "index.faiss"))
    assert (index.ntotal, index.d) == (COUNT, DIM)
    assert recall(index, rows) >= FACTORIES[factory]
    assert factory in (tmp_path / "out" / "README.txt").read_text()


@pytest.mark.slow
def test_the_index_of_the_example(tmp_path):
    rows = np.random.default_rng(2).standard_normal((3000, 64)).astype("f4")
    np.save(tmp_path / "v.npy", rows)
    (tmp_path / "n.txt").write_text("".join(f"{at}.jpg\n" for at in range(3000)))
    imported(tmp_path / "c.lookalike", tmp_path / "v.npy", tmp_path / "n.txt")
    store = Store(tmp_path / "c.lookalike")
    report = exported(store, tmp_path / "out", "IVF200,PQ16", jsonl=True)
    store.close()
    assert report.trained_on == 3000
    index = faiss.read_index(str(tmp_path / "out" / "index.faiss"))
    assert (index.nlist, index.pq.M, index.nprobe, index.metric_type) == (
        200,
        16,
        12,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.nprobe = 200
    assert (
        recall(index, np.load(tmp_path / "out" / "vectors.npy")) > 0.15
    )  # without clusters codes tell little


@pytest.mark.parametrize("jsonl", [True, False])
def test_what_comes_back_has_the_same_neighbours(made, store, tmp_path, jsonl):
    if not jsonl:
        pytest.importorskip("pyarrow")
    exported(store, tmp_path / "out", jsonl=jsonl)
    imported(tmp_path / "back.lookalike", tmp_path / "out")
    with Collection(made) as before, Collection(tmp_path / "back.lookalike") as after:
        by_uri = {item.uri: item for item in after.items(limit=COUNT)}
        for item in before.items(limit=20):
            old, new = before.search(item.id, 5), after.search(by_uri[item.uri].id, 5)
            assert [hit.uri for hit in old] == [hit.uri for hit in new]
            assert [hit.score for hit in old] == pytest.approx([hit.score for hit in new], abs=1e-6)


def test_an_index_comes_back_too(made, store, tmp_path):
    exported(store, tmp_path / "out", "IVF16,Flat", jsonl=True)
    imported(
        tmp_path / "back.lookalike",
        tmp_path / "out" / "index.faiss",
        tmp_path / "out" / "items.jsonl",
        column="uri",
    )
    with Collection(made) as before, Collection(tmp_path / "back.lookalike") as after:
        uris = [[hit.uri for hit in each.search(each.items(limit=1)[0].id, 5)] for each in (before, after)]
    assert uris[0] == uris[1]


def test_photos_with_their_facts_and_texts_with_their_places(tmp_path, make_photo):
    parquet = pytest.importorskip("pyarrow.parquet")
    for seed in range(3):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    (tmp_path / "t.csv").write_text('text,label\n"one, two",a\nthree,b\n"one, two",c\n')
    for name, embedder, column in (("p", FakeEmbedder(), None), ("t", FakeTextEmbedder(), "text")):
        with Collection(tmp_path / f"{name}.lookalike", embedder=embedder) as collection:
            collection.add(tmp_path / ("t.csv" if column else "photos"), column=column)
        store = Store(tmp_path / f"{name}.lookalike")
        exported(store, tmp_path / name)
        exported(store, tmp_path / f"{name}-lines", jsonl=True)
        store.close()
    photos = parquet.read_table(tmp_path / "p" / "items.parquet").to_pylist()
    assert [(row["width"], row["format"], row["lat"]) for row in photos] == [(96, "PNG", None)] * 3
    facts = json.loads(photos[0]["metadata"])
    assert facts == {"width": 96, "height": 64, "format": "PNG"}
    texts = parquet.read_table(tmp_path / "t" / "items.parquet").to_pylist()
    assert [row["text"] for row in texts] == ["one, two", "three"]
    assert texts[0]["places"] == [f"{tmp_path / 't.csv'}#1", f"{tmp_path / 't.csv'}#3"]
    lines = [json.loads(line) for line in (tmp_path / "t-lines" / "items.jsonl").read_text().splitlines()]
    assert lines[1]["metadata"] == {"label": "b"}
    for folder in ("t", "t-lines"):
        imported(tmp_path / f"{folder}-back.lookalike", tmp_path / folder)
        with Collection(tmp_path / f"{folder}-back.lookalike") as back:
            items = [(item.text, item.uri, dict(item.metadata)) for item in back.items()]
        assert items == [
            ("one, two", f"{tmp_path / 't.csv'}#1", {"label": "a"}),
            ("three", f"{tmp_path / 't.csv'}#2", {"label": "b"}),
        ]


@pytest.mark.parametrize(
    "factory, words",
    [
        ("Flatt", "makes no index 'Flatt' for 32 numbers: could not parse"),
        ("", "makes no index ''"),
        ("IVF4,PQ12", "PQ8 or PQ16 would do"),
        ("BFlat", "makes no index"),
        ("PQ7", r"'PQ7' for 32 numbers: The dimension of the vector \(d\) should be a multiple"),
        ("IVF701,Flat", "IVF701,Flat learns 701 lists, for which 700 vectors are too few"),
        ("IVF1M,PQ16", "learns 1,048,576 lists"),
        ("PQ4x10", "PQ4x10 learns 1,024 codes, for which 700"),
        ("IVF99999999999999,Flat", "lists, for which 700"),
        ("IVF16,PQ8x99", "makes no index|cannot build|learns"),
        ("IMI2x4,Flat,", "makes no index"),
    ],
)
def test_an_index_that_cannot_be_is_refused_before_anything_is_written(store, tmp_path, factory, words):
    with pytest.raises(UsageError, match=words) as caught:
        exported(store, tmp_path / "out", factory, jsonl=True)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(store, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        exported(store, tmp_path / "out", jsonl=True)
    with pytest.raises(UsageError, match="is not empty"):
        exported(store, tmp_path / "out" / "mine.txt", jsonl=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_an_empty_folder_is_filled(store, tmp_path):
    (tmp_path / "out").mkdir()
    exported(store, tmp_path / "out", jsonl=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("step", ["exporting", "indexing"])
def test_a_run_that_breaks_off_leaves_nothing(store, tmp_path, step):
    def stop(name: str, done: int, total: int | None) -> None:
        if name == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exported(store, tmp_path / "out", "Flat", jsonl=True, on_step=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_when_it_is_old(store, tmp_path):
    old, young = tmp_path / ".out.1-2.new", tmp_path / ".out.3-4.new"
    for folder in (old, young):
        folder.mkdir()
        (folder / "vectors.npy").write_bytes(b"half")
    for path in (old / "vectors.npy", old):
        os.utime(path, (1, 1))
    exported(store, tmp_path / "out", jsonl=True)
    assert {path.name for path in tmp_path.iterdir()} == {"out", young.name}


def test_damaged_items_are_left_out_and_named(made, tmp_path):
    shutil.copytree(made, tmp_path / "c.lookalike")
    store = Store(tmp_path / "c.lookalike")
    victim = next(store.vectors(store.spaces()[0]).blocks()).rows[3].tobytes()
    store.close()
    file = tmp_path / "c.lookalike" / "store.sqlite"
    flip(file, file.read_bytes().index(victim) + 5)
    store = Store(tmp_path / "c.lookalike")
    report = exported(store, tmp_path / "out", "Flat", jsonl=True)
    store.close()
    assert (report.rows, report.left_out) == (COUNT - 1, (4,))
    assert len(np.load(tmp_path / "out" / "vectors.npy")) == COUNT - 1
    assert len((tmp_path / "out" / "items.jsonl").read_text().splitlines()) == COUNT - 1


def test_a_full_disk_is_said_before_it_is_full(store, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(exporting.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"needs 0\.00 GB .* 0\.00 GB free"):
        exported(store, tmp_path / "out", jsonl=True)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_install_line_is_given(store, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"\[parquet\]"):
        exported(store, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
