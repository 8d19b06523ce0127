"""Faiss indexes give their vectors back, in the order of their list; damaged ones cost one line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import faiss
import numpy as np
import pytest
from import_helpers import Imported, listed, random_rows, unit

from lookalike import Collection
from lookalike.errors import DamagedError, NotFoundError, UsageError
from lookalike.transfer.importing import faiss_file
from lookalike.transfer.importing.faiss_file import FaissFile

ROWS = unit(random_rows(400, 32))
LEAST = {"PQ16x4": 0.8, "SQ8": 0.999, "Flat": 0.99999}
"""The least score of a decoded vector with its own, by the code."""


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of a training wait for each other when all cores are busy."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


def written(path: Path, factory: str, metric: int = faiss.METRIC_L2, ids: np.ndarray | None = None) -> Path:
    index = faiss.index_factory(ROWS.shape[1], factory, metric)
    silence(index)
    index.train(ROWS)
    index.add_with_ids(ROWS[ids], ids) if ids is not None else index.add(ROWS)
    faiss.write_index(index, str(path))
    return path


def silence(index: faiss.Index) -> None:
    """Few rows do for tests."""
    lists = faiss.try_extract_index_ivf(index)
    for trained in (index, lists, getattr(index, "pq", None), getattr(lists, "pq", None)):
        if hasattr(trained, "cp"):
            trained.cp.min_points_per_centroid = 1


def read(path: Path, size: int = 100) -> tuple[np.ndarray, bool]:
    opened = FaissFile(path)
    try:
        head = opened.head(7)
        rows = np.concatenate(list(opened.blocks(size)))
        assert np.array_equal(rows[:7], head)
        assert rows.shape == (opened.rows, opened.dim)
        return rows, opened.approximate
    finally:
        opened.close()


@pytest.mark.parametrize(
    "factory, approximate",
    [
        ("Flat", False),
        ("IVF16,Flat", False),
        ("HNSW16,Flat", False),
        ("PQ16x4", True),
        ("IVF16,PQ16x4", True),
        ("OPQ16,IVF16,PQ16x4", True),
        ("IVF16,SQ8", True),
        ("PQ16x4,RFlat", False),
    ],
)
@pytest.mark.parametrize("metric", [faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT])
def test_the_vectors_come_back(tmp_path, factory, approximate, metric):
    rows, is_approximate = read(written(tmp_path / "x.index", factory, metric))
    assert is_approximate == approximate
    scores = (unit(rows) * ROWS).sum(axis=1)
    assert scores.min() > LEAST["Flat" if not approximate else factory.rpartition(",")[2]]


@pytest.mark.parametrize("factory", ["IDMap,Flat", "IDMap2,IVF16,PQ16x4", "IVF16,Flat"])
def test_ids_are_row_numbers(tmp_path, factory):
    shuffled = np.random.default_rng(3).permutation(len(ROWS))
    rows, _ = read(written(tmp_path / "x.index", factory, ids=shuffled))
    assert (unit(rows) * ROWS).sum(axis=1).min() > LEAST["PQ16x4"]


@pytest.mark.parametrize("factory", ["IDMap,Flat", "IVF16,PQ16x4"])
def test_an_id_that_comes_twice_is_refused(tmp_path, factory):
    path = with_ids(tmp_path / "x.index", factory, [7, 8, 7])
    with pytest.raises(
        UsageError, match="its ids are not the row numbers of a list, and it has the id 7 twice"
    ):
        FaissFile(path, lambda: np.array([7, 8, 7]))


def with_ids(path: Path, factory: str, ids: list[int]) -> Path:
    index = faiss.index_factory(ROWS.shape[1], factory)
    silence(index)
    index.train(ROWS)
    index.add_with_ids(ROWS[: len(ids)], np.array(ids, np.int64))
    faiss.write_index(index, str(path))
    return path


OWN_IDS = [(at * 7_919) % 100_003 + 2**40 for at in range(40)]
"""As keys of a database, in no order."""


@pytest.mark.parametrize(
    "factory", ["IDMap,Flat", "IDMap2,PQ16x4", "IDMap,IVF4,SQ8", "IVF4,Flat", "OPQ16,IVF4,SQ8"]
)
def test_ids_of_its_own_are_found_in_a_table(tmp_path, factory):
    path = with_ids(tmp_path / "x.index", factory, OWN_IDS)
    with pytest.raises(UsageError, match=r"its ids \(\d+, .*--names TABLE --id-column NAME"):
        FaissFile(path)
    turned = np.array(OWN_IDS[::-1])
    opened = FaissFile(path, lambda: turned)
    rows = np.concatenate(list(opened.blocks(16)))
    opened.close()
    assert (unit(rows) * ROWS[:40][::-1]).sum(axis=1).min() > LEAST["PQ16x4"]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (OWN_IDS[:39], f"it has ids that the table lacks, such as {OWN_IDS[39]}"),
        ([*OWN_IDS[:39], 5], "the table has ids that the index lacks, such as 5"),
        ([*OWN_IDS, 2**62], f"the table has ids that the index lacks, such as {2**62}"),
        ([], "it has ids that the table lacks"),
    ],
)
def test_ids_that_do_not_fit_the_table_are_refused(tmp_path, ids, words):
    path = with_ids(tmp_path / "x.index", "IDMap,Flat", OWN_IDS)
    with pytest.raises(UsageError, match=words):
        FaissFile(path, lambda: np.array(ids, np.int64))


def test_an_index_with_ids_and_its_table_become_a_collection(tmp_path):
    imported = Imported(tmp_path / "c.lookalike")
    path = with_ids(tmp_path / "x.index", "IDMap2,Flat", OWN_IDS)
    lines = [f"{number},{at}.jpg" for at, number in enumerate(OWN_IDS)]
    table = listed(tmp_path / "t.csv", ["id,path", *reversed(lines)])
    assert imported.add(path, table).added == 40
    vectors = imported.vectors("x")
    assert vectors[imported.uris()[str(tmp_path / "3.jpg")]] @ ROWS[3] == pytest.approx(1, abs=1e-5)
    other = listed(tmp_path / "o.csv", ["key,path", *lines])
    with pytest.raises(UsageError, match="--id-column"):
        imported.add(path, other, name="o")
    assert imported.add(path, other, name="o", id_column="key").filled == 40
    listed(tmp_path / "o.csv", ["key,path", *lines[:-1], "none,x.jpg"])
    with pytest.raises(UsageError, match="row 40 of the column key has no id but 'none'"):
        imported.add(path, other, name="p", id_column="key")


@pytest.mark.parametrize(
    "factory",
    [
        *("IVF4,PQ8x4fs", "IVF4,PQ8x4fsr", "IDMap,IVF4,PQ8x4fs", "OPQ8,IVF4,PQ8x4fs", "PCA16,IVF4,PQ8x4fs"),
        "IVF4,RaBitQfs",  # which would give other vectors
    ],
)
def test_fast_scan_lists_are_refused_and_called_by_their_name(tmp_path, factory):
    path = written(tmp_path / "x.index", factory, ids=np.arange(400) if "IDMap" in factory else None)
    with pytest.raises(UsageError, match=r"Faiss cannot give the vectors of an IndexIVF\w+FastScan .* back"):
        FaissFile(path)


@pytest.mark.parametrize("factory", ["PQ16x4fs", "IVF4,PQ8x4fs,RFlat"])
def test_fast_scan_codes_that_can_be_decoded_come_in(tmp_path, factory):
    rows, is_approximate = read(written(tmp_path / "x.index", factory))
    assert is_approximate == (factory == "PQ16x4fs")
    assert (unit(rows) * ROWS).sum(axis=1).min() > LEAST["PQ16x4"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_kind_that_ends_faiss_when_it_is_decoded_is_named(tmp_path, monkeypatch):
    said = 'b\'{"decoding": "IndexFuture"}\\n\''
    code = f"import os, signal; os.write(1, {said}); os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(faiss_file, "_START", code)
    with pytest.raises(DamagedError, match=r"cannot give back \(IndexFuture\): .* ended by SIGSEGV"):
        FaissFile(written(tmp_path / "x.index", "Flat"))


def test_an_empty_index_and_one_that_gives_nothing_back(tmp_path):
    faiss.write_index(faiss.IndexFlatL2(8), str(tmp_path / "x.index"))
    with pytest.raises(UsageError, match="holds no vectors"):
        FaissFile(tmp_path / "x.index")
    written(tmp_path / "x.index", "ITQ,LSH")
    with pytest.raises(UsageError, match="Faiss cannot give the vectors of an IndexPreTransform back"):
        FaissFile(tmp_path / "x.index")
    with pytest.raises(NotFoundError):
        FaissFile(tmp_path / "absent.index")


@pytest.mark.parametrize("factory", ["Flat", "IVF16,PQ16x4", "HNSW16,Flat"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_an_index_cut_short_costs_one_line(tmp_path, factory, share):
    path = written(tmp_path / "x.index", factory)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises((DamagedError, UsageError)) as caught:
        FaissFile(path)
    assert "\n" not in str(caught.value)
    assert "x.index" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "factory", ["Flat", "IVF16,PQ16x4", "IVF16,Flat", "HNSW16,Flat", "OPQ16,IVF16,PQ16x4"]
)
def test_flipped_bytes_never_end_this_process(tmp_path, factory):
    path = written(tmp_path / "x.index", factory)
    content = path.read_bytes()
    chance = np.random.default_rng(1)
    for trial in range(12):
        damaged = bytearray(content)
        first = 200 if trial % 2 else len(content)  # the header is where it hurts
        for at in chance.integers(0, first, 4):
            damaged[at] = int(chance.integers(256))
        path.write_bytes(damaged)
        try:
            rows, _ = read(path)
        except (DamagedError, UsageError) as error:
            assert "\n" not in str(error)
        else:
            assert rows.ndim == 2


def test_a_header_that_claims_everything_costs_no_memory(tmp_path):
    path = written(tmp_path / "x.index", "Flat")
    content = bytearray(path.read_bytes())
    content[8:16] = (1 << 40).to_bytes(8, "little")  # ntotal
    content[37:45] = (1 << 45).to_bytes(8, "little")  # numbers that follow
    path.write_bytes(content)
    with pytest.raises((DamagedError, UsageError)):
        FaissFile(path)


def test_a_reader_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(faiss_file, "_SECONDS", 0.5)
    monkeypatch.setattr(faiss_file, "_START", "import time; time.sleep(60)")
    path = written(tmp_path / "x.index", "Flat")
    started = time.monotonic()
    with pytest.raises(DamagedError):
        FaissFile(path)
    assert time.monotonic() - started < 20


def test_a_reader_that_dies_half_way_says_so(tmp_path, monkeypatch):
    code = 'import os; os.write(1, b\'{"rows": 9, "dim": 2, "exact": true}\\n\' + bytes(40)); os.abort()'
    monkeypatch.setattr(faiss_file, "_START", code)
    opened = FaissFile(written(tmp_path / "x.index", "Flat"))
    with pytest.raises(DamagedError, match="SIGABRT" if os.name == "posix" else "ended"):
        list(opened.blocks(4))
    opened.close()


def test_an_index_with_a_list_of_photos(tmp_path):
    imported = Imported(tmp_path / "c.lookalike")
    path = written(tmp_path / "coco.faiss.index", "IVF16,PQ16x4")
    names = listed(tmp_path / "n.txt", [f"{at}.jpg" for at in range(400)])
    report = imported.add(path, names)
    assert (report.added, report.space.name, report.space.approximate) == (400, "coco", True)
    again = imported.add(path, names)
    assert (again.added, again.unchanged) == (0, 400)
    with pytest.raises(UsageError, match=r"400 vectors, but .* has 1 names"):
        imported.add(path, listed(tmp_path / "one.txt", ["a.jpg"]))


@pytest.fixture(scope="module")
def tweets(shared_data, tmp_path_factory):
    """The example's tweets, from its own Faiss index."""
    imported = Imported(tmp_path_factory.mktemp("tweets") / "tweets.lookalike")
    index, texts = (shared_data / "tweets" / name for name in ("tweets_20000.faiss.index", "texts_20k.csv"))
    return imported, imported.add(index, texts, column="text"), index, texts


