"""Several processes and threads at once: nothing twice, nothing lost, and readers never wait."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers import CountingDecoder, answers, numbers, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.store import Store

pytest_plugins = ["store_fixtures"]


DRIVER = [sys.executable, str(Path(__file__).parent / "ingest" / "crash_driver.py")]


def complete(path: Path, files: set[str]) -> None:
    """Every file is one item with one vector, and all is sound."""
    with Collection(path, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        rows = rows_of(collection)
        assert {uri for _, uri in rows} == files
        assert len(rows) == len(files)
        assert len({item_id for item_id, _ in rows}) == len(files)
        report = collection.verify()
        assert (report.sound, report.vectors) == (True, len(files))


def run_together(path: Path, *folders: Path) -> None:
    commands = [[*DRIVER, str(path), str(folder), "0", "100000"] for folder in folders]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdout=pipe, stderr=pipe) for command in commands]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()


@pytest.mark.slow
def test_processes_that_add_the_same_and_overlapping_folders(tmp_path, make_photo):
    folder = tmp_path / "photos"
    for n in range(150):
        make_photo(folder / f"{n % 3}" / f"{n}.png", n, (8, 6))
    files = {str(path) for path in folder.rglob("*.png")}
    for attempt in range(3):  # each begins with nothing, so that all of them race to make the store
        path = tmp_path / f"{attempt}.lookalike"
        run_together(path, folder, folder, folder / "1", folder / "2")
        complete(path, files)


@pytest.mark.slow
def test_processes_that_add_while_photos_move(tmp_path, make_photo):
    folder, path = tmp_path / "photos", tmp_path / "photos.lookalike"
    for n in range(120):
        make_photo(folder / "old" / f"{n}.png", n, (8, 6))
    run_together(path, folder)
    with Collection(path, embedder=FakeEmbedder()) as collection:
        ids = {item_id for item_id, _ in rows_of(collection)}
    (folder / "old").rename(folder / "new")
    run_together(path, folder, folder)
    complete(path, {str(p) for p in folder.rglob("*.png")})
    with Collection(path, embedder=FakeEmbedder()) as collection:
        assert {item_id for item_id, _ in rows_of(collection)} == ids


def test_stores_made_by_many_threads_at_once(tmp_path):
    for attempt in range(10):
        start = threading.Barrier(6)

        def make(folder: Path = tmp_path / f"{attempt}.lookalike", start: threading.Barrier = start) -> int:
            start.wait()
            store = Store(folder, create=True)
            space = store.ensure_space("fake", "f" * 64, 4)
            store.close()
            return space.id

        with ThreadPoolExecutor(6) as pool:
            assert [future.result() for future in [pool.submit(make) for _ in range(6)]] == [1] * 6


READ = """
import sys
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
with Collection(sys.argv[1], embedder=FakeEmbedder()) as collection:
    print([hit.id for hit in collection.search(1, 5)], collection.info().items)
"""


def test_readers_answer_while_a_writer_holds_its_transaction(photos, watched):
    watched.add(photos)
    path = watched.collection.path
    expected = f"{[hit.id for hit in watched.collection.search(1, 5)]} 6\n"
    store = Store(path)
    with store.database.writing() as connection:
        connection.execute("DELETE FROM items WHERE id = 2")
        assert len(watched.collection.search(1, 5)) == 5
        assert watched.collection.info().items == 6
        assert watched.collection.verify().sound
        ran = subprocess.run(
            [sys.executable, "-c", READ, str(path)], check=True, capture_output=True, timeout=120
        )
        assert ran.stdout.decode() == expected
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
    store.close()


def test_searching_threads_get_the_serial_answers_while_another_adds(tmp_path, make_photo):
    """The photos added are far from those asked about, so their coming changes no answer."""
    for n in range(40):
        make_photo(tmp_path / "first" / f"{n}.png", n, (8, 6))
    for n in range(100):
        make_photo(tmp_path / "second" / f"{n}.png", 1000 + n, (8, 6))
    path = tmp_path / "photos.lookalike"
    with Collection(path, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
        collection.add(tmp_path / "first")
        where = ["id<=40"]  # answers among the first photos only
        serial = {n: collection.search(n, 5, where=where, rerank=False) for n in range(1, 41)}
        adding = threading.Event()
        failures: list[object] = []

        def ask(seed: int) -> int:
            dice, asked = random.Random(seed), 0
            while not adding.is_set() or asked < 40:
                n = dice.randrange(1, 41)
                if collection.search(n, 5, where=where, rerank=False).hits != serial[n].hits:
                    failures.append(n)
                asked += 1
            return asked

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, seed) for seed in range(4)]
            try:
                for n in range(0, 100, 10):
                    files = [tmp_path / "second" / f"{m}.png" for m in range(n, n + 10)]
                    assert numbers(collection.add(*files)) == {"added": 10}
            finally:
                adding.set()
            assert all(future.result() >= 40 for future in asking)
        assert failures == []
        assert collection.search(50, 200).hits and len(collection.search(50, 200)) == 139


def test_an_item_removed_elsewhere_leaves_the_answers_at_once(photos, watched):
    watched.add(photos)
    before = [hit.id for hit in watched.collection.search(1, 5)]
    with Collection(watched.collection.path, embedder=FakeEmbedder(), decoder=CountingDecoder()) as other:
        other.search(1, 5)
        watched.collection.remove(before[0])
        assert [hit.id for hit in other.search(1, 5)] == before[1:]
        watched.add(photos)
        assert [hit[0] for hit in answers(other, [1])[0]] == [7, *before[1:]]