@pytest.mark.slow
def test_the_tweets_open_and_answer(tweets):
    imported, report, index_path, texts = tweets
    assert report.space.kind == "text"
    assert (report.space.name, report.space.dim, report.space.approximate) == ("tweets_20000", 768, True)
    assert (report.rows, report.skipped, report.empty) == (20_000, 0, 0)
    assert report.added + report.copies == 20_000
    ids = imported.uris()
    index = faiss.read_index(str(index_path))
    rows = unit(index.reconstruct_n(0, index.ntotal))
    with Collection(imported.folder) as collection:
        for row in (0, 7, 12_345):
            item = collection.item(ids[f"{texts}#{row + 1}"])
            scores = rows @ rows[row]
            (hit,) = collection.search(item.id, 1)
            order = [at for at in np.argsort(-scores).tolist() if at != row]
            assert hit.score == pytest.approx(scores[order[0]], abs=1e-5)
        assert collection.info().kind == "text"
    assert imported.is_sound()


@pytest.mark.slow
def test_repeated_tweets_are_one_item_with_several_places(tweets):
    imported, report, _, _ = tweets
    with Collection(imported.folder) as collection:
        items = [item for page in collection._opened.store().items.pages() for item in page]
        repeated = [item for item in items if item.places > 1]
        assert len(items) == report.added
        assert sum(item.places - 1 for item in repeated) == report.copies >= 87
        store = collection._opened.store()
        assert all(len(store.texts.places(item.id)) == item.places for item in repeated)


@pytest.mark.slow
def test_the_tweets_imported_again_change_nothing(tweets):
    imported, report, index, texts = tweets
    again = imported.add(index, texts, column="text")
    assert (again.added, again.unchanged, again.copies) == (0, 20_000, report.copies)
